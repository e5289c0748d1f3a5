"""`turnkit simulate`: Flux, on this machine."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import anyio
import typer
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from ..simulator import FAULTS, MOMENTS, Ear, InjectedFault, Recording, Script, Simulator, parse_fault, serve
from ..simulator.ear import EARS, make_ear
from ..simulator.faults import FaultKind
from .called_as import called_as
from .commands import app
from .layout import Column, tell, tell_table
from .output import JsonFlag, fail, guard, run_async, say_json
from .screen import Screen

_HANG = 9  # columns before the second line of what is told of a connection


@app.command()
def simulate(
    recording: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Play this JSON-lines recording of Flux's frames, in step with the audio."),
    ] = None,
    script: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Hear this script of words with times, and detect turns in it.")
    ] = None,
    ear: Annotated[
        str | None,
        typer.Option(
            metavar="EAR", help=f"Hear the audio itself, with this ear: {', '.join(EARS)}. Needs turnkit\\[ear]."
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="The port to listen at; 0 takes a free one.")
    ] = 8765,
    host: Annotated[
        str, typer.Option(metavar="HOST", help="Where to listen; this machine only, unless you say so.")
    ] = "127.0.0.1",
    api_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Accept only this key; otherwise any, or none.")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(metavar="TOKEN", help="Accept only this temporary token, and the key if there is one."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="A number for what is left to chance, in scripts and faults: the same one makes the same call again.",
        ),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FAULT",
            help="What goes wrong: NAME, and after it, if wanted, :VALUE, @MOMENT and /CONNECTION; or random:RATE. "
            "May be repeated. --list-faults shows them all.",
        ),
    ] = None,
    continues: Annotated[
        bool, typer.Option("--continues", help="A call that connects again hears the script from where it was.")
    ] = False,
    configurable: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD",
            help="Accept this field in a Configure message, which Flux's documents leave open: profanity_filter.",
        ),
    ] = None,
    list_faults: Annotated[bool, typer.Option("--list-faults", help="Show every fault and moment, and leave.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Be Flux on this machine: a /v2/listen that a client cannot tell from the real one.

    Without --recording, --script or --ear it hears the conversation of the demo. A script has a line for each
    utterance, its start second (or +seconds after the last one) and its words, with pauses in parentheses:

        1.0   I'd like a table (0.7) for two, please.

    With --ear it hears what is said into it: --ear voice finds out when somebody speaks, and tells each syllable or
    so as "bla"; --ear quick does so sooner than Flux, and tells "mm-hm" from speech; --ear sphinx understands some
    English.

    Flux goes wrong where you say so, each connection anew. --fault stall falls silent in the first turn,
    --fault drop@12.5s cuts TCP then, --fault close:1011@eager1/1 closes a call's first connection after its first
    eager end, and --fault random:0.02 --seed 7 leaves it to chance at each message.
    """
    if list_faults:
        _show_faults(as_json)
        return
    if sum(given is not None for given in (recording, script, ear)) > 1:
        fail("--recording, --script and --ear: give one of them")
    play: Recording | Script | Ear
    if ear is not None:
        name = ear
        play = guard(lambda: make_ear(name), {"ear": "--ear"})
    elif recording is not None:
        path = recording
        play = guard(lambda: Recording.read(path))
    elif script is not None:
        path = script
        play = guard(lambda: Script.read(path))
    else:
        from ..tools.demo import CALLER, SEED

        play = Script.parse(CALLER, seed=SEED)

    faults = [guard(partial(parse_fault, text)) for text in fault or ()]

    async def listen() -> None:
        async with serve(
            play,
            host=host,
            port=port,
            api_key=api_key,
            token=token,
            seed=seed,
            faults=faults,
            continues=continues,
            configurable=configurable or (),
        ) as flux:
            _announce(flux, as_json)
            await _report_connections(flux, as_json)

    run_async(listen)


