"""The figures of a call as a person reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .samples import Samples

if TYPE_CHECKING:
    from .figures import CallMetrics

NONE = "–"


def rows_of(call: CallMetrics) -> list[tuple[str, str]]:
    """Label and text of each row, see `CallMetrics.rows`."""
    return [
        ("calls", _calls(call)),
        ("turns", _turns(call)),
        ("replies", _split(call.replies.total(), call.replies)),
        ("last word to commit", _spread(call.words_to_commit, "turn")),
        ("last new words to commit", _spread(call.news_to_commit, "turn", at_least=True)),
        ("response gap", _spread(call.response_gap, "turn")),
        ("last word to first sound", _spread(call.words_to_sound, "turn")),
        ("time to first chunk", _spread(call.first_chunk, "reply")),
        ("drafts", _drafts(call)),
        ("eager lead", _spread(call.lead, "draft")),
        ("saved by drafts", _spread(call.saved, "draft", total=True)),
        ("tokens", _tokens(call)),
        ("barge-ins", _barge_ins(call)),
        ("start of turn to barge-in", _spread(call.reaction, "barge-in")),
        ("barge-in to silence", _spread(call.silence, "barge-in")),
        ("holds", _held(call)),
        ("stalls", f"{call.stalls:,}"),
        ("stream losses", _losses(call)),
        ("user idle", _times(call.idles)),
        ("surprises", _split(call.notes.total(), call.notes)),
    ]


def seconds(value: float | None) -> str:
    """A duration for people: milliseconds below a second, minutes from two on; "–" for none."""
    if value is None:
        return NONE
    if value < 0.9995:
        return f"{value * 1000:.0f} ms"
    if value < 119.95:
        return f"{value:.2f} s" if value < 9.995 else f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes:,} min {rest:02d} s"


def _counted(count: int, what: str) -> str:
    plural = {"reply": "replies"}.get(what, f"{what}s")
    return f"{count:,} {what if count == 1 else plural}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times" if count else "never"


def _share(share: float | None) -> str:
    return NONE if share is None else f"{share:.0%}".replace("%", " %")


def _spread(samples: Samples, what: str, *, at_least: bool = False, total: bool = False) -> str:
    """Median, 95th percentile, and of how many; `total` also of all together."""
    if not samples.count:
        return NONE
    median = f"{'≥ ' if at_least else ''}{seconds(samples.median)} median"
    together = f", {seconds(samples.total)} in all" if total else ""
    return f"{median}, {seconds(samples.p95)} p95, {_counted(samples.count, what)}{together}"


def _kinds(counts: Mapping[Any, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    return ", ".join(f"{count:,} {str(kind).replace('_', ' ')}" for kind, count in ordered if count)


def _split(total: int, counts: Mapping[Any, int]) -> str:
    kinds = _kinds(counts)
    return f"{total:,}: {kinds}" if kinds else f"{total:,}"


def _calls(call: CallMetrics) -> str:
    return f"{call.calls:,}, {seconds(call.duration.total)}" if call.duration.count else f"{call.calls:,}"


def _turns(call: CallMetrics) -> str:
    parts = [f"{call.committed:,} committed"] if call.committed else []
    if call.dropped.total():
        parts.append(f"{call.dropped.total():,} dropped ({_kinds(call.dropped)})")
    if call.open_turns:
        parts.append(f"{call.open_turns:,} open")
    return f"{call.turns:,}: {', '.join(parts)}" if parts else f"{call.turns:,}"


def _drafts(call: CallMetrics) -> str:
    if not call.drafts:
        return "0"
    parts = [f"{call.kept:,} kept"]
    if call.wasted.total():
        parts.append(f"{call.wasted.total():,} wasted ({_kinds(call.wasted)})")
    if call.open_drafts:
        parts.append(f"{call.open_drafts:,} open")
    return f"{call.drafts:,}: {', '.join(parts)}, hit rate {_share(call.hit_rate)}"


def _tokens(call: CallMetrics) -> str:
    return f"{call.tokens:,}, {call.wasted_tokens:,} of them wasted" if call.token_reports else NONE


def _barge_ins(call: CallMetrics) -> str:
    if not call.barge_ins:
        return "0"
    wrong = _kinds(call.false_barge_ins)
    unknown = call.barge_ins - call.judged
    parts = [f"{call.false_barge_ins.total():,} false ({wrong})" if wrong else "0 false"] if call.judged else []
    if unknown:
        parts.append(f"{unknown:,} cannot be judged")
    return f"{call.barge_ins:,}: {', '.join(parts)}"


def _held(call: CallMetrics) -> str:
    if not call.holds:
        return "0"
    ends = f" ({_kinds(call.resumes)})" if call.resumes.total() else ""
    return f"{call.holds:,}: {call.resumes.total():,} resumed{ends}, {seconds(call.held.total)} in all"


def _losses(call: CallMetrics) -> str:
    offline = f", {seconds(call.offline.total)} without a stream" if call.offline.count else ""
    return f"{call.stream_losses:,}{offline}"
