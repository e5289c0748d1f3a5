"""`turnkit soak`: many sessions at once, for a time, with faults; and what became of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from signal import SIGINT
from typing import Annotated

import anyio
import msgspec
import typer
from anyio.abc import TaskStatus
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.text import Text

from ..logs import log_to_stderr
from ..tools.soak import Plan, Report, soak
from ..tools.soak.gauges import Slice
from ..tools.soak.plan import allow_descriptors
from ..tools.soak.report import HEADINGS, Verdict, cells, fault_rows, lost_rows, markdown, rows
from ..tools.soak.run import Soak
from .commands import app
from .layout import Column, flowing, on_terminal, room, table_lines, tell, tell_table
from .output import JsonFlag, check_place, guard, run_async, say_json, write_file
from .saying import say
from .screen import Screen

_SHOWN = 10  # slices in a live view
_HANG = 14  # columns before the second line of a finding


class Carrier(StrEnum):
    """The library that carries the frames."""

    WEBSOCKETS = "websockets"
    PICOWS = "picows"


class Backend(StrEnum):
    """The event loop that the sessions run on."""

    ASYNCIO = "asyncio"
    UVLOOP = "uvloop"
    TRIO = "trio"


@app.command("soak")
def soak_command(
    context: typer.Context,
    sessions: Annotated[int, typer.Option(min=1, metavar="N", help="How many calls at a time.")] = 10,
    seconds: Annotated[
        float,
        typer.Option(min=1, metavar="SECONDS", help="How long the calls go on; then the last answers are waited for."),
    ] = 60,
    faults: Annotated[
        float, typer.Option(min=0, max=1, metavar="SHARE", help="The chance of a fault at each message.")
    ] = 0.0,
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="FAULT", help="A fault besides, as in turnkit simulate. May be repeated."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="The same number makes the same words and faults again.")] = 0,
    audio: Annotated[
        bool, typer.Option("--audio/--no-audio", help="Send audio in real time, or keep the connections idle.")
    ] = True,
    processes: Annotated[
        int,
        typer.Option(min=0, metavar="N", help="How many processes run the simulator; 0: it runs in the sessions' own."),
    ] = 1,
    call: Annotated[
        float | None, typer.Option(min=1, metavar="SECONDS", help="Seconds a call lasts; then another begins.")
    ] = None,
    slices: Annotated[
        int, typer.Option(min=1, metavar="N", help="Into how many stretches of time the report is divided.")
    ] = 10,
    growth: Annotated[
        float,
        typer.Option(
            min=0.001, metavar="SHARE", help="Growth of memory an hour that still counts as none, as a share."
        ),
    ] = 0.02,
    backend: Annotated[Backend, typer.Option(help="The event loop.")] = Backend.ASYNCIO,
    transport: Annotated[
        Carrier | None,
        typer.Option(help="What carries the frames; picows on asyncio only.", show_default="the fastest"),
    ] = None,
    tuned: Annotated[
        bool, typer.Option("--tuned", help="Set Python's garbage collector as docs/many-calls.md says.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the report here: JSON if the name ends in .json, else text."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Hold many calls at once against a simulated Flux that goes wrong, and account for every word.

    Real clients on real sockets with audio in real time, a bot each, one call after the other. Every word said must
    end up answered, unless Flux itself never said it; memory, tasks and files must not grow, which only a soak of many
    minutes can tell: a shorter one says “not judged”. If something is broken, the exit code is 1. Ctrl-C ends it early,
    with the report of what was seen; again, at once.
    """
    if report is not None:
        check_place(report, "--report")
    assert context.parent is not None
    if context.parent.params.get("log_level") == "warning":
        log_to_stderr("error")  # lost connections are what this is about: they are counted, not told one by one
    plan = guard(
        lambda: Plan(
            sessions=sessions,
            seconds=seconds,
            faults=faults,
            named=tuple(fault or ()),
            seed=seed,
            audio=audio,
            processes=processes,
            call_seconds=call,
            slices=slices,
            growth=growth,
            tuned=tuned,
            transport=None if transport is None else transport.value,
        )
    )
    console = Screen()
    limit = guard(lambda: allow_descriptors(plan.descriptors))
    done: list[Report] = []
    shown = _SoakJson() if as_json else _SoakView(console, plan) if on_terminal(console) else _SoakLines(console)

    async def hold() -> None:
        stop = anyio.Event()
        async with anyio.create_task_group() as tasks:
            await tasks.start(_heed_interrupts, stop)
            if not as_json:
                _announce(console, plan, limit)  # which promises what Ctrl-C does
            with shown.open():
                done.append(await soak(plan, stop=stop, on_slice=shown.on_slice, on_progress=shown.on_progress))
            tasks.cancel_scope.cancel()

    run_async(hold, backend.value)
    _tell(console, done[0], as_json)
    if report is not None:
        _write(report, done[0])
    if done[0].broken:
        raise typer.Exit(1)


