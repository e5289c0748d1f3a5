"""Report of a soak: for people, for programs, and as a verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from ...flux.transports import Transport, chosen_transport
from .collector import Collections
from .gauges import Gauges, Growth, Slice, loop_name, quantile
from .ledger import WITHHOLDING, Lost
from .plan import Plan
from .tally import Tally

JUDGED_SECONDS = 300.0
"""Seconds below which growth says nothing: an allocator takes minutes to settle."""
_STEADY = ("memory", "objects")
_UNSTEADY_GROWTH = 0.1  # what may be of what depends on how many replies run, and how slow the machine is just then
_BUSY = 0.9  # of a processor: a simulator at this cannot keep up, and its sessions wait for it


class Verdict(StrEnum):
    """What became of a finding, in a word."""

    HOLDS = "holds"
    BROKEN = "broken"
    NOT_JUDGED = "not judged"  # it would take a longer soak


class Finding(msgspec.Struct, frozen=True):
    """A line of the verdict.

    Attributes:
        what: What is asked for.
        holds: Whether it holds; None if it could not be judged.
        said: What was seen.
    """

    what: str
    holds: bool | None
    said: str

    @property
    def verdict(self) -> Verdict:
        """The word for it."""
        if self.holds is None:
            return Verdict.NOT_JUDGED
        return Verdict.HOLDS if self.holds else Verdict.BROKEN


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a soak came to.

    Attributes:
        plan: What it was to do.
        backend: `asyncio`, `uvloop` or `trio`.
        transport: Library that carried the connections: `websockets` or `picows`.
        seconds: Seconds until the last call had ended.
        early: Whether it was stopped early.
        slices: What it cost, part by part.
        growth: How memory, objects, tasks and descriptors grew after the warm-up.
        lag: Percentiles of the lag of the event loop, in seconds.
        behind: Seconds by which audio left later than it was said, at most.
        collections: What Python's collector did, unasked.
        counts: All counts, by name.
        failed: Number of calls that failed for good, by the name of the error.
        crashed: Number of calls that raised what is no turnkit error, by its name and place.
        not_connected: Number of attempts to begin a call that failed, by the name of the error.
        faults: Number of faults that struck, by name.
        survived: Number of those that their call survived.
        withheld: Number of words that Flux did not say, by the reason.
        replies: Number of replies, by how they ended.
        notes: Number of Notes, by kind.
        lost: The first of the lost words.
        verdict: What holds and what does not.
    """

    plan: Plan
    backend: str
    transport: Transport
    seconds: float
    early: bool
    slices: tuple[Slice, ...]
    growth: tuple[Growth, ...]
    lag: dict[str, float]
    behind: float
    collections: Collections
    counts: dict[str, float]
    failed: dict[str, int]
    crashed: dict[str, int]
    not_connected: dict[str, int]
    faults: dict[str, int]
    survived: dict[str, int]
    withheld: dict[str, int]
    replies: dict[str, int]
    notes: dict[str, int]
    lost: tuple[Lost, ...]
    verdict: tuple[Finding, ...]

    @property
    def broken(self) -> bool:
        """Whether a turn was lost, a call crashed or hung, or something grew."""
        return any(finding.verdict is Verdict.BROKEN for finding in self.verdict)

    @property
    def holds(self) -> bool | None:
        """Whether no turn was lost, nothing crashed and nothing grew; None if nothing is broken, but not all judged."""
        if self.broken:
            return False
        return None if any(finding.holds is None for finding in self.verdict) else True


def make_report(
    plan: Plan, tally: Tally, gauges: Gauges, slices: Sequence[Slice], *, seconds: float, early: bool
) -> Report:
    """Make the report of a soak that took so many `seconds`, and was stopped `early` or not."""
    last = slices[-1].end if slices else 0.0
    growth = gauges.growth(plan.warm, last + 1.0)  # what is held is looked at after the slice
    lags = sorted(gauges.all_lags)
    names = (
        *("begun", "finished", "cut", "connections", "losses", "reconnects", "messages", "missed_messages", "turns"),
        *("turns_lost", "turns_open", "turns_wrong", "utterances", "utterances_lost", "words", "words_lost"),
        *("taken_back", "twice", "dropped", "replayed", "silence"),
    )
    return Report(
        plan=plan,
        backend=loop_name(),
        transport=chosen_transport(plan.transport),
        seconds=seconds,
        early=early,
        slices=tuple(slices),
        growth=growth,
        lag={"p50": quantile(lags, 0.5), "p99": quantile(lags, 0.99), "max": quantile(lags, 1.0)},
        behind=max((part.behind for part in slices if part.end > plan.ramp), default=0.0),
        collections=gauges.collector.seen,
        counts={name: getattr(tally, name) for name in names},
        failed=dict(tally.failed),
        crashed=dict(tally.crashed),
        not_connected=dict(tally.not_connected),
        faults=dict(tally.faults.most_common()),
        survived={name: count - tally.fatal[name] for name, count in tally.faults.most_common()},
        withheld=dict(tally.withheld.most_common()),
        replies=dict(tally.replies),
        notes={str(kind): count for kind, count in tally.notes.most_common()},
        lost=tuple(tally.lost),
        verdict=tuple(_findings(plan, tally, growth)),
    )