def _announce(flux: Simulator, as_json: bool) -> None:
    if as_json:
        say_json({"listening": flux.url})
        return
    console = Screen()
    tell(console, f"A simulated Flux listens at [bold]{escape(flux.url)}[/bold] (Ctrl-C ends it)")
    tell(console, f"Try, in another terminal:  {escape(called_as())} run AUDIO.wav --url {escape(flux.url)}", 2)


async def _report_connections(flux: Simulator, as_json: bool) -> None:
    """Say what connects and how it went, for as long as the simulator runs."""
    seen = [0, 0, 0]  # connections said to be open, refusals, faults
    warned: dict[int, int] = {}
    closed: set[int] = set()  # by place: connections that play one recording share its request id
    console = Screen()
    while True:
        for connection in flux.connections[seen[0] :]:
            if as_json:
                say_json({"connection": connection.request_id, "state": "opened"})
            else:
                tell(console, f"opened   {escape(connection.request_id)}")
        seen[0] = len(flux.connections)
        for refusal in flux.refusals[seen[1] :]:
            if as_json:
                say_json({"refused": refusal.status, "code": refusal.code})
            else:
                tell(console, f"[red]refused[/red]  {refusal.status} {escape(refusal.code)}")
        seen[1] = len(flux.refusals)
        for injected in flux.faults_injected[seen[2] :]:
            _report_fault(console, injected, as_json)
        seen[2] = len(flux.faults_injected)
        for place, connection in enumerate(flux.connections):
            for warning in connection.warnings[warned.get(place, 0) :]:
                _report_warning(console, connection.request_id, warning, as_json)
            warned[place] = len(connection.warnings)
            if connection.open or place in closed:
                continue
            closed.add(place)
            heard, sent = round(connection.audio_seconds, 2), connection.messages
            if as_json:
                say_json(
                    {"connection": connection.request_id, "state": "closed", "audio_seconds": heard, "messages": sent}
                )
            else:
                said = f"{escape(connection.request_id)}  {heard:.2f} s of audio in, {sent} messages out"
                tell(console, f"closed   {said}", _HANG)
        await anyio.sleep(0.2)


def _report_warning(console: Console, request_id: str, warning: str, as_json: bool) -> None:
    if as_json:
        say_json({"connection": request_id, "warning": warning})
        return
    tell(console, f"[yellow]warning[/yellow]  {request_id}  {escape(warning)}")


def _report_fault(console: Console, injected: InjectedFault, as_json: bool) -> None:
    if as_json:
        fields: dict[str, object] = {"fault": str(injected.fault), "audio_seconds": injected.audio_seconds}
        say_json({**fields, "after": injected.after, "connection": injected.request_id, "number": injected.connection})
        return
    where = (
        f"at {injected.audio_seconds:.2f} s of audio, after {injected.after} messages"
        if injected.request_id
        else "at connect"
    )
    whom = injected.request_id or f"attempt {injected.connection}"
    tell(console, f"[yellow]fault[/yellow]    {escape(whom)}  {escape(str(injected.fault))}  {where}", _HANG)


def _show_faults(as_json: bool) -> None:
    """The table of faults, and the vocabulary of moments."""
    if as_json:
        for name, kind in FAULTS.items():
            fields = {"fault": name, "summary": kind.summary, "value": kind.value, "rule": kind.rule}
            say_json({**fields, "moment": kind.moment})
        return
    console = Screen()
    columns = (Column("fault"), Column("usual moment"), Column("what is seen on the wire", flows=True))
    tell_table(console, columns, map(_fault_row, FAULTS.items()))
    console.print()
    tell_table(console, (Column("moment"), Column("when", flows=True)), MOMENTS.items())


def _fault_row(fault: tuple[str, FaultKind]) -> tuple[str, str, Text]:
    name, kind = fault
    value = "" if kind.value is None else f":{kind.value:g}" if isinstance(kind.value, float) else f":{kind.value}"
    rule = f" :VALUE is {kind.rule}." if kind.rule else ""
    return f"{name}{value}", kind.moment, Text.assemble(kind.summary, (rule, "dim"))
