"""What a soak came to: for people, for programs, and as a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from ...timers import on_trio
from .gauges import Growth, Slice, quantile
from .ledger import WITHHOLDING, Lost
from .plan import Plan

if TYPE_CHECKING:
    from .run import Soak

JUDGED_SECONDS = 300.0
"""Growth that was watched for less than this says nothing: an allocator takes minutes to settle."""
_BUSY = 0.9  # of a processor: a simulator at this cannot keep up, and its sessions wait for it


class Finding(msgspec.Struct, frozen=True):
    """A line of the verdict: `what` was asked, whether it `holds`, and what is `said` about it."""

    what: str
    holds: bool
    said: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a soak came to.

    Fields: the `plan`; `backend`; `seconds` until the last call had ended; `early`, it was stopped; `slices`; `growth`
    after the warm-up; `lag`, percentiles of the event loop's in seconds; `counts` of everything, by name; `faults`
    that struck and, of these, those `survived` by their call; `withheld` words by why Flux did not say them; `lost`
    words, the first of them; the `verdict`.
    """

    plan: Plan
    backend: str
    seconds: float
    early: bool
    slices: tuple[Slice, ...]
    growth: tuple[Growth, ...]
    lag: dict[str, float]
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
    def holds(self) -> bool:
        """Whether no turn was lost, nothing crashed and nothing grew."""
        return all(finding.holds for finding in self.verdict)


def make_report(soak: Soak, seconds: float, *, early: bool) -> Report:
    """The report of a soak that is over."""
    tally, plan = soak.tally, soak.plan
    last = soak.slices[-1].end if soak.slices else 0.0
    growth = soak.gauges.growth(plan.warm, last + 1.0)  # what is held is looked at after the slice
    lags = sorted(soak.gauges.all_lags)
    names = (
        *("begun", "finished", "cut", "connections", "losses", "reconnects", "messages", "missed_messages", "turns"),
        *("turns_lost", "turns_open", "turns_wrong", "utterances", "utterances_lost", "words", "words_lost"),
        *("taken_back", "twice", "dropped", "replayed", "silence"),
    )
    return Report(
        plan=plan,
        backend="trio" if on_trio() else "asyncio",
        seconds=seconds,
        early=early,
        slices=tuple(soak.slices),
        growth=growth,
        lag={"p50": quantile(lags, 0.5), "p99": quantile(lags, 0.99), "max": quantile(lags, 1.0)},
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
        verdict=tuple(_findings(soak, growth)),
    )


def _findings(soak: Soak, growth: Iterable[Growth]) -> Iterable[Finding]:
    tally, plan = soak.tally, soak.plan
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
        yield _grown(grown, plan)


def _grown(grown: Growth, plan: Plan) -> Finding:
    what = f"{grown.what} do{'' if grown.what.endswith('s') else 'es'} not grow"
    measured = f"{grown.per_hour:+.1%} an hour, ± {2 * grown.spread:.1%}"
    if grown.seconds < JUDGED_SECONDS:
        least = max(plan.warm, JUDGED_SECONDS) + JUDGED_SECONDS + 2 * plan.seconds / plan.slices
        return Finding(
            what, True, f"not judged: that takes more than {least:,.0f} s" + (f" ({measured})" if grown.mean else "")
        )
    return Finding(what, grown.surely <= plan.growth, f"{measured}; may be {plan.growth:+.0%}")


# For people ---------------------------------------------------------------------------------------------------------

HEADINGS = (
    *("seconds", "calls", "MB", "tasks", "files", "cpu", "cpu/call", "flux", "lag p50", "p99", "max ms", "late s"),
    *("messages/s", "turns", "faults", "again"),
)


def cells(part: Slice) -> tuple[str, ...]:
    """A slice as a row under `HEADINGS`."""
    seconds = max(1e-9, part.end - part.begin)
    return (
        f"{part.begin:.0f}–{part.end:.0f}",
        f"{part.live:.0f}",
        f"{part.resident / 1e6:.1f}",
        f"{part.tasks:.0f}",
        f"{part.descriptors:.0f}",
        f"{part.cpu / seconds:.0%}",
        f"{part.cpu_share:.2%}",
        f"{part.flux_cpu / seconds:.0%}",
        f"{part.lag_p50 * 1000:.1f}",
        f"{part.lag_p99 * 1000:.1f}",
        f"{part.lag_max * 1000:.0f}",
        f"{part.behind:.2f}",
        f"{part.messages / seconds:,.0f}",
        f"{part.turns:,}",
        f"{part.faults:,}",
        f"{part.reconnects:,}",
    )


def rows(report: Report) -> Iterable[tuple[str, str]]:
    """What it came to, as names and values."""
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
        f"--seed {plan.seed}`, {report.backend}, {report.seconds:.0f} s" + (", stopped early" if report.early else ""),
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
    lines += [f"- {'holds' if each.holds else '**broken**'}: {each.what} ({each.said})" for each in report.verdict]
    lines += [f"- lost: {line}" for line in lost_rows(report)]
    return "\n".join(lines) + "\n"


def _each(counts: Mapping[str, int], before: str = "") -> list[str]:
    return [f"{before}{count:,} {name}" for name, count in counts.items()]
