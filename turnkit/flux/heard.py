"""What a connection has told: its numbers, what of the audio it covered, and whether its turn gets anywhere."""

from __future__ import annotations

from math import inf, isfinite

from ..turns.events import COUNTABLE
from ..wire import TurnInfo

_OPENING = ("StartOfTurn", "EagerEndOfTurn", "TurnResumed")
TOLD_WITHIN_SECONDS = 1.0
"""The longest delay with which Flux tells a word that it has heard; 0.3 to 0.6 s are usual, most at a turn's start."""


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
        "_teller",
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
        self._teller: TurnInfo | None = None  # the last message with words

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
        if message.transcript and window >= self.window:  # not one that comes late: others have told more
            self._teller = message
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

    def covered(self, window: float) -> float:
        """Up to where another connection need hear nothing again of what this one heard up to `window`.

        What Flux has heard it may not have told yet: words are told later than they are said. So it is the end of the
        last word told, but no more than `TOLD_WITHIN_SECONDS` before: what was not told by then is silence.
        """
        return max(min(window, self._told_until()), window - TOLD_WITHIN_SECONDS, 0.0)

    def _told_until(self) -> float:
        """Where the last word ends that was told; `inf` if Flux does not say where."""
        if self._teller is None:
            return 0.0
        words = self._teller.words
        end = words[-1].end if words else None
        return end if end is not None and isfinite(end) else inf
