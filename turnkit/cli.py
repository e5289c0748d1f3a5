"""The command line: arguments to calls, results to people and programs.

People get colour and a live view where a terminal is there, and plain lines where it is not. Programs get `--json`:
one object a line on standard output. What goes wrong is said in a sentence on standard error, and the exit code is 1;
2 means that the command was called wrongly.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any

import anyio
import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from . import __version__
from .chart import REPLY_EDGES, USER_EDGES, Edge, Reply, User, diagrams
from .errors import ConfigError, TurnkitError
from .events import SIGNALS, BargeIn, Cancel, Commit, DropReason, ReplyEnded, Signal, Speculate, TurnDropped
from .flux import FluxStream, connect
from .logs import log_to_stderr
from .policy import Budget, MinConfidence, NoSpeculation, OnEager, SpeculationPolicy
from .session import Session
from .simulator import Recording, Script, Simulator, serve
from .view import View
from .wav import Wav, read_wav
from .wire import FluxOptions, Message, TurnInfo

app = typer.Typer(
    help="Decide, from Deepgram Flux turn events, when a voice bot may think, may speak and must stop.",
    epilog="Start with: turnkit demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object a line, for programs.")]

CHUNK_SECONDS = 0.08
SETTLED_SECONDS = 1.5
"""Silence after the audio before a listening user is believed: Flux announces a turn about 0.6 s after its onset."""


def main() -> None:
    """The entry point of the `turnkit` command."""
    app()


def _say(text: str) -> None:
    """Plain text on standard output; if whoever read it has gone, the command is over."""
    try:
        print(text, flush=True)  # noqa: T201
    except BrokenPipeError:
        # What Python would flush on its way out must not fail too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None


def _say_json(fields: object) -> None:
    _say(msgspec.json.encode(fields).decode())


def _version(asked: bool) -> None:
    if asked:
        _say(f"turnkit {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
    log_level: Annotated[
        str, typer.Option(help="debug, info, warning or error; logs go to standard error.")
    ] = "warning",
) -> None:
    if log_level not in ("debug", "info", "warning", "error"):
        raise typer.BadParameter(f"{log_level!r}: must be debug, info, warning or error", param_hint="--log-level")
    log_to_stderr(log_level)


# demo -------------------------------------------------------------------------------------------------------------


@app.command()
def demo(
    speed: Annotated[float, typer.Option(min=0.1, max=50, help="How many times as fast as people talk.")] = 1.0,
    llm: Annotated[float, typer.Option(min=0, max=10, help="Seconds the simulated LLM takes.")] = 0.45,
    tts: Annotated[float, typer.Option(min=0, max=10, help="Seconds the simulated TTS takes.")] = 0.12,
    as_json: JsonFlag = False,
) -> None:
    """Watch a whole conversation on this machine: no key, no network, half a minute.

    A simulated caller books a table. You see the turns, the drafts made early and kept or withdrawn, a barge-in and
    a backchannel, each signal with the second at which it fell.
    """
    from .demo import hold_conversation

    out = _JsonLines() if as_json else View(Console(emoji=False), "turnkit demo")
    tally = _Tally(out, llm)
    with out:
        _run(lambda: hold_conversation(tally, speed=speed, llm_seconds=llm, tts_seconds=tts))
    if not as_json:
        tally.report(Console(emoji=False))


class _JsonLines:
    """Signals as JSON, one a line; `at` counts from the beginning."""

    def __init__(self, audio_end: Callable[[], float] | None = None) -> None:
        self._audio_end = audio_end

    def __enter__(self) -> _JsonLines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def show(self, signal: Signal | ReplyEnded, seconds: float) -> None:
        fields = msgspec.to_builtins(msgspec.structs.replace(signal, at=round(seconds, 3)))
        if self._audio_end is not None:
            fields["audio_end"] = round(self._audio_end(), 2)
        _say_json(fields)

    def play(self, heard: str, rest: str) -> None:
        pass

    def tick(self, seconds: float) -> None:
        pass


class _Tally:
    """Passes everything on to a view and counts what was decided."""

    def __init__(self, view: View | _JsonLines, llm_seconds: float) -> None:
        self._view = view
        self._llm_seconds = llm_seconds
        self.play, self.tick = view.play, view.tick
        self._counts: Counter[str] = Counter()
        self._drafted: dict[int, float] = {}
        self._leads: list[float] = []

    def show(self, signal: Signal | ReplyEnded, seconds: float) -> None:
        match signal:
            case Speculate(reply=reply):
                self._drafted[reply] = seconds
            case Commit(reply=reply, turn=turn):
                self._counts["turns answered"] += turn is not None
                if signal.speculative:
                    self._counts["drafts kept"] += 1
                    self._leads.append(seconds - self._drafted[reply])
            case Cancel(reply=reply):
                self._counts["drafts withdrawn"] += reply in self._drafted
            case BargeIn():
                self._counts["barge-ins"] += 1
            case TurnDropped(reason=DropReason.OVERLAP_KEPT):
                self._counts["backchannels, talked over"] += 1
        self._view.show(signal, seconds)

    def report(self, console: Console) -> None:
        """What it came to."""
        table = Table.grid(padding=(0, 2))
        for what in ("turns answered", "drafts kept", "drafts withdrawn", "barge-ins", "backchannels, talked over"):
            table.add_row(f"  {what}", f"[bold]{self._counts[what]}[/bold]")
        if self._leads:
            leads = ", ".join(f"{lead * 1000:.0f}" for lead in self._leads)
            # What is known before the turn is final need not be waited for after it.
            saved = ", ".join(f"{min(lead, self._llm_seconds) * 1000:.0f}" for lead in self._leads)
            table.add_row("  head start of each kept draft", f"[bold]{leads}[/bold] ms")
            table.add_row("  so each was heard sooner by", f"[bold]{saved}[/bold] ms")
        console.print()
        console.print(table)


# run --------------------------------------------------------------------------------------------------------------


@app.command()
def run(
    audio: Annotated[Path, typer.Argument(help="A WAV file: mono, 16 bits, 8 to 48 kHz.")],
    url: Annotated[
        str, typer.Option(help="Where Flux is; a simulator's ws://127.0.0.1:PORT, say.")
    ] = "wss://api.deepgram.com",
    model: Annotated[str, typer.Option(help="flux-general-en or flux-general-multi.")] = "flux-general-en",
    eot_threshold: Annotated[float, typer.Option(help="Confidence that ends a turn, 0.5 to 1.")] = 0.7,
    eager_eot_threshold: Annotated[
        float, typer.Option(help="Confidence worth a draft, 0.3 to 0.9 and not above the other; 0: no drafts.")
    ] = 0.5,
    eot_timeout_ms: Annotated[int, typer.Option(help="Silence that ends a turn anyway, 500 to 60000.")] = 5000,
    keyterm: Annotated[list[str] | None, typer.Option(help="A term Flux should know; may be repeated.")] = None,
    speculation: Annotated[str, typer.Option(help="on-eager, none, min-confidence:X or budget:N.")] = "on-eager",
    max_silence: Annotated[
        float, typer.Option(min=0, help="At most so many seconds of silence are sent after the audio.")
    ] = 15.0,
    as_json: JsonFlag = False,
) -> None:
    """Stream a WAV file to Flux in real time and print what turnkit decides.

    The key is taken from DEEPGRAM_API_KEY; a simulator needs none. After the audio, silence follows until the last
    turn has ended. Nobody speaks for the agent: a reply is over as soon as it may begin. With --json, each signal
    has the second of audio it came at (audio_end) beside its time.
    """
    wav = _guard(lambda: read_wav(audio))
    options = _guard(
        lambda: FluxOptions(
            model=model,
            sample_rate=wav.sample_rate,
            eot_threshold=eot_threshold,
            eager_eot_threshold=eager_eot_threshold or None,
            eot_timeout_ms=eot_timeout_ms,
            keyterm=tuple(keyterm or ()),
        )
    )
    session = _guard(
        lambda: Session(
            speculation=_policy(speculation),
            stall_timeout=eot_timeout_ms / 1000 + 3,
        )
    )
    call = _Call(session, wav, max_silence)
    view = _JsonLines(lambda: call.audio_end) if as_json else View(Console(emoji=False), f"turnkit run {audio.name}")
    with view:
        _run(lambda: call.hold(options, url, view))


class _Call:
    """One file, streamed as a caller would be; nobody speaks for the agent."""

    def __init__(self, session: Session, wav: Wav, max_silence: float) -> None:
        self.audio_end = 0.0
        self._session = session
        self._wav = wav
        self._max_silence = max_silence

    async def hold(self, options: FluxOptions, url: str, view: View | _JsonLines) -> None:
        began = anyio.current_time()
        for kind in SIGNALS:
            self._session.on(kind, lambda signal: view.show(signal, signal.at - began))
        self._session.on(Commit, self._answer)
        async with connect(options, api_key=os.environ.get("DEEPGRAM_API_KEY") or None, url=url) as stream:
            began = anyio.current_time()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._speak, stream, view)
                await self._session.run(self._watched(stream))
                tasks.cancel_scope.cancel()

    def _answer(self, commit: Commit) -> None:
        self._session.playback_started(commit.reply)
        self._session.playback_finished(commit.reply)

    async def _watched(self, stream: FluxStream) -> AsyncIterator[Message]:
        async for message in stream:
            if isinstance(message, TurnInfo):
                self.audio_end = message.audio_window_end
            yield message

    async def _speak(self, stream: FluxStream, view: View | _JsonLines) -> None:
        size = round(self._wav.sample_rate * CHUNK_SECONDS) * 2
        began, seconds = anyio.current_time(), 0.0
        try:
            while self._goes_on(seconds):
                start = round(seconds / CHUNK_SECONDS) * size
                seconds += CHUNK_SECONDS
                # A chunk is there when its last sample has been spoken.
                await anyio.sleep_until(began + seconds)
                # Where the audio is over, silence: Flux's clock runs on audio only.
                await stream.send_audio(self._wav.audio[start : start + size].ljust(size, b"\0"))
                view.tick(seconds)
            await stream.close()
        except TurnkitError:
            # The reader meets the same end of the stream, and tells it better.
            return

    def _goes_on(self, seconds: float) -> bool:
        silence = seconds - self._wav.seconds
        settled = silence >= SETTLED_SECONDS and self._session.user is User.LISTENING
        return not settled and silence < max(self._max_silence, 0.0)


_SPECULATION: dict[str, Callable[[str], SpeculationPolicy]] = {
    "on-eager": lambda _: OnEager(),
    "none": lambda _: NoSpeculation(),
    "min-confidence:X": lambda text: MinConfidence(float(text)),
    "budget:N": lambda text: Budget(int(text)),
}


def _policy(text: str) -> SpeculationPolicy:
    name, colon, argument = text.partition(":")
    for form, build in _SPECULATION.items():
        if form.partition(":")[:2] == (name, colon):
            try:
                return build(argument)
            except ConfigError as error:
                raise ConfigError(f"--speculation {text}: {error}") from None
            except ValueError:
                raise ConfigError(f"--speculation {text}: {argument!r} is not a number, as in {form}") from None
    raise ConfigError(f"--speculation {text}: must be one of {', '.join(_SPECULATION)}")


# simulate ---------------------------------------------------------------------------------------------------------


@app.command()
def simulate(
    recording: Annotated[
        Path | None, typer.Option(help="Play this JSON-lines recording of Flux's frames, in step with the audio.")
    ] = None,
    script: Annotated[
        Path | None, typer.Option(help="Hear this script of words with times, and detect turns in it.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8765,
    host: Annotated[str, typer.Option(help="Where to listen; this machine only, unless you say so.")] = "127.0.0.1",
    api_key: Annotated[str | None, typer.Option(help="Accept only this key; otherwise any, or none.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of what is left to chance in a script.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Be Flux on this machine: a /v2/listen that a client cannot tell from the real one.

    Without --recording or --script it hears the conversation of the demo. A script has a line for each utterance,
    its start second (or +seconds after the last one) and its words, with pauses in parentheses:

        1.0   I'd like a table (0.7) for two, please.
    """
    if recording is not None and script is not None:
        _fail("--recording and --script: give one of them")
    play: Recording | Script
    if recording is not None:
        path = recording
        play = _guard(lambda: Recording.read(path))
    elif script is not None:
        path = script
        play = _guard(lambda: Script.read(path))
    else:
        from .demo import CALLER, SEED

        play = Script.parse(CALLER, seed=SEED)

    async def listen() -> None:
        async with serve(play, host=host, port=port, api_key=api_key, seed=seed) as flux:
            _announce(flux, as_json)
            await _report_connections(flux, as_json)

    _run(listen)


