"""Figures of a turn, of a call, and of many calls.

Two clocks are in play. *Engine time* is the `at` of events and signals: the monotonic clock of whoever runs the
machine. *Audio time* is Flux's, seconds of the stream's audio. Nothing ties them together (audio may be sent late,
early, or in bursts), so no moment of one is ever placed on the other: only durations are measured, each within one
clock, and where a figure is a sum of both it says so. What lies between the clocks, the way of a piece of audio to
Flux and of the message about it back, is in no figure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import msgspec

from ..turns.events import CancelReason, DropReason, NoteKind, Outcome, ResumeReason
from .samples import Samples
from .texts import NONE, kinds, seconds, share, split, spread, times


class FalseBargeIn(StrEnum):
    """Why a barge-in should not have been one, as seen from the end of the turn that took the floor."""

    EMPTY = "empty"  # the turn ended without words: a fact
    BACKCHANNEL = "backchannel"  # its final words are all backchannel ("mm-hm, yeah"): a judgement by a list of phrases
    ECHO = "echo"  # its final words are the agent's own, as `EchoGuard` tells them: a judgement by likeness

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"


class TurnMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of the user's, and what came of it.

    Durations are seconds, and None where there is none or none is known. Those of the reply and of the overlap (a turn
    that began while the agent was heard) are all engine time.

    Attributes:
        turn: Id of the turn.
        started_at: Engine time of its TurnStarted; None if it began before the record did.
        ended_at: Engine time of its Commit or TurnDropped; None if it was open at the end of the record.
        trigger: Trigger of its Commit; None if it got none. A turn that was `typed` has none of Flux's times.
        dropped: Reason for which it got no Commit; None if it did, or is open.
        words_to_commit: Seconds from the end of its last word to its Commit. The end of the word is Flux's own, known
            only where word times came with its EndOfTurn or EagerEndOfTurn. From there to the `audio_end` of the turn's
            last message is audio time; from the arrival of that message to the Commit is engine time (0, unless the
            turn had to wait).
        news_to_commit: The same from the `audio_end` of the message that brought its last new words: a lower bound for
            want of word times, because those words ended at or before it. None if the last message itself brought new
            words.
        end_to_commit: Seconds of engine time from its EndOfTurn to its Commit: 0.0, except for a turn that had to wait
            for the floor. None if no EndOfTurn came.
        reply: Id of the reply to it; None without a Commit.
        outcome: How that reply ended; None if it is not known.
        drafts: Number of drafts begun for it.
        wasted: Number of those drafts that were cancelled before a Commit.
        lead: Seconds from Speculate to Commit, of the draft that was kept; None if none was.
        first_chunk: Seconds from the reply's beginning (Speculate, else Commit) to the fact `FirstChunk`: how long the
            bot thought. None if that is not reported.
        saved: Seconds by which the first sound would have come later had the bot begun at the Commit: the lesser of
            `lead` and `first_chunk`, because a draft that is ready before the Commit has to wait for it. None unless a
            draft was kept, `FirstChunk` is reported, and a first sound was heard.
        response_gap: Seconds from the Commit to the first sound of the reply; None if nobody reported its playback.
        words_to_sound: Seconds of `words_to_commit` and `response_gap` together.
        tokens: Tokens that the bot reported for replies to this turn (fact `TokensUsed`); None if it reported none.
        wasted_tokens: Tokens of its wasted drafts among them; None if it reported none.
        barged_in: Id of the reply that the turn cut off; None if it did not take the floor, or the host took it.
        reaction: Seconds from its TurnStarted to its BargeIn, in which the barge-in policy decided; 0.0 if the first
            word did.
        released: Seconds from the BargeIn to ReplyEnded, which the callbacks for it took. It says nothing about the
            loudspeaker.
        silence: Seconds from the BargeIn to PlaybackFinished of that reply, if the host reports when its player fell
            silent.
        held: Seconds for which playback was held for it, all times together.
        judged: Whether its barge-in can be told right from wrong; not if the turn was lost before its words were
            final.
        false_barge_in: Why it should not have taken the floor; None if it rightly did, or did not, or if that cannot
            be told.
        stalled: Whether it was reported as making no progress.
    """

    turn: int
    started_at: float | None = None
    ended_at: float | None = None
    trigger: str | None = None
    dropped: DropReason | None = None
    words_to_commit: float | None = None
    news_to_commit: float | None = None
    end_to_commit: float | None = None
    reply: int | None = None
    outcome: Outcome | None = None
    drafts: int = 0
    wasted: int = 0
    lead: float | None = None
    first_chunk: float | None = None
    saved: float | None = None
    response_gap: float | None = None
    words_to_sound: float | None = None
    tokens: int | None = None
    wasted_tokens: int | None = None
    barged_in: int | None = None
    reaction: float | None = None
    released: float | None = None
    silence: float | None = None
    held: float | None = None
    judged: bool = False
    false_barge_in: FalseBargeIn | None = None
    stalled: bool = False


