"""The rules of the game, kept by somebody who does not know how it is played.

A `Referee` sees what the host sees, events in and signals out, and asserts after every step what must hold for every
ordering of events whatever. It reads nothing of the machine but its public properties.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from turnkit.chart import Reply, User
from turnkit.events import (
    BargeIn,
    Cancel,
    CancelReason,
    Commit,
    Event,
    Hold,
    Initiate,
    Note,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    Resume,
    Signal,
    Speculate,
    TurnDropped,
    TurnStalled,
    TurnStarted,
    TurnUpdated,
    UserIdle,
)
from turnkit.machine import TurnMachine
from turnkit.words import has_words, same_words


class Fate(StrEnum):
    """What has become of a reply, in the eyes of the host."""

    DRAFT = "draft"
    PENDING = "pending"
    AUDIBLE = "audible"
    HELD = "held"
    OVER = "over"


@dataclass
class Referee:
    """Keeps the books on one machine."""

    machine: TurnMachine
    at: float = 0.0
    closed: bool = False
    replies: dict[int, Fate] = field(default_factory=dict)
    committed: dict[int, str] = field(default_factory=dict)  # reply to the text it answers
    drafted: dict[int, str] = field(default_factory=dict)  # reply to the text it was made for
    answered: set[int] = field(default_factory=set)  # turns with a Commit
    dropped: set[int] = field(default_factory=set)
    open_turns: dict[int, str] = field(default_factory=dict)  # turns with neither, to their latest words
    unanswered: list[str] = field(default_factory=list)

    def check(self, event: Event | None, signals: tuple[Signal, ...], at: float) -> None:
        """One step: `event` (None: time passed, or the end) was met with `signals` at `at`."""
        assert at >= self.at
        self.at = at
        self._report(event)
        for signal in signals:
            assert signal.at == at, "a signal bears the time of the step that made it"
            self._take(signal, event)
        self._compare()

    def _take(self, signal: Signal, event: Event | None) -> None:
        match signal:
            case TurnStarted(turn=turn, transcript=text):
                assert turn == len(self.open_turns) + len(self.answered | self.dropped), "turns are counted unbroken"
                self.open_turns[turn] = text
            case TurnUpdated(turn=turn, transcript=text):
                assert turn in self.open_turns
                assert has_words(text)
                assert not same_words(text, self.open_turns[turn])
                self.open_turns[turn] = text
            case Speculate(turn=turn, reply=reply, transcript=text):
                assert Fate.DRAFT not in self.replies.values(), "at most one draft is alive"
                assert turn in self.open_turns
                self._new(reply, Fate.DRAFT)
                self.drafted[reply] = text
            case Cancel(reply=reply, reason=reason):
                self._cancel(signal, reply, reason, event)
            case Commit():
                self._commit(signal)
            case BargeIn(reply=reply):
                assert self.replies[reply] in (Fate.AUDIBLE, Fate.HELD), "only who is heard can be interrupted"
                self.replies[reply] = Fate.OVER
            case Hold(turn=turn, reply=reply):
                assert turn in self.open_turns
                assert self.replies[reply] is Fate.AUDIBLE
                self.replies[reply] = Fate.HELD
            case Resume(reply=reply):
                assert self.replies[reply] is Fate.HELD
                self.replies[reply] = Fate.AUDIBLE
            case TurnDropped(turn=turn):
                assert turn in self.open_turns
                del self.open_turns[turn]
                self.dropped.add(turn)
            case TurnStalled(turn=turn):
                assert turn in self.open_turns
            case UserIdle(count=count):
                assert count >= 1
            case Note(detail=detail):
                assert detail

    def _new(self, reply: int, fate: Fate) -> None:
        assert reply == len(self.replies), "replies are counted unbroken"
        self.replies[reply] = fate

    def _cancel(self, signal: Cancel, reply: int, reason: CancelReason, event: Event | None) -> None:
        if reason is CancelReason.FLOOR_TAKEN:
            assert isinstance(event, Initiate)
            assert signal.turn is None
            self._new(reply, Fate.OVER)
            return
        assert self.replies[reply] in (Fate.DRAFT, Fate.PENDING), "what is heard is not cancelled but interrupted"
        if self.replies[reply] is Fate.PENDING:
            assert reason in (CancelReason.NEW_TURN, CancelReason.CLOSED)
            if signal.turn is not None:
                self.unanswered.append(self.committed[reply])
        self.replies[reply] = Fate.OVER

    def _commit(self, signal: Commit) -> None:
        reply, turn = signal.reply, signal.turn
        assert not {Fate.PENDING, Fate.AUDIBLE, Fate.HELD} & set(self.replies.values()), "one reply has the floor"
        if signal.speculative:
            assert self.replies[reply] is Fate.DRAFT
            assert same_words(self.drafted[reply], signal.transcript), "a draft is kept for the words it was made for"
            self.replies[reply] = Fate.PENDING
        else:
            self._new(reply, Fate.PENDING)
        self.committed[reply] = signal.transcript
        for text in self.unanswered:
            assert text in signal.unanswered, "no words are lost"
        self.unanswered = list(signal.unanswered)
        if turn is None:
            assert signal.trigger == "initiate"
            assert not self.open_turns, "the agent does not begin while the user has a turn"
            return
        assert turn in self.open_turns, "at most one Commit a turn"
        assert has_words(signal.transcript)
        del self.open_turns[turn]
        self.answered.add(turn)

    def _report(self, event: Event | None) -> None:
        """What the host reports of playback is what it hears."""
        match event:
            case PlaybackStarted(reply=reply) | PlaybackAdvanced(reply=reply):
                if self.replies.get(reply) is Fate.PENDING:
                    self.replies[reply] = Fate.AUDIBLE
                    self.unanswered.clear()
            case PlaybackFinished(reply=reply):
                if self.replies.get(reply) is Fate.PENDING and self.committed[reply]:
                    self.unanswered.append(self.committed[reply])
                if self.replies.get(reply) in (Fate.PENDING, Fate.AUDIBLE, Fate.HELD):
                    self.replies[reply] = Fate.OVER

    def _compare(self) -> None:
        machine = self.machine
        drafts = [reply for reply, fate in self.replies.items() if fate is Fate.DRAFT]
        assert drafts == ([] if machine.draft is None else [machine.draft])
        floor = [(reply, fate) for reply, fate in self.replies.items() if fate not in (Fate.DRAFT, Fate.OVER)]
        assert floor == ([] if machine.floor is None else [(machine.floor[0], Fate(machine.floor[1].value))])
        known = {turn for turn in (machine.turn, machine.suspended) if turn is not None}
        assert set(self.open_turns) == known, "each turn that began is open, waits, or has ended in one way"
        assert not self.answered & self.dropped
        if machine.turn is not None:
            assert machine.user is not User.LISTENING
            assert machine.floor is None or machine.floor[1] is not Reply.PENDING, "no reply starts over the user"
            if drafts:
                assert machine.user is User.ENDING
                assert same_words(self.drafted[drafts[0]], self.open_turns[machine.turn])
        if machine.floor is not None and machine.floor[1] is Reply.HELD and not machine.closed:
            assert machine.turn is not None, "a hold is for an overlap"
        assert machine.deadline is None or machine.deadline > self.at, "no deadline lies in the past"

    def over(self) -> None:
        """After `close()`: nothing is left open."""
        assert not self.open_turns
        assert not {Fate.DRAFT, Fate.PENDING} & set(self.replies.values())
        assert self.machine.deadline is None
