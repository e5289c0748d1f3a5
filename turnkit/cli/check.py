"""`turnkit check`: the whole state space of the turn machine, explored before your eyes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Annotated, Any

import msgspec
import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ..tools.proof import INVARIANTS, Configuration, Explorer, ProgressCallback, Result, configurations
from ..tools.proof import ExplorationProgress as Step
from ..turns.machine import TurnMachine
from .commands import app
from .layout import Column, on_terminal, tell, tell_table
from .output import JsonFlag, fail, say_json
from .saying import say
from .screen import Screen

_POLL = 0.2  # seconds between two looks at what the workers have found
_Done = Callable[[Configuration, Result, float], None]


@app.command()
def check(
    quick: Annotated[
        bool, typer.Option("--quick", help="Take two seconds: only the states near the beginning.")
    ] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Take minutes: more texts, longer timeouts, finer states.")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", metavar="WORDS", help="Only configurations with these words in their name. May be repeated."
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Explore the state space of the turn machine and judge nine invariants at every step.

    Exit code 1 if one of them is broken: then the shortest way to it is printed, as Python to paste into a test.
    """
    if quick and deep:
        raise typer.BadParameter("give one of --quick and --deep", param_hint="--deep")
    every = configurations("quick" if quick else "deep" if deep else "default")
    chosen = _chosen(every, only or [])
    begun = time.monotonic()
    results: list[tuple[Configuration, Result, float]] = []
    with _shown_progress(len(chosen), as_json) as (report, done):

        def finished(configuration: Configuration, result: Result, seconds: float) -> None:
            results.append((configuration, result, seconds))
            done(configuration, result, seconds)

        try:
            _explore(chosen, report, finished, side_by_side=not quick)
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        except BrokenProcessPool:
            fail("a process that explored was ended from outside, perhaps for want of memory; nothing was decided")
    results.sort(key=lambda entry: chosen.index(entry[0]))
    total = sum((result for _, result, _ in results), Result())
    if as_json:
        say_json({"configurations": len(results), **_fields(total, time.monotonic() - begun)})
    else:
        part = "" if len(chosen) == len(every) else f", in {len(chosen)} of {len(every)} configurations"
        _show(results, total, time.monotonic() - begun, part)
    if total.violation is not None:
        raise typer.Exit(1)


def _chosen(every: tuple[Configuration, ...], only: Sequence[str]) -> tuple[Configuration, ...]:
    """The configurations of a level, or those of them that are asked for."""
    for words in only:
        if not any(words in one.name for one in every):
            names = "; ".join(one.name for one in every)
            raise typer.BadParameter(f"no configuration has {words!r} in its name: {names}", param_hint="--only")
    return tuple(one for one in every if not only or any(words in one.name for words in only))


def _explore(chosen: Sequence[Configuration], report: ProgressCallback, finished: _Done, *, side_by_side: bool) -> None:
    """Each configuration, until one has a violation."""
    workers = min(len(chosen), os.cpu_count() or 1)
    if side_by_side and workers > 1:
        _explore_side_by_side(chosen, workers, report, finished)
        return
    for configuration in chosen:
        begun = time.monotonic()
        result = Explorer(configuration, TurnMachine, report).run()
        finished(configuration, result, time.monotonic() - begun)
        if result.violation is not None:
            return


# In a worker process: where its progress is sent.
_steps: Any = None


def _begin_work(steps: Any) -> None:
    global _steps
    _steps = steps
    # Ctrl-C in a terminal reaches the workers too; they have nothing to say about it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _work(configuration: Configuration) -> tuple[Result, float]:
    begun = time.monotonic()
    result = Explorer(configuration, TurnMachine, lambda step: _steps.put(step)).run()
    return result, time.monotonic() - begun


