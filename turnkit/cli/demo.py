"""`turnkit demo`: a whole conversation on this machine."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from ..turns.events import BargeIn, Cancel, Commit, DropReason, ReplyEnded, Signal, Speculate, TurnDropped
from .commands import app
from .layout import Column, tell_table
from .live_view import View
from .output import JsonFlag, JsonLines, RecordOption, fail, guard, run_async
from .recorded_at import hint_at
from .screen import Screen
from .talking import BotOption, EarOption, ModelOption, VoiceOption

if TYPE_CHECKING:
    from ..session import HostFailure


@app.command()
def demo(
    ctx: typer.Context,
    speed: Annotated[
        float, typer.Option(min=0.1, max=50, metavar="N", help="How many times as fast as people talk.")
    ] = 1.0,
    llm: Annotated[
        str,
        typer.Option(
            metavar="SECONDS|URL",
            help="Seconds the simulated LLM takes; with --mic, the URL of an OpenAI-compatible server.",
        ),
    ] = "0.45",
    tts: Annotated[
        float, typer.Option(min=0, max=10, metavar="SECONDS", help="Seconds the simulated TTS takes.")
    ] = 0.12,
    record: RecordOption = None,
    as_json: JsonFlag = False,
    mic: Annotated[
        bool, typer.Option("--mic", help="Talk to it yourself, by this machine's microphone and loudspeaker.")
    ] = False,
    ear: EarOption = None,
    voice: VoiceOption = None,
    bot: BotOption = "booking",
    model: ModelOption = "gpt-4o-mini",
    device: Annotated[
        str | None, typer.Option(metavar="NAME", help="With --mic: part of the name of the sound device.")
    ] = None,
) -> None:
    """Watch a whole conversation on this machine: no key, no network, half a minute.

    A simulated caller books a table. You see the turns, the drafts made early and kept or cancelled, a barge-in and
    a backchannel, each signal with the second of the call at which it fell. At the end you are told where it was
    recorded and what can be done with that: without --record, in the directory for temporary files; with --json, not
    at all.

    With --mic you are the caller: an ear on this machine listens, a small bot answers aloud, and each answer tells how
    long it took, and why. It needs turnkit[ear,voice,mic], and headphones. Ctrl-C ends it.
    """
    _refuse_ignored(ctx, mic=mic)
    if mic:
        from .microphone_call import Asked, talk

        talk(Asked(ear, voice, bot, _address(llm), model, device), record, as_json)
        return
    _watch(speed, _seconds(llm), tts, record, as_json)


_OF_THE_MICROPHONE = ("ear", "voice", "bot", "model", "device")
_OF_THE_SIMULATION = ("speed", "tts")


def _refuse_ignored(ctx: typer.Context, *, mic: bool) -> None:
    """Refuse what was typed and would have no effect."""
    for name in _OF_THE_SIMULATION if mic else _OF_THE_MICROPHONE:
        source = ctx.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            rule = "does nothing with --mic" if mic else "does nothing without --mic"
            raise typer.BadParameter(rule, param_hint=f"--{name}")


def _seconds(llm: str) -> float:
    """What --llm is without --mic."""
    with suppress(ValueError):
        if 0 <= float(llm) <= 10:
            return float(llm)
    raise typer.BadParameter(f"{llm!r} must be seconds, 0 to 10; with --mic it is an address", param_hint="--llm")


def _address(llm: str) -> str | None:
    """What --llm is with it."""
    return None if llm == "0.45" else llm


def _watch(speed: float, llm: float, tts: float, record: str | None, as_json: bool) -> None:
    """Show the conversation."""
    from ..tools.demo import OPTIONS, hold_conversation
    from ..trace import Recorder

    out = JsonLines() if as_json else View(Screen(), "turnkit demo")
    tally = _DemoTally(out, llm)
    recorder = None
    if record is not None or not as_json:
        target = record or Path(mkdtemp(prefix="turnkit-")) / "demo.jsonl"
        recorder = guard(lambda: Recorder(target, options=OPTIONS, speed=speed))
    failures: list[HostFailure] = []

    async def hold() -> None:
        failures.extend(await hold_conversation(tally, speed=speed, llm_seconds=llm, tts_seconds=tts, record=recorder))

    whole = False
    try:
        with out:
            run_async(hold)
        whole = True
    finally:
        if not as_json and recorder is not None:
            console = Screen()
            if whole:
                tally.report(console)
            hint_at(console, recorder)
    if failures:
        more = f", and {len(failures) - 1} times after it" if len(failures) > 1 else ""
        fail(f"the demo's own code failed at {failures[0].at}{more}; the call went on without, and the log says how")


class _DemoTally:
    """Passes everything on to a view, and counts what was decided."""

    def __init__(self, view: View | JsonLines, llm_seconds: float) -> None:
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
                self._counts["drafts cancelled"] += reply in self._drafted
            case BargeIn():
                self._counts["barge-ins"] += 1
            case TurnDropped(reason=DropReason.OVERLAP_KEPT):
                self._counts["backchannels, talked over"] += 1
        self._view.show(signal, seconds)

    def report(self, console: Console) -> None:
        """Print the counts."""
        counted = ("turns answered", "drafts kept", "drafts cancelled", "barge-ins", "backchannels, talked over")
        rows = [(what, Text(str(self._counts[what]), "bold")) for what in counted]
        if self._leads:
            leads = ", ".join(f"{lead * 1000:.0f}" for lead in self._leads)
            # What is known before the turn is final need not be waited for after it.
            saved = ", ".join(f"{min(lead, self._llm_seconds) * 1000:.0f}" for lead in self._leads)
            rows.append(("head start of each kept draft", Text.assemble((leads, "bold"), " ms")))
            rows.append(("so each was heard sooner by", Text.assemble((saved, "bold"), " ms")))
        console.print()
        tell_table(console, (Column(), Column(flows=True)), rows, indent=2)
