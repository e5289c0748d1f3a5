"""The state of a turn machine: all that it remembers, as one struct whose parts live and die together.

Rule 1: what belongs to a turn or a reply is nested in it, and is forgotten with it by setting the whole to None.
Rule 2: nothing here decides anything; which state follows is for `turnkit.turns.machine` to say.

A deadline is a second on the caller's clock; `inf` is one that is not set.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from enum import StrEnum
from math import inf, nextafter
from typing import Any

import msgspec

from ..errors import LocalProtocolError
from .chart import ReplyState, UserState
from .events import TimedWord

VERSION = 3
"""Of snapshots: one of another version cannot be read."""

NEVER = nextafter(-inf, inf)
"""The present second before the first call; above -inf, so that `at=-inf` goes back in time like any other."""


class OverlapStanding(StrEnum):
    """How an overlap stands: the open turn began while a reply had the floor."""

    UNDECIDED = "undecided"  # the barge-in policy has not decided yet whose the floor is
    KEPT = "kept"  # the agent keeps the floor; the turn gets no answer
    DEFERRED = "deferred"  # the agent keeps the floor; the turn is answered after it


class Draft(msgspec.Struct, frozen=True, gc=False):
    """A reply that is being made on speculation, for the words that the open turn has now.

    Attributes:
        id: the reply's number.
        protected: whether it may not be interrupted once it is heard.
    """

    id: int
    protected: bool = False


class OpenTurn(msgspec.Struct, gc=False):
    """The user's turn, from its start to its end.

    Attributes:
        id: the turn's number, counted from 0 over the whole call.
        index: Flux's count of it on this connection.
        text: its latest words; empty as long as it has none.
        letter: the last letter of `text`, as `last_letter` gives it: tells at once that most Updates have new words.
        started_at: the second it began.
        stall_at: the deadline until which it must make progress: then TurnStalled is said, or the turn is ended.
        stalled: whether TurnStalled was said, and no progress has been made since.
        attempts: how many drafts were made for it.
        draft: the draft that is alive.
        overlap: how its overlap with the reply that has the floor stands; None for an ordinary turn.
        why: the barge-in policy's reason to let the agent keep the floor; empty until it does.
        early: whether a reply had the floor as it began that had not been heard.
        silenced: whether it has cancelled a reply that was not yet heard.
    """

    id: int
    index: int
    text: str
    letter: str
    started_at: float
    stall_at: float
    stalled: bool = False
    attempts: int = 0
    draft: Draft | None = None
    overlap: OverlapStanding | None = None
    why: str = ""
    early: bool = False
    silenced: bool = False


class UnannouncedWords(msgspec.Struct, frozen=True, gc=False):
    """Words in Updates while no turn is open: Flux's StartOfTurn is late, or was missed.

    Attributes:
        index: Flux's count of the turn they would be.
        text: the latest of them.
        since: the second of stream audio at which the first of them came.
    """

    index: int
    text: str
    since: float


class FloorReply(msgspec.Struct, gc=False):
    """The reply that has the floor: it will be heard, or is being heard.

    Attributes:
        id: the reply's number, counted from 0 over the whole call.
        state: pending, audible or held.
        turn: the turn that it answers; None if the agent speaks unasked.
        text: the words that it answers; empty if the agent speaks unasked.
        protected: whether it may not be interrupted.
        waits: whether it is the agent's initiative, and is to be offered again if a turn cancels it.
        carried: how many of the unanswered words its Commit has brought; 0 once it is heard.
        audible_at: the second it was first heard; of no use while it is pending.
        heard: what of it has been heard, as the host says.
        hold_until: the deadline at which held playback goes on.
    """

    id: int
    state: ReplyState
    turn: int | None
    text: str
    protected: bool = False
    waits: bool = False
    carried: int = 0
    audible_at: float = 0.0
    heard: str = ""
    hold_until: float = inf


class SuspendedTurn(msgspec.Struct, frozen=True, gc=False):
    """A turn that has ended and waits for its Commit.

    Attributes:
        id: the turn's number.
        text: its words.
        trigger: what its Commit will say has ended it.
        until: the deadline of its Commit, for a turn whose stream was lost; `inf` for one that waits for the floor.
        words: its words with their times, where its end had them.
        languages: those that Flux had detected, where its end told.
    """

    id: int
    text: str
    trigger: str
    until: float
    words: tuple[TimedWord, ...] = ()
    languages: tuple[str, ...] = ()


class State(msgspec.Struct, kw_only=True):
    """All that a turn machine remembers. The settings are not part of it.

    Attributes:
        version: of the snapshot that it came from, or will be.
        now: the second of the last call; `NEVER` before the first.
        soonest: no deadline is before this second, so that `feed` compares once; -inf before the first call and after
            `close`, which sends every event the long way.
        closed: whether `close` has been called.
        next_turn: the number of the next turn.
        next_reply: the number of the next reply.
        user: what the user is doing; listening if and only if no turn is open.
        turn: the open turn.
        unannounced: the words that no StartOfTurn has announced; only while no turn is open.
        ended_index: Flux's count of the last turn that ended on this connection; -1 if none has.
        stalled_text: the words of that turn, if it was turnkit and not Flux that has ended it; else None.
        reply: the reply that has the floor.
        suspended: the turn that waits for its Commit; never while one is open.
        unanswered: the words of earlier turns that never got an audible answer, oldest first.
        waiting: of each initiative of the agent's that waits for the floor, in order, whether it is protected; empty
            while `quiet`.
        idle_at: the deadline of UserIdle; in force only while `quiet`.
        idle_count: how many UserIdle there were since the user last spoke.
        busy: whether the host's tool holds the idle clock.
    """

    version: int
    now: float = NEVER
    soonest: float = -inf
    closed: bool = False
    next_turn: int = 0
    next_reply: int = 0
    user: UserState = UserState.LISTENING
    turn: OpenTurn | None = None
    unannounced: UnannouncedWords | None = None
    ended_index: int = -1
    stalled_text: str | None = None
    reply: FloorReply | None = None
    suspended: SuspendedTurn | None = None
    unanswered: tuple[str, ...] = ()
    waiting: tuple[bool, ...] = ()
    idle_at: float = inf
    idle_count: int = 0
    busy: bool = False

    # What follows from it -----------------------------------------------------------------------------------------

    @property
    def draft(self) -> Draft | None:
        """The draft of the open turn, if there is one."""
        return None if self.turn is None else self.turn.draft

    @property
    def quiet(self) -> bool:
        """Whether nobody has the floor and nothing waits for it."""
        return self.turn is None and self.reply is None and self.suspended is None

    def due(self) -> float:
        """The next deadline; `inf` if silence changes nothing."""
        if self.closed:
            return inf
        turn, reply, suspended = self.turn, self.reply, self.suspended
        return min(
            inf if turn is None else turn.stall_at,
            inf if reply is None else reply.hold_until,
            inf if suspended is None else suspended.until,
            self.idle_at if self.quiet else inf,
        )

    # For proofs ---------------------------------------------------------------------------------------------------

    def copy(self) -> State:
        """A state that goes its own way from here: it shares no part that changes."""
        # msgspec does not declare `__copy__`; by way of `copy.copy` it takes three times as long.
        twin: State = self.__copy__()  # type: ignore[attr-defined]
        if twin.turn is not None:
            twin.turn = twin.turn.__copy__()  # type: ignore[attr-defined]
        if twin.reply is not None:
            twin.reply = twin.reply.__copy__()  # type: ignore[attr-defined]
        return twin

    def essence(self, alike: Callable[[str], str]) -> tuple[Hashable, ...]:
        """What decides what comes next, without names and dates: equal for two states that go the same ways.

        Taken away are the numbers of turns and replies, what Flux counts (only how far an event is ahead of it
        matters) and the present second (deadlines count from it); what is only handed on, to policies or signals;
        and what only grows, which whoever compares must bound: `unanswered` (and how many of them are `carried`),
        `idle_at` and `idle_count`.

        Args:
            alike: gives one text for all texts with the same words.

        Returns:
            Something to compare and to hash.
        """
        now, turn, reply, unannounced, suspended = self.now, self.turn, self.reply, self.unannounced, self.suspended
        return (
            now == NEVER,
            self.closed,
            self.user,
            self.busy,
            # One that lies behind the deadline would miss it.
            self.soonest - now if self.soonest > self.due() else None,
            None if self.stalled_text is None else alike(self.stalled_text),
            None
            if unannounced is None
            else (unannounced.index - self.ended_index, alike(unannounced.text), unannounced.since),
            None if turn is None else _turn_essence(turn, now, alike),
            None
            if reply is None
            else (reply.state, reply.turn is None, reply.protected, reply.waits, reply.hold_until - now),
            None if suspended is None else suspended.until - now,
            self.waiting,
        )

    # Snapshots ----------------------------------------------------------------------------------------------------

    def encode(self) -> bytes:
        """The state as bytes; holds what was said."""
        # Seconds as they are read back, whatever kind of number the caller's clock gives.
        self.now = float(self.now)
        if self.turn is not None:
            self.turn.started_at = float(self.turn.started_at)
        if self.reply is not None:
            self.reply.audible_at = float(self.reply.audible_at)
        try:
            return msgspec.msgpack.encode(self)
        except UnicodeEncodeError:
            return msgspec.msgpack.encode(_encodable(self))

    @classmethod
    def decode(cls, data: bytes) -> State:
        """The state that was encoded as `data`.

        Raises:
            LocalProtocolError: `data` is no snapshot, or one of another version.
        """
        try:
            version = msgspec.msgpack.decode(data, type=_Version).version
            if version != VERSION:
                raise LocalProtocolError(f"the snapshot has version {version}, this turnkit reads {VERSION}")
            return msgspec.msgpack.decode(data, type=cls)
        except (msgspec.DecodeError, TypeError) as error:
            raise LocalProtocolError(f"these are not the bytes of a snapshot: {error}") from None


def _turn_essence(turn: OpenTurn, now: float, alike: Callable[[str], str]) -> tuple[Hashable, ...]:
    return (
        alike(turn.text),
        turn.letter,
        turn.stall_at - now,
        turn.stalled,
        None if turn.draft is None else turn.draft.protected,
        turn.overlap,
        turn.early and turn.overlap is OverlapStanding.UNDECIDED,
        turn.silenced,
    )


class _Version(msgspec.Struct):
    """What all snapshots begin with, whatever else there is in those of other versions."""

    version: int


def _encodable(value: Any) -> Any:
    """The same, but for halves of characters, such as some tokenizers make: they are in no encoding."""
    if type(value) is str:
        return value.encode(errors="replace").decode()
    if isinstance(value, tuple):
        return tuple(map(_encodable, value))
    if isinstance(value, msgspec.Struct):
        return type(value)(**{name: _encodable(getattr(value, name)) for name in value.__struct_fields__})
    return value