def _findings(plan: Plan, tally: Tally, growth: Iterable[Growth]) -> Iterable[Finding]:
    lost = f"{tally.utterances_lost:,} of {tally.utterances:,} utterances lost {tally.words_lost:,} words"
    wrong = f"; {tally.turns_open} turns without an end, {tally.turns_wrong} ended wrongly"
    yield Finding(
        "no turn is lost", not tally.turns_lost, lost + (wrong if tally.turns_open + tally.turns_wrong else "")
    )
    crashed = ", ".join(f"{count} × {name}" for name, count in tally.crashed.most_common(3))
    said = f"{tally.crashed.total()} crashed, {tally.cut} hung, of {tally.begun:,}" + (
        f": {crashed}" if crashed else ""
    )
    yield Finding("every call ends", not tally.crashed and not tally.cut, said)
    for grown in growth:
        yield growth_finding(grown, plan)


def growth_finding(grown: Growth, plan: Plan) -> Finding:
    """Judge a growth: it is one if it surely exceeds the plan's bound, and none if it surely does not."""
    what = f"{grown.what} do{'' if grown.what.endswith('s') else 'es'} not grow"
    measured = f"{grown.per_hour:+.1%} an hour, ± {2 * grown.spread:.1%}"
    if grown.seconds < JUDGED_SECONDS:
        least = grown.begin + JUDGED_SECONDS + 2 * plan.seconds / plan.slices
        return Finding(what, None, f"that takes more than {least:,.0f} s" + (f" ({measured})" if grown.seconds else ""))
    bound = plan.growth if grown.what in _STEADY else max(plan.growth, _UNSTEADY_GROWTH)
    said = f"{measured}; may be {bound:+.0%}"
    if grown.surely <= bound < grown.at_most:
        return Finding(what, None, f"{said}: not known to grow, but only a longer soak can tell")
    return Finding(what, grown.surely <= bound, said)


# For people ---------------------------------------------------------------------------------------------------------

COLUMNS: tuple[tuple[str, Callable[[Slice], str]], ...] = (
    ("seconds", lambda part: f"{part.begin:.0f}–{part.end:.0f}"),
    ("calls", lambda part: f"{part.live:.0f}"),
    ("MB", lambda part: f"{part.resident / 1e6:.1f}"),
    ("tasks", lambda part: f"{part.tasks:.0f}"),
    ("files", lambda part: f"{part.descriptors:.0f}"),
    ("cpu", lambda part: f"{part.cpu / _length(part):.0%}"),
    ("cpu/call", lambda part: f"{part.cpu_share:.2%}"),
    ("flux", lambda part: f"{part.flux_cpu / _length(part):.0%}"),
    ("lag p50", lambda part: f"{part.lag_p50 * 1000:.1f}"),
    ("p99", lambda part: f"{part.lag_p99 * 1000:.1f}"),
    ("max ms", lambda part: f"{part.lag_max * 1000:.0f}"),
    ("late s", lambda part: f"{part.behind:.2f}"),
    ("messages/s", lambda part: f"{part.messages / _length(part):,.0f}"),
    ("turns", lambda part: f"{part.turns:,}"),
    ("faults", lambda part: f"{part.faults:,}"),
    ("again", lambda part: f"{part.reconnects:,}"),
)
"""The table of slices: the heading of each column, and the text of its cell."""
HEADINGS = tuple(heading for heading, _ in COLUMNS)


def cells(part: Slice) -> tuple[str, ...]:
    """A slice as a row under `HEADINGS`."""
    return tuple(cell(part) for _, cell in COLUMNS)