def _announce(flux: Simulator, as_json: bool) -> None:
    if as_json:
        _say_json({"listening": flux.url})
        return
    console = Console(emoji=False)
    console.print(f"A simulated Flux listens at [bold]{escape(flux.url)}[/bold] (Ctrl-C ends it)")
    console.print(f"Try, in another terminal:  turnkit run AUDIO.wav --url {escape(flux.url)}", highlight=False)


async def _report_connections(flux: Simulator, as_json: bool) -> None:
    """Say what connects and how it went, for as long as the simulator runs."""
    seen = [0, 0]  # connections said to be open, refusals
    closed: set[str] = set()
    console = Console(emoji=False)
    while True:
        for connection in flux.connections[seen[0] :]:
            if as_json:
                _say_json({"connection": connection.request_id, "state": "opened"})
            else:
                console.print(f"opened  {connection.request_id}", highlight=False)
        seen[0] = len(flux.connections)
        for connection in flux.connections:
            if connection.open or connection.request_id in closed:
                continue
            closed.add(connection.request_id)
            heard, sent = round(connection.audio_seconds, 2), connection.messages
            if as_json:
                _say_json(
                    {"connection": connection.request_id, "state": "closed", "audio_seconds": heard, "messages": sent}
                )
            else:
                console.print(
                    f"closed  {connection.request_id}  {heard} s of audio in, {sent} messages out", highlight=False
                )
        for refusal in flux.refusals[seen[1] :]:
            if as_json:
                _say_json({"refused": refusal.status, "code": refusal.code})
            else:
                console.print(f"[red]refused[/red] {refusal.status} {escape(refusal.code)}", highlight=False)
        seen[1] = len(flux.refusals)
        await anyio.sleep(0.2)


