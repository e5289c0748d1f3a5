"""What Pipecat is to be told of a call, step by step: signals in, steps out; no framework, no clock, no waiting.

Pipecat knows one user turn at a time, and no reply that is still to be judged. So its turn is opened when the user has
the floor, and not when they begin to speak: words over the bot are nothing to it until they are a barge-in, a
backchannel, or a turn that is answered later.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TypeAlias

from ..turns.events import (
    BargeIn,
    Cancel,
    CancelReason,
    Commit,
    DropReason,
    Signal,
    Speculate,
    TurnDropped,
    TurnStarted,
    TurnUpdated,
)

INITIATE = "initiate"
"""The trigger of a Commit that nobody said anything for."""


@dataclass(frozen=True, slots=True)
class Open:
    """The user has the floor; `interrupts` if whatever the bot is at has to stop."""

    interrupts: bool


@dataclass(frozen=True, slots=True)
class Interim:
    """The words so far."""

    text: str


@dataclass(frozen=True, slots=True)
class Draft:
    """An answer may be prepared to this text."""

    signal: Speculate
    text: str


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The answer that is being prepared is not wanted."""

    reply: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The turn is over, with this text; the draft of that number answers it, if it was made for it."""

    signal: Commit
    text: str


@dataclass(frozen=True, slots=True)
class Close:
    """The turn is over, and there is nothing to answer."""


@dataclass(frozen=True, slots=True)
class Backchannel:
    """This was said while the bot keeps the floor."""

    text: str


@dataclass(frozen=True, slots=True)
class Interrupt:
    """The bot is to stop, although no turn of the user's begins."""


Step: TypeAlias = Open | Interim | Draft | Withdraw | Answer | Close | Backchannel | Interrupt


_INTERRUPTS = Open(interrupts=True)
_LETS_BE = Open(interrupts=False)


class Steps:
    """The steps that are still to be taken.

    What has become pointless before its turn came is not taken at all: a draft that was withdrawn or is final by now,
    words that have changed again.

    Attributes:
        draft: the draft that Pipecat was, or will be, told of and that still stands.
        is_open: whether the user has a turn, once all steps are taken.
    """

    __slots__ = ("_told", "_waiting", "draft", "is_open")

    def __init__(self) -> None:
        self._waiting: deque[Step] = deque()
        self._told: tuple[str, ...] = ()  # the turns that Pipecat knows of, since an answer was heard
        self.draft: int | None = None
        self.is_open = False

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def first(self) -> Step:
        """The one to take next."""
        return self._waiting[0]

    def next(self) -> Step:
        """Take the first."""
        return self._waiting.popleft()

    def put(self, signal: Signal) -> None:
        """Add what follows from a signal; most say nothing to Pipecat."""
        if type(signal) is TurnStarted:  # the one that has to be quick
            if signal.overlaps is None:
                self._open(interrupts=True)
            return
        match signal:
            case TurnUpdated():
                self._forget_interim()
                self._waiting.append(Interim(signal.transcript))
            case BargeIn():
                self._barge_in(signal)
            case Speculate():
                self._open(interrupts=False)
                self.draft = signal.reply
                self._forget_interim()
                self._waiting.append(Draft(signal, self._text(signal)))
            case Cancel():
                self._cancel(signal)
            case Commit() if signal.trigger != INITIATE:
                self._commit(signal)
            case TurnDropped():
                self._drop(signal)

    def close(self) -> None:
        """Have a turn that Pipecat may still have open, because it was told of no end, end; unless the user has one."""
        if not self.is_open:
            self._waiting.append(Close())

    def _open(self, *, interrupts: bool) -> None:
        if self.is_open:
            return
        self.is_open = True
        if not self._waiting:
            self._waiting.append(_INTERRUPTS if interrupts else _LETS_BE)
            return
        words = self._forget_interim()  # what stops the bot goes before them
        if self._waiting and isinstance(self._waiting[-1], Close):
            self._waiting.pop()  # it goes on, as a turn that was lost with its stream does
        else:
            self._waiting.append(_INTERRUPTS if interrupts else _LETS_BE)
        if words is not None:
            self._waiting.append(words)

    def _barge_in(self, signal: BargeIn) -> None:
        if signal.turn is None or self.is_open:
            self._waiting.append(Interrupt())
        else:
            self._open(interrupts=True)

    def _cancel(self, signal: Cancel) -> None:
        if signal.reply == self.draft:
            self.draft = None
            if not self._forget_draft(signal.reply):
                self._waiting.append(Withdraw(signal.reply))
        elif signal.reason is CancelReason.NEW_TURN:
            self._open(interrupts=True)
        elif signal.reason is CancelReason.INTERRUPTED:
            self._waiting.append(Interrupt())

    def _commit(self, signal: Commit) -> None:
        self._open(interrupts=False)
        self._forget_draft(signal.reply)
        self._forget_interim()
        self.draft, self.is_open = None, False
        text = self._text(signal)
        # Words that were taken back had cancelled an answer: Pipecat, which has the question, is asked it again.
        self._waiting.append(Answer(signal, text or " ".join(signal.unanswered)))
        self._told = (*signal.unanswered, signal.transcript)

    def _drop(self, signal: TurnDropped) -> None:
        if signal.reason is DropReason.OVERLAP_KEPT:
            self._waiting.append(Backchannel(signal.transcript))
        elif self.is_open and signal.reason not in (DropReason.SUPERSEDED, DropReason.CLOSED):
            self.is_open = False
            self._waiting.append(Close())

    def _forget_interim(self) -> Step | None:
        """Take back the words that wait as the last; None if there are none."""
        if self._waiting and isinstance(self._waiting[-1], Interim):
            return self._waiting.pop()
        return None

    def _forget_draft(self, reply: int) -> bool:
        """Take back the step that would begin this draft; whether it was still to be taken."""
        for step in self._waiting:
            if isinstance(step, Draft) and step.signal.reply == reply:
                self._waiting.remove(step)
                return True
        return False

    def _text(self, signal: Speculate | Commit) -> str:
        """The words of a turn, after those of earlier ones that Pipecat has not been told."""
        told = list(self._told)
        fresh = []
        for words in signal.unanswered:
            if words in told:
                told.remove(words)
            else:
                fresh.append(words)
        return " ".join((*fresh, signal.transcript)).strip()