async def _heed_interrupts(stop: anyio.Event, *, task_status: TaskStatus[None]) -> None:
    """The first Ctrl-C ends the calls, the second everything."""
    with anyio.open_signal_receiver(SIGINT) as signals:
        task_status.started()
        async for _ in signals:
            if stop.is_set():
                raise KeyboardInterrupt
            stop.set()


def _announce(console: Console, plan: Plan, limit: int) -> None:
    faults = ", ".join(plan.fault_texts) or "none"
    console.print(
        f"{plan.sessions} sessions for {plan.seconds:g} s, calls of {plan.length:.0f} s, faults: {escape(faults)}; "
        f"up to {plan.descriptors} open files of {limit} allowed (Ctrl-C ends it early)",
        highlight=False,
        soft_wrap=True,
    )


# While it goes on ---------------------------------------------------------------------------------------------------


class _SoakJson:
    """Prints a line of JSON a slice, for programs."""

    @contextmanager
    def open(self) -> Iterator[None]:
        yield

    def on_slice(self, part: Slice) -> None:
        say_json({"slice": part})

    def on_progress(self, _soak: Soak) -> None:
        pass


_SLICES = tuple(Column(heading, right=True) for heading in HEADINGS)


class _SoakLines(_SoakJson):
    """Prints a line of text a slice, where there is no terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun = False

    def on_slice(self, part: Slice) -> None:
        # Each as it comes: how wide the later ones will be is not known yet.
        if not self._begun:
            self._begun = True
            say("  ".join(f"{heading:>10}" for heading in HEADINGS))
        say("  ".join(f"{cell:>10}" for cell in cells(part)))


class _SoakView(_SoakJson):
    """Shows the latest slices as a table, and the state of things below it."""

    def __init__(self, console: Console, plan: Plan) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._console = console
        self._plan = plan

    @contextmanager
    def open(self) -> Iterator[None]:
        with self._live:
            yield

    def on_slice(self, part: Slice) -> None:
        pass

    def on_progress(self, soak: Soak) -> None:
        state = flowing(_state(soak), room(self._console))
        for shown in range(_SHOWN, -1, -1):  # as many as the screen has lines for
            parts = [cells(part) for part in soak.slices[-shown:]] if shown else []
            lines = [*table_lines(_SLICES, parts, room(self._console)), Text(), *state]
            if len(lines) < self._console.height:
                break
        self._live.update(Text("\n").join(lines), refresh=True)


def _state(soak: Soak) -> Text:
    tally, plan = soak.tally, soak.plan
    phase = "the last answers are waited for" if soak.stopping() else f"{soak.at:.0f} of {plan.seconds:g} s"
    lost = Text(f"{tally.turns_lost} turns lost", style="bold red" if tally.turns_lost else "bold green")
    said = f"{soak.live} calls, {tally.turns:,} turns, {tally.words:,} words accounted for, "
    faults = f", {tally.faults.total():,} faults, {tally.reconnects:,} connections made again"
    return Text.assemble((f"{phase}  ", "bold"), said, lost, faults)


# Afterwards ---------------------------------------------------------------------------------------------------------


def _tell(console: Console, report: Report, as_json: bool) -> None:
    if as_json:
        say_json({"report": report, "holds": report.holds})
        return
    if on_terminal(console):
        tell_table(console, _SLICES, map(cells, report.slices))
    console.print()
    results = ((Text(name, "dim"), value) for name, value in rows(report))
    tell_table(console, (Column(), Column(flows=True)), results, indent=2)
    if report.faults:
        console.print()
        columns = (Column("fault"), Column("struck", right=True), Column("survived", right=True))
        tell_table(console, columns, fault_rows(report), indent=2)
    console.print()
    for line in lost_rows(report):
        tell(console, f"  [red]lost[/red]        {escape(line)}", _HANG)
    for finding in report.verdict:
        style = {Verdict.HOLDS: "green", Verdict.BROKEN: "bold red", Verdict.NOT_JUDGED: "yellow"}[finding.verdict]
        stem = f"  [{style}]{finding.verdict}[/]{' ' * (12 - len(finding.verdict))}"
        tell(console, f"{stem}{escape(finding.what)}: {escape(finding.said)}", _HANG)


def _write(path: Path, report: Report) -> None:
    data = msgspec.json.encode(report) if path.suffix == ".json" else markdown(report).encode()
    write_file(path, data, "--report")