DURATIONS = (
    "words_to_commit",
    "news_to_commit",
    "end_to_commit",
    "lead",
    "first_chunk",
    "saved",
    "response_gap",
    "words_to_sound",
    "reaction",
    "released",
    "silence",
    "held",
)
"""The durations of a turn, by the names they have in `TurnMetrics` and in `CallMetrics`."""


class CallMetrics(msgspec.Struct, kw_only=True):
    """One call, or several put together with `+`: counts, and durations in seconds.

    The durations of turns are `Samples` of what `TurnMetrics` calls by the same names, one value for each turn that
    has one.

    Attributes:
        calls: Number of calls.
        duration: Seconds of the calls, each from the first thing taken to the last.
        turns: Number of turns that began.
        committed: Number of turns that got a Commit.
        dropped: Number of turns that got none, by reason.
        triggers: Number of Commits by trigger; those that neither Flux nor turnkit is known to use as `other`.
        initiated: Number of replies that the agent began unasked; one that a turn cancelled and that was offered again
            counts anew.
        refused: Number of replies that the agent wanted to begin unasked, and was refused the floor for.
        words_to_commit: Seconds from the end of the last word to the Commit.
        news_to_commit: Seconds from the last new words to the Commit, a lower bound.
        end_to_commit: Seconds from EndOfTurn to the Commit.
        response_gap: Seconds from the Commit to the first sound.
        words_to_sound: Seconds from the end of the last word to the first sound.
        first_chunk: Seconds from the beginning of a reply to the first of what it says.
        drafts: Number of drafts that began.
        kept: Number of drafts that were committed.
        wasted: Number of drafts that were not, by the reason of their Cancel.
        lead: Seconds from Speculate to Commit, of drafts that were kept.
        saved: Seconds by which drafts made the first sound come sooner.
        token_reports: Number of reports of tokens.
        tokens: Tokens as reported.
        wasted_tokens: Tokens of wasted drafts, as reported.
        replies: Number of committed replies that ended, by outcome.
        silent: Number of replies that finished without a sound: their authors wanted none.
        unreported: Number of replies whose playback nobody reported: when they were heard, and whether, is not known.
        barge_ins: Number of barge-ins; not those of the host.
        interrupts: Number of times that the host took the floor for the user: a key, a typed text.
        judged: Number of barge-ins that can be told right from wrong.
        false_barge_ins: Number of those that were wrong, by kind.
        reaction: Seconds from TurnStarted to BargeIn.
        released: Seconds from BargeIn to ReplyEnded.
        silence: Seconds from BargeIn to the player's silence.
        holds: Number of holds.
        resumes: Number of holds that ended in neither a BargeIn nor with the reply, by reason.
        held: Seconds of the holds, one value a hold.
        stalls: Number of TurnStalled.
        stream_losses: Number of times that the stream was lost.
        offline: Seconds without a stream: each from StreamLost to StreamRestored, the next turn event, or the end.
        idles: Number of UserIdle.
        notes: Number of Notes, by kind.
    """

    calls: int = 0
    duration: Samples = msgspec.field(default_factory=Samples)
    turns: int = 0
    committed: int = 0
    dropped: Counter[DropReason] = msgspec.field(default_factory=Counter)
    triggers: Counter[str] = msgspec.field(default_factory=Counter)
    initiated: int = 0
    refused: int = 0
    words_to_commit: Samples = msgspec.field(default_factory=Samples)
    news_to_commit: Samples = msgspec.field(default_factory=Samples)
    end_to_commit: Samples = msgspec.field(default_factory=Samples)
    response_gap: Samples = msgspec.field(default_factory=Samples)
    words_to_sound: Samples = msgspec.field(default_factory=Samples)
    first_chunk: Samples = msgspec.field(default_factory=Samples)
    drafts: int = 0
    kept: int = 0
    wasted: Counter[CancelReason] = msgspec.field(default_factory=Counter)
    lead: Samples = msgspec.field(default_factory=Samples)
    saved: Samples = msgspec.field(default_factory=Samples)
    token_reports: int = 0
    tokens: int = 0
    wasted_tokens: int = 0
    replies: Counter[Outcome] = msgspec.field(default_factory=Counter)
    silent: int = 0
    unreported: int = 0
    barge_ins: int = 0
    interrupts: int = 0
    judged: int = 0
    false_barge_ins: Counter[FalseBargeIn] = msgspec.field(default_factory=Counter)
    reaction: Samples = msgspec.field(default_factory=Samples)
    released: Samples = msgspec.field(default_factory=Samples)
    silence: Samples = msgspec.field(default_factory=Samples)
    holds: int = 0
    resumes: Counter[ResumeReason] = msgspec.field(default_factory=Counter)
    held: Samples = msgspec.field(default_factory=Samples)
    stalls: int = 0
    stream_losses: int = 0
    offline: Samples = msgspec.field(default_factory=Samples)
    idles: int = 0
    notes: Counter[NoteKind] = msgspec.field(default_factory=Counter)

    def __add__(self, other: CallMetrics) -> CallMetrics:
        """Both together; neither is changed. The order does not matter."""
        return CallMetrics(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})

    @property
    def open_turns(self) -> int:
        """Turns that have neither been committed nor dropped."""
        return self.turns - self.committed - self.dropped.total()

    @property
    def open_drafts(self) -> int:
        """Drafts that have neither been kept nor wasted."""
        return self.drafts - self.kept - self.wasted.total()

    @property
    def hit_rate(self) -> float | None:
        """The share of drafts that were kept, 0 to 1, of those that are decided; None if none is."""
        decided = self.kept + self.wasted.total()
        return self.kept / decided if decided else None

    @property
    def false_barge_in_rate(self) -> float | None:
        """The share of barge-ins that were false, 0 to 1, of those that can be judged; None if none can."""
        return self.false_barge_ins.total() / self.judged if self.judged else None

    def figures(self) -> dict[str, Any]:
        """All of it as plain values for JSON: durations as `count`, `median`, `p95`, `least`, `greatest`, `total`."""
        plain: dict[str, Any] = {}
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, Samples):
                plain[name] = {
                    part: getattr(value, part) for part in ("count", "median", "p95", "least", "greatest", "total")
                }
            elif isinstance(value, Counter):
                plain[name] = {str(key): value[key] for key in sorted(value)}
            else:
                plain[name] = value
        for name in ("open_turns", "open_drafts", "hit_rate", "false_barge_in_rate"):
            plain[name] = getattr(self, name)
        if not self.token_reports:
            plain["tokens"] = plain["wasted_tokens"] = None
        return plain

    def rows(self) -> list[tuple[str, str]]:
        """The figures for people: label and text, always the same labels in the same order; "–" where there is none."""
        return [
            ("calls", _calls(self)),
            ("turns", _turns(self)),
            ("replies", _replies(self)),
            ("last word to commit", spread(self.words_to_commit, "turn")),
            ("last new words to commit", spread(self.news_to_commit, "turn", at_least=True)),
            ("response gap", spread(self.response_gap, "turn")),
            ("last word to first sound", spread(self.words_to_sound, "turn")),
            ("time to first chunk", spread(self.first_chunk, "reply")),
            ("drafts", _drafts(self)),
            ("eager lead", spread(self.lead, "draft")),
            ("saved by drafts", spread(self.saved, "draft", total=True)),
            ("tokens", _tokens(self)),
            ("barge-ins", _barge_ins(self)),
            ("start of turn to barge-in", spread(self.reaction, "barge-in")),
            ("barge-in to silence", spread(self.silence, "barge-in")),
            ("interrupts by the host", f"{self.interrupts:,}"),
            ("holds", _held(self)),
            ("stalls", f"{self.stalls:,}"),
            ("stream losses", _losses(self)),
            ("user idle", times(self.idles)),
            ("surprises", split(self.notes.total(), self.notes)),
        ]


