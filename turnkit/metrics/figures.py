"""What is known of a turn, of a call, and of many calls.

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
from .rows import rows_of
from .samples import Samples


class FalseBargeIn(StrEnum):
    """Why a barge-in should not have been one, as seen from the end of the turn that took the floor."""

    EMPTY = "empty"  # the turn ended without words: a fact
    BACKCHANNEL = "backchannel"  # its final words are all backchannel ("mm-hm, yeah"): a judgement by a list of phrases
    ECHO = "echo"  # its final words are the agent's own, as `EchoGuard` tells them: a judgement by likeness

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"


class TurnMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of the user's, and what came of it; durations are seconds, None where there is none or none is known.

    Of the turn:

    - `turn`: its id. `started_at`: engine time of its TurnStarted (None: before the record began). `ended_at`: of its
      Commit or TurnDropped (None: still open at the end of the record).
    - `trigger`: of its Commit, None if it got none. `dropped`: why it got none, None if it did or is open.
    - `words_to_commit`: from the end of its last word to its Commit. The end of the word is Flux's own, known only
      where word times came with the message (`last_word`); from there to the `audio_end` of the turn's last message is
      audio time, from the arrival of that message to the Commit engine time (none, unless the turn had to wait).
    - `news_to_commit`: the same from the `audio_end` of the message that brought its last new words: a lower bound, for
      want of word times, because those words ended at or before it. None if the last message itself brought new ones.
    - `end_to_commit`: engine time from its EndOfTurn to its Commit: 0.0, except for a turn that had to wait for the
      floor. None if no EndOfTurn came.

    Of the reply to it, all in engine time:

    - `reply`: its id, None without a Commit. `outcome`: how it ended, None if that is not known.
    - `drafts`: how many were begun; `wasted`: how many of them were cancelled before a Commit.
    - `lead`: from Speculate to Commit, of the draft that was kept; None if none was.
    - `first_chunk`: from the reply's beginning (Speculate, else Commit) to the fact `FirstChunk`: how long the bot
      thought. None if that is not reported.
    - `saved`: how much later the first sound would have come had the bot begun at the Commit: the lesser of `lead` and
      `first_chunk`, because a draft that is ready before the Commit has to wait for it. None unless a draft was kept,
      `FirstChunk` is reported, and a first sound was heard.
    - `response_gap`: from the Commit to the first sound of the reply. None if no playback was reported.
    - `words_to_sound`: `words_to_commit` and `response_gap` together.
    - `tokens`: those the bot reported for replies to this turn (fact `TokensUsed`), `wasted_tokens`: those of its
      wasted drafts among them; None if it reported none.

    Of the overlap, if the turn began while the agent was heard, all in engine time:

    - `barged_in`: the id of the reply that it cut off, None if it did not take the floor.
    - `reaction`: from its TurnStarted to its BargeIn: what the barge-in policy took to decide; 0.0 for the first word.
    - `released`: from the BargeIn to ReplyEnded: what the callbacks for it took. Says nothing about the loudspeaker.
    - `silence`: from the BargeIn to PlaybackFinished of that reply, if the host reports when its player fell silent.
    - `held`: how long playback was held for it, all times together.
    - `false_barge_in`: why it should not have taken the floor. None if it rightly did, or did not, or if that cannot be
      told, because the turn was lost before its words were final: `judged` says whether it can.

    `stalled`: whether it was reported as making no progress.
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


def _samples() -> Any:
    return msgspec.field(default_factory=Samples)


def _counter() -> Any:
    return msgspec.field(default_factory=Counter)


class CallMetrics(msgspec.Struct, kw_only=True):
    """One call, or several put together with `+`: counts, and durations in seconds.

    The durations are `Samples` of what `TurnMetrics` calls by the same names, one value a turn that has one, and:
    `duration` of the calls, from the first thing taken to the last; `offline`, each time without a stream, from
    StreamLost to StreamRestored, the next turn event, or the end. `held` has one value a hold.

    Counts: `calls`; `turns` begun, of which `committed` got a Commit, `dropped` (by reason) none, and `open_turns` are
    neither; `initiated` and `refused`: what the agent wanted to say unasked; `drafts` begun, of which `kept` were
    committed, `wasted` (by the reason of their Cancel) were not, and `open_drafts` are neither; `replies`: how those
    that were committed ended; `triggers` of the commits, those that neither Flux nor turnkit is known to use as
    `other`; `barge_ins`, of which `judged` can be told right from wrong and `false_barge_ins` (by kind) were wrong;
    `holds` and how they ended, if not in a BargeIn or with the reply, in `resumes`; `stalls` (TurnStalled);
    `stream_losses`; `idles` (UserIdle); `notes` by kind; `token_reports`, `tokens` and `wasted_tokens` as reported.
    """

    calls: int = 0
    duration: Samples = _samples()
    turns: int = 0
    committed: int = 0
    dropped: Counter[DropReason] = _counter()
    triggers: Counter[str] = _counter()
    initiated: int = 0
    refused: int = 0
    words_to_commit: Samples = _samples()
    news_to_commit: Samples = _samples()
    end_to_commit: Samples = _samples()
    response_gap: Samples = _samples()
    words_to_sound: Samples = _samples()
    first_chunk: Samples = _samples()
    drafts: int = 0
    kept: int = 0
    wasted: Counter[CancelReason] = _counter()
    lead: Samples = _samples()
    saved: Samples = _samples()
    token_reports: int = 0
    tokens: int = 0
    wasted_tokens: int = 0
    replies: Counter[Outcome] = _counter()
    barge_ins: int = 0
    judged: int = 0
    false_barge_ins: Counter[FalseBargeIn] = _counter()
    reaction: Samples = _samples()
    released: Samples = _samples()
    silence: Samples = _samples()
    holds: int = 0
    resumes: Counter[ResumeReason] = _counter()
    held: Samples = _samples()
    stalls: int = 0
    stream_losses: int = 0
    offline: Samples = _samples()
    idles: int = 0
    notes: Counter[NoteKind] = _counter()

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
        """What a person reads, as label and text, always the same labels in the same order; "–" where there is none."""
        return rows_of(self)


def summary(calls: Iterable[CallMetrics]) -> CallMetrics:
    """All calls together."""
    total = CallMetrics()
    for call in calls:
        total = total + call
    return total