def _length(part: Slice) -> float:
    return max(1e-9, part.end - part.begin)


def rows(report: Report) -> Iterable[tuple[str, str]]:
    """The results as names and values."""
    counts: dict[str, Any] = report.counts
    ended = [f"{counts['finished']:,} finished", *_each(report.failed, "failed: "), *_each(report.crashed, "crashed: ")]
    yield "calls", ", ".join(ended + ([f"{counts['cut']} hung"] if counts["cut"] else []))
    if report.not_connected:
        yield "dialled in vain", ", ".join(_each(report.not_connected))
    yield "turns", f"{counts['turns']:,} begun, {counts['turns_lost']:,} lost"
    withheld = sum(report.withheld.values())
    yield (
        "words",
        f"{counts['words']:,} said, {counts['words_lost']:,} lost, {withheld:,} withheld by Flux, "
        + (f"{counts['taken_back']:,} taken back by Flux, {counts['twice']:,} answered twice"),
    )
    for why, count in report.withheld.items():
        yield f"  {count:,} withheld", f"{why}: {WITHHOLDING.get(why, 'the client says that it dropped it')}"
    yield "connections", f"{counts['connections']:,}, {counts['losses']:,} lost, {counts['reconnects']:,} made again"
    yield (
        "audio",
        f"{counts['replayed']:,.1f} s sent again, {counts['dropped']:,.1f} s dropped, "
        + (f"{counts['silence']:,.1f} s of silence made up"),
    )
    yield "messages", f"{counts['messages']:,}, {counts['missed_messages']:,} of Flux's numbers missing"
    yield "replies", ", ".join(_each(report.replies))
    if report.notes:
        yield "notes", ", ".join(_each(report.notes))
    yield "event loop", "late by " + ", ".join(f"{name} {late * 1000:.1f} ms" for name, late in report.lag.items())
    yield "audio late", f"by at most {report.behind:.2f} s, once all had dialled"
    seen = report.collections
    yield (
        "collector",
        f"{seen.number:,} times, {seen.full:,} of them through everything, at most {seen.longest * 1000:.1f} ms",
    )
    busy = [
        part
        for part in report.slices
        if part.flux_cpu > _BUSY * (part.end - part.begin) * max(1, report.plan.processes)
    ]
    if busy:
        yield "the simulator", f"could not keep up in {len(busy)} slices: what waits there, waits for it"


def fault_rows(report: Report) -> Iterable[tuple[str, str, str]]:
    """Each fault: its name, how often it struck, and how often the call survived it."""
    for name, count in report.faults.items():
        yield name, f"{count:,}", f"{report.survived[name]:,}"


def lost_rows(report: Report) -> Iterable[str]:
    """Each lost word, in a line."""
    for lost in report.lost:
        heard = "which Flux had said" if lost.heard else "which Flux never said"
        faults = f"near {', '.join(lost.faults)}" if lost.faults else "with no fault near"
        yield f"call {lost.call}, second {lost.second:.1f}: “{lost.word}”, {heard}, {faults}"


def markdown(report: Report) -> str:
    """The whole report, for a file that people read."""
    plan = report.plan
    lines = [
        f"`turnkit soak --sessions {plan.sessions} --seconds {plan.seconds:g} --faults {plan.faults:g} "
        f"--seed {plan.seed}`, {report.backend}, {report.transport}, {report.seconds:.0f} s"
        + (", stopped early" if report.early else ""),
        "",
        f"| {' | '.join(HEADINGS)} |",
        f"|{' ---: |' * len(HEADINGS)}",
        *(f"| {' | '.join(cells(part))} |" for part in report.slices),
        "",
        "| what | came to |",
        "| --- | --- |",
        *(f"| {name.strip()} | {value} |" for name, value in rows(report)),
        "",
    ]
    if report.faults:
        lines += ["| fault | struck | survived |", "| --- | ---: | ---: |"]
        lines += [*(f"| {' | '.join(row)} |" for row in fault_rows(report)), ""]
    words = {verdict: str(verdict) for verdict in Verdict} | {Verdict.BROKEN: "**broken**"}
    lines += [f"- {words[each.verdict]}: {each.what} ({each.said})" for each in report.verdict]
    lines += [f"- lost: {line}" for line in lost_rows(report)]
    return "\n".join(lines) + "\n"


def _each(counts: Mapping[str, int], before: str = "") -> list[str]:
    return [f"{before}{count:,} {name}" for name, count in counts.items()]