def summary(calls: Iterable[CallMetrics]) -> CallMetrics:
    """The figures of all calls together."""
    total = CallMetrics()
    for call in calls:
        total = total + call
    return total


def _calls(call: CallMetrics) -> str:
    return f"{call.calls:,}, {seconds(call.duration.total)}" if call.duration.count else f"{call.calls:,}"


def _turns(call: CallMetrics) -> str:
    parts = [f"{call.committed:,} committed"] if call.committed else []
    if call.dropped.total():
        parts.append(f"{call.dropped.total():,} dropped ({kinds(call.dropped)})")
    if call.open_turns:
        parts.append(f"{call.open_turns:,} open")
    return f"{call.turns:,}: {', '.join(parts)}" if parts else f"{call.turns:,}"


def _replies(call: CallMetrics) -> str:
    parts = [f"{call.silent:,} without a sound"] if call.silent else []
    if call.unreported:
        parts.append(f"{call.unreported:,} whose playback nobody reported")
    return split(call.replies.total(), call.replies) + (f" ({', '.join(parts)})" if parts else "")


def _drafts(call: CallMetrics) -> str:
    if not call.drafts:
        return "0"
    parts = [f"{call.kept:,} kept"]
    if call.wasted.total():
        parts.append(f"{call.wasted.total():,} wasted ({kinds(call.wasted)})")
    if call.open_drafts:
        parts.append(f"{call.open_drafts:,} open")
    return f"{call.drafts:,}: {', '.join(parts)}, hit rate {share(call.hit_rate)}"


def _tokens(call: CallMetrics) -> str:
    return f"{call.tokens:,}, {call.wasted_tokens:,} of them wasted" if call.token_reports else NONE


def _barge_ins(call: CallMetrics) -> str:
    if not call.barge_ins:
        return "0"
    wrong = kinds(call.false_barge_ins)
    unknown = call.barge_ins - call.judged
    parts = [f"{call.false_barge_ins.total():,} false ({wrong})" if wrong else "0 false"] if call.judged else []
    if unknown:
        parts.append(f"{unknown:,} cannot be judged")
    return f"{call.barge_ins:,}: {', '.join(parts)}"


def _held(call: CallMetrics) -> str:
    if not call.holds:
        return "0"
    ends = f" ({kinds(call.resumes)})" if call.resumes.total() else ""
    return f"{call.holds:,}: {call.resumes.total():,} resumed{ends}, {seconds(call.held.total)} in all"


def _losses(call: CallMetrics) -> str:
    offline = f", {seconds(call.offline.total)} without a stream" if call.offline.count else ""
    return f"{call.stream_losses:,}{offline}"
