"""What all calls of a soak came to, counted as they go."""

from __future__ import annotations

from collections import Counter

from ...flux import FluxStream
from ...turns.events import NoteKind, ReplyEnded
from .ledger import Judgement, Lost

_SHOWN = 50  # lost words that are kept to be shown


class Tally:
    """Counts and seconds; the report is made from it.

    Calls: `begun`, and how they ended: `finished`, `failed` (for good, by the name of the error), `crashed` (by what
    no turnkit error is), `cut` (did not end in time), `not_connected` (attempts to begin one). `faults` that struck, by
    name, and those that did so in calls that did not finish (`fatal`).
    """

    def __init__(self) -> None:
        self.begun = self.finished = self.cut = 0
        self.failed: Counter[str] = Counter()
        self.crashed: Counter[str] = Counter()
        self.not_connected: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.fatal: Counter[str] = Counter()
        self.configures_failed: Counter[str] = Counter()
        self.connections = self.losses = self.reconnects = 0
        self.messages = 0
        self.missed_messages = 0
        self.turns = 0
        self.turns_open = self.turns_wrong = 0
        self.replies: Counter[str] = Counter()
        self.notes: Counter[NoteKind] = Counter()
        self.behind = 0.0  # seconds that audio was late, at most, since this was last set back
        self.dropped = self.replayed = self.silence = 0.0  # seconds of audio
        self.utterances = self.utterances_lost = 0
        self.words = self.words_lost = self.taken_back = self.twice = 0
        self.withheld: Counter[str] = Counter()
        self.lost: list[Lost] = []

    @property
    def turns_lost(self) -> int:
        """Utterances that lost a word, and turns that did not end, or not once."""
        return self.utterances_lost + self.turns_open + self.turns_wrong

    def replied(self, ended: ReplyEnded) -> None:
        """A reply is over."""
        self.replies[ended.outcome] += 1

    def ended(self, notes: Counter[NoteKind], stream: FluxStream, silence: float) -> None:
        """A call is over: what its session and its stream counted."""
        self.notes += notes
        self.missed_messages += stream.missed_messages
        self.silence += silence

    def judged(self, judgement: Judgement, turns_open: int, turns_wrong: int) -> None:
        """The account of a call."""
        self.turns_open += turns_open
        self.turns_wrong += turns_wrong
        self.utterances += judgement.utterances
        self.utterances_lost += judgement.utterances_lost
        self.words += judgement.said
        self.words_lost += len(judgement.lost)
        self.taken_back += judgement.taken_back
        self.twice += judgement.twice
        self.withheld += judgement.withheld
        self.lost += judgement.lost[: max(0, _SHOWN - len(self.lost))]
