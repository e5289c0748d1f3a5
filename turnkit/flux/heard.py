"""What a connection has told: its numbers, what of the audio it covered, and whether its turn gets anywhere."""

from __future__ import annotations

from ..turns.events import COUNTABLE
from ..wire import TurnInfo

_OPENING = ("StartOfTurn", "EagerEndOfTurn", "TurnResumed")


class Heard:
    """What the messages of one connection after another amount to.

    Attributes:
        messages: how many there were, of all connections.
        missed: how many Flux numbered that never arrived, of all connections.
        window: the highest audio_window_end of this connection, in its own time.
        progress: the same when its turn last had anything new, or none was open.
        steps: how often that was.
        turn_open: whether the user has a turn.
        knows_force_end_turn: whether the host does; None if it has not shown yet.
    """

    __slots__ = (
        "_last_id",
        "_transcript",
        "_unnumbered",
        "knows_force_end_turn",
        "messages",
        "missed",
        "progress",
        "steps",
        "turn_open",
        "window",
    )

    def __init__(self) -> None:
        self.messages = self.missed = self.steps = 0
        self.knows_force_end_turn: bool | None = None
        self.begin_connection()

    def begin_connection(self) -> None:
        """Another connection: it counts turns, messages and time from 0."""
        self.turn_open = False
        self.window = self.progress = 0.0
        self._last_id = -1
        self._unnumbered = 0
        self._transcript = ""

    def count(self, sequence_id: int) -> None:
        """Note the number of a message, -1 if it has none.

        Flux counts the messages of all types from 0. One that carries no number may or may not have taken one, so a gap
        is forgiven for each of them.
        """
        self.messages += 1
        if sequence_id == self._last_id + 1 and not self._unnumbered:
            self._last_id = sequence_id
        elif sequence_id < 0:
            self._unnumbered += 1
        elif sequence_id > self._last_id:
            self.missed += max(0, sequence_id - self._last_id - 1 - self._unnumbered)
            self._last_id = sequence_id
            self._unnumbered = 0

    def follow(self, message: TurnInfo, sent: float) -> bool:
        """Note what a message says of its turn, and what it covers of the `sent` seconds; whether that is progress."""
        window = message.audio_window_end
        if window > self.window:
            # Nobody covers what was not sent; and a number can be larger than any second.
            self.window = min(window, sent, COUNTABLE)
        if message.event != "Update":
            self._transcript = message.transcript
            if message.event in _OPENING:
                self.turn_open = True
            elif message.event == "EndOfTurn":
                self.turn_open = False
                # `trigger` and ForceEndTurn came to Flux together, in August 2026.
                self.knows_force_end_turn = message.trigger != ""
        elif self.turn_open:
            if not message.transcript or message.transcript == self._transcript:
                return False
            self._transcript = message.transcript
        self.steps += 1
        self.progress = self.window
        return True