def _explore_side_by_side(
    chosen: Sequence[Configuration], workers: int, report: ProgressCallback, finished: _Done
) -> None:
    """A process a core. Spawned, not forked: whoever calls this may have threads."""
    context = multiprocessing.get_context("spawn")
    steps = context.SimpleQueue()
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(workers, context, _begin_work, (steps,))
    try:
        waiting: dict[Future[tuple[Result, float]], Configuration] = {pool.submit(_work, one): one for one in chosen}
        while waiting:
            done, _ = wait(waiting, _POLL, FIRST_COMPLETED)
            while not steps.empty():
                report(steps.get())
            for future in done:
                result, seconds = future.result()
                finished(waiting.pop(future), result, seconds)
                if result.violation is not None:
                    return
    finally:
        pool.shutdown(wait=not waiting, cancel_futures=True)
        if waiting:
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()


@contextmanager
def _shown_progress(count: int, as_json: bool) -> Iterator[tuple[ProgressCallback, _Done]]:
    """Show progress: a bar where there is a terminal, else a line a configuration."""
    console = Screen(stderr=True)
    if as_json:
        yield (lambda step: None), _say_fields
    elif not on_terminal(console):
        yield (lambda step: None), _say_line
    else:
        columns = (BarColumn(24), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            task, steps = bar.add_task("", total=count), dict[str, Step]()

            def report(step: Step) -> None:
                steps[step.configuration] = step
                states, transitions = (sum(getattr(one, name) for one in steps.values()) for name in _COUNTED)
                # More states are found meanwhile, so this is how far it is at the least.
                explored = sum(one.expanded / max(one.states, 1) for one in steps.values())
                bar.update(task, completed=explored, description=f"{states:,} states, {transitions:,} transitions")

            def done(configuration: Configuration, result: Result, seconds: float) -> None:
                report(Step(configuration.name, result.states, result.states, result.transitions))

            yield report, done


_COUNTED = ("states", "transitions")


def _say_line(configuration: Configuration, result: Result, seconds: float) -> None:
    found = "" if result.violation is None else ", and a violation"
    say(f"{configuration.name}: {result.states:,} states, {result.transitions:,} transitions{found}")


def _say_fields(configuration: Configuration, result: Result, seconds: float) -> None:
    say_json({"configuration": configuration.name, **_fields(result, seconds)})


def _fields(result: Result, seconds: float) -> dict[str, object]:
    fields: dict[str, object] = msgspec.to_builtins(result, str_keys=True)
    del fields["configurations"]
    return {**fields, "seconds": round(seconds, 2)}


def _show(results: Sequence[tuple[Configuration, Result, float]], total: Result, seconds: float, part: str) -> None:
    console = Screen()
    columns = (Column("configuration"), *(Column(name, right=True) for name in ("states", "transitions", "seconds")))
    rows = [_row(one.name, result, lasted) for one, result, lasted in results]
    tell_table(console, columns, [*rows, _row("together", total, seconds)], styles={len(rows): "bold"})
    console.print()
    if total.violation is not None:
        found = total.violation
        steps = f"{found.steps} step{'' if found.steps == 1 else 's'}"
        tell(console, f"[bold red]Invariant {found.invariant} is broken[/bold red] by {steps}:\n")
        say(found.code)
        return
    judged = ((str(one), f"{total.checks.get(one, 0):,}", sentence) for one, sentence in INVARIANTS.items())
    tell_table(console, (Column("", right=True), Column("judged", right=True), Column("invariant", flows=True)), judged)
    console.print()
    if total.complete:
        visited = "every state that can be reached within these bounds was visited"
        tell(console, f"[green]No violation[/green]: {visited}{part}.")
    else:
        tell(console, f"[green]No violation[/green] in the states near the beginning{part}; the rest was not visited.")


def _row(name: str, result: Result, seconds: float) -> tuple[str, ...]:
    bounded = "" if result.complete or result.violation else " (not all)"
    return name, f"{result.states:,}{bounded}", f"{result.transitions:,}", f"{seconds:.1f}"