# chart ------------------------------------------------------------------------------------------------------------


class Party(StrEnum):
    """Whose chart."""

    USER = "user"
    REPLY = "reply"


@app.command()
def chart(
    party: Annotated[Party | None, typer.Argument(help="Whose; both, if not given.")] = None,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="As Mermaid text, for a README or a viewer.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show the two charts that turnkit runs on: the user's, moved by Flux, and a reply's."""
    parties = [party] if party is not None else list(Party)
    if mermaid:
        drawn = diagrams()
        _say("\n\n".join(drawn[one] for one in parties))
        return
    edges = {Party.USER: (User, USER_EDGES), Party.REPLY: (Reply, REPLY_EDGES)}
    for one in parties:
        states, rows = edges[one]
        if as_json:
            for edge in rows:
                _say_json(
                    {
                        "chart": one.value,
                        "move": edge.move.value,
                        "source": edge.source.value,
                        "dest": (edge.dest or edge.source).value,
                        "surprise": edge.surprise and edge.surprise.value,
                    }
                )
        else:
            Console(emoji=False).print(_chart_table(one, states, rows))


def _chart_table(party: Party, states: type[StrEnum], edges: Iterable[Edge]) -> Table:
    """A row a move, a column a state: where it leads from there."""
    title = "The user, moved by Flux" if party is Party.USER else "A reply, moved by signals and playback"
    table = Table(
        title=title,
        title_justify="left",
        caption="move, and where it leads from each state.  –: stays   !: noted as a surprise",
        caption_justify="left",
    )
    table.add_column("", no_wrap=True)
    for state in states:
        table.add_column(state.value, no_wrap=True)
    moves: dict[str, dict[str, str]] = {}
    for edge in edges:
        where = "–" if edge.dest is None else f"→ {edge.dest.value}"
        moves.setdefault(edge.move.value, {})[edge.source.value] = where + (" !" if edge.surprise else "")
    for move, cells in moves.items():
        table.add_row(f"[bold]{move}[/bold]", *(cells.get(state.value, "") for state in states))
    return table


# Errors -----------------------------------------------------------------------------------------------------------


def _run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    try:
        anyio.run(work)
    except BaseException as error:
        causes = list(_causes(error))
        for cause in causes:
            if isinstance(cause, TurnkitError):
                _fail(str(cause))
            if isinstance(cause, SystemExit):
                raise cause from None
            if isinstance(cause, KeyboardInterrupt):
                raise typer.Exit(130) from None
        raise


def _causes(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _causes(inner)
    else:
        yield error


def _guard(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except TurnkitError as error:
        _fail(str(error))


def _fail(message: str) -> None:
    Console(stderr=True, emoji=False).print(
        f"[bold red]error:[/bold red] {escape(message)}", highlight=False, soft_wrap=True
    )
    raise typer.Exit(1)
