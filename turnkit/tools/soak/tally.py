"""Tally of all calls of a soak, counted as they end."""

from __future__ import annotations

from collections import Counter

from ...flux import FluxStream
from ...turns.events import NoteKind, ReplyEnded
from .ledger import Account, Lost

_SHOWN = 50  # lost words that are kept to be shown


class Tally:
    """Counts and seconds that the report is made from.

    Attributes:
        begun: Number of calls that began.
        finished: Number of calls that ended as they should.
        cut: Number of calls that did not end in time.
        failed: Number of calls that failed for good, by the name of the error.
        crashed: Number of calls that raised what is no turnkit error, by its name and place.
        not_connected: Number of attempts to begin a call that failed, by the name of the error.
        faults: Number of faults that struck, by name.
        fatal: Number of those that struck in calls that did not finish.
        configures_failed: Number of Configures that failed, by the name of the error.
        behind: Seconds that audio was late at most, since this was last set back.
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

    def add_reply(self, ended: ReplyEnded) -> None:
        """Count a reply that is over."""
        self.replies[ended.outcome] += 1

    def add_call(self, notes: Counter[NoteKind], stream: FluxStream, silence: float) -> None:
        """Add what the session and the stream of a call counted."""
        self.notes += notes
        self.missed_messages += stream.missed_messages
        self.silence += silence

    def add_account(self, account: Account, turns_open: int, turns_wrong: int) -> None:
        """Add the account of a call."""
        self.turns_open += turns_open
        self.turns_wrong += turns_wrong
        self.utterances += account.utterances
        self.utterances_lost += account.utterances_lost
        self.words += account.said
        self.words_lost += len(account.lost)
        self.taken_back += account.taken_back
        self.twice += account.twice
        self.withheld += account.withheld
        self.lost += account.lost[: max(0, _SHOWN - len(self.lost))]
