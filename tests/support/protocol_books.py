"""What must be true of the Flux client without I/O: books kept beside it, from what happens to it alone.

They share no code with it, and are told what happens in the order in which it does. Places are in bytes, seconds count
from a moment of one's own choice.
"""

from __future__ import annotations

from math import inf
from typing import Any

from turnkit.flux.bounds import Bounds
from turnkit.wire import Configure, FluxOptions

FRAME_SECONDS = 0.08
ASKED_TO = (1000, 1001, 1005, 1006)
"""How Flux closes when it was asked to."""
EARLY = 1e-9  # seconds that arithmetic may be off


PLAIN = (
    *("line", "closing", "said_close", "forced_last", "failed", "given_up", "being_read", "outage_cost"),
    *("turn", "text", "knows", "owes", "suspected", "pause", "loose", "hidden", "options"),
)
"""What of the books is neither a time nor a place."""


class Violation(Exception):
    """The protocol did what it must not do."""


def insist(holds: object, rule: str) -> None:
    """Raise Violation unless it holds."""
    if not holds:
        raise Violation(rule)


class Asked:
    """A command that Flux answers, as its caller sees it.

    Attributes:
        request: the protocol's.
        until: when it is given up.
        fresh: whether nothing new was heard of the turn since.
    """

    __slots__ = ("fresh", "request", "until")

    def __init__(self, request: Any, until: float, fresh: bool = True) -> None:
        self.request = request
        self.until = until
        self.fresh = fresh


class Books:
    """The books of one stream.

    Attributes:
        line: open, broken, lost or over.
        start: where this connection began.
        sent: up to where it was told; of a stream that is lost, where the next one begins.
        end: up to where audio was given.
        window: up to where Flux says to have heard.
        progress: the same when the turn was last new.
        word: where the last word ends that Flux has told: `inf` if it does not say where, `-inf` if it told none.
        slow: for how many bytes a word that was heard may not have been told yet.
        lost: bytes that nobody will have heard, of this step.
        outage_cost: whether the outage has cost any.
    """

    __slots__ = (
        *PLAIN,
        *("start", "sent", "end", "window", "progress", "word", "slow", "lost", "close_at", "silence_at"),
        *("due", "owed_since", "audio_at", "tries", "until", "next_at", "held_since"),
        *("bounds", "forced", "frame", "limit", "out", "pending", "queued", "rate", "sample"),
    )

    owes: bool
    suspected: bool

    def __init__(self, bounds: Bounds, options: FluxOptions, rate: int, sample: int, slow: int) -> None:
        self.bounds = bounds
        self.rate, self.sample = rate, sample
        self.frame = rate * 8 // 100
        self.limit = round(bounds.replay_seconds * rate / sample) * sample
        self.slow = slow
        self.options = options
        self.line = "open"
        self.closing = self.said_close = self.forced_last = self.failed = self.being_read = False
        self.given_up = ""
        self.close_at = self.silence_at = inf
        self.start = self.sent = self.end = self.lost = 0
        self.outage_cost = False
        self.pause = bounds.message_timeout / 4
        self.audio_at = -inf
        self.tries = 0
        self.until = inf
        self.next_at = self.held_since = -inf
        self.knows: bool | None = None
        self.forced: list[Asked] = []
        self.pending: Asked | None = None
        self.out: list[Asked] = []  # what is still to be sent
        self.queued: list[Configure] | None = None
        self._begin()

    def _begin(self) -> None:
        self.start = self.window = self.progress = self.sent
        self.word = -inf
        self.turn, self.text = False, ""
        self._owe_nothing()
        self.loose = self.hidden = 0

    @property
    def reconnects(self) -> bool:
        """Whether a loss would not be the end."""
        return self.bounds.reconnect_timeout > 0 and not self.closing and self.line != "over"

    @property
    def watched(self) -> bool:
        """Whether the watchdogs are on: while the connection takes what is sent, and nobody wants it closed."""
        return self.line == "open" and not self.closing

    @property
    def waiting(self) -> int:
        """How many bytes are to be sent."""
        return self.end - self.sent

    def forget_settled(self) -> None:
        """What was given up before it left does not leave."""
        self.out = [asked for asked in self.out if not asked.request.settled]

    # Audio ------------------------------------------------------------------------------------------------------------

    def gave(self, size: int, now: float) -> None:
        """The caller has given audio."""
        self.end += size
        seconds = size / self.rate
        self.silence_at = now + max(self.bounds.silence_after, 2 * seconds)
        self.pause = max(self.bounds.message_timeout / 4, 2 * seconds)
        if self.line == "lost":
            self._drop_excess()

    def _drop_excess(self) -> None:
        if self.waiting > self.limit:
            excess = (self.waiting - self.limit) // self.sample * self.sample
            self.sent += excess
            self.lost += excess
            self.outage_cost = self.outage_cost or excess > 0

    def to_send(self, *, short: bool) -> int:
        """How long the next frame must be."""
        if self.line != "open":
            return 0
        whole = self.waiting // self.sample * self.sample
        return self.frame if whole >= self.frame else whole if short or self.closing else 0

    def took(self, size: int, now: float) -> None:
        """A frame has left."""
        self.sent += size
        if size and self.bounds.message_timeout < inf:
            if not self.owes or now - self.audio_at > self.pause:
                self.owes, self.suspected, self.owed_since = True, False, now
                self.due = now + 0.9 * self.bounds.message_timeout
            self.audio_at = now

    # Messages ---------------------------------------------------------------------------------------------------------

    def heard(self) -> None:
        """A message has come, whatever it says."""
        self._owe_nothing()

    def _owe_nothing(self) -> None:
        self.owes = self.suspected = False
        self.due = self.owed_since = inf
        self.audio_at = -inf

    def numbered(self, missed: int, skipped: int) -> None:
        """It carried the next number, after so many that were left out; the protocol missed so many."""
        if self.loose:
            insist(missed <= skipped, "no more is missed than was left out, where numbers are wanting")
        else:
            insist(missed == skipped, "what is missed is what was left out")
        self.loose = self.hidden = 0

    def told(self, event: str, text: str, trigger: str, window: int, word: float, now: float) -> None:
        """Something of the turn; `window` is the place up to which Flux says to have heard, and `word` where the last
        word of it ends.
        """
        if text and window >= self.window:
            self.word = word
        self.window = max(self.window, min(window, self.sent))
        if event == "Update" and self.turn and text in ("", self.text):
            return
        if event != "Update" or self.turn:
            self.text = text
        if event in ("StartOfTurn", "EagerEndOfTurn", "TurnResumed"):
            self.turn = True
        elif event == "EndOfTurn":
            self.turn, self.knows = False, trigger != ""
        self.progress = self.window
        for asked in self.forced:
            asked.fresh = False
        if event == "EndOfTurn" and trigger == "manual":
            self.forced_end_answered(now)

    def forced_end_answered(self, now: float) -> None:
        """The oldest ForceEndTurn that may still be answered was; those before it were given up."""
        while self.forced:
            asked = self.forced.pop(0)
            expired = asked.until <= now
            settled(asked, answered=not expired, expired=expired)
            if not expired:
                return

    def configure_answered(self) -> None:
        """The Configure under way was."""
        if self.pending is not None:
            settled(self.pending, answered=True)
            self.pending = None

    # Ends -------------------------------------------------------------------------------------------------------------

    def broke(self, now: float, given_up: str = "") -> None:
        """The connection takes nothing any more."""
        if self.line in ("open", "broken"):
            self.line = "broken"
            self.given_up = self.given_up or given_up
            self.out.clear()
            if self.closing and not given_up:
                self.close_at = now + self.bounds.close_timeout

    def covered(self, window: int) -> int:
        """Where another connection begins: a word that this one heard up to `window` is told, or there is none."""
        if window > self.word:
            window = max(int(self.word) if self.word > self.start else self.start, window - self.slow)
        return window

    def went_down(self, now: float, luck: float) -> None:
        """The connection is lost, and another one wanted."""
        self.line = "lost"
        self.outage_cost = False
        self.sent = self.covered(self.progress if self.given_up == "unended" else self.window)
        self._drop_excess()
        self.out.clear()
        for asked in self.forced:
            settled(asked, answered=True)
        self.forced.clear()
        if self.pending is not None:
            self.pending.until = now + self.bounds.reconnect_timeout + self.bounds.answer_timeout
        if now - self.held_since >= self.bounds.backoff_max:
            self.tries, self.until = 0, inf
        self.tried(now, luck)
        self._begin()

    def over(self, now: float, *, heard_all: bool = False) -> None:
        """There will be no connection any more."""
        whole = self.end - self.end % self.sample
        place = self.sent if heard_all or self.line == "lost" else self.window
        self.lost += whole - place
        for asked in (*self.forced, *([self.pending] if self.pending else [])):
            settled(asked, answered=False)
        self.forced.clear()
        self.pending = None
        self.out.clear()
        self.line = "over"

    # Connecting -------------------------------------------------------------------------------------------------------

    def tried(self, now: float, luck: float) -> None:
        """An attempt failed, or the first is to be made."""
        pause = 0.0
        if self.tries:
            pause = min(self.bounds.backoff_first * 2.0 ** (min(self.tries, 60) - 1), self.bounds.backoff_max) * luck
        self.next_at = now + pause
        self.tries += 1

    def made(self, now: float) -> None:
        """There is another connection."""
        self.line = "open"
        self.given_up = ""
        self.failed = False
        self.held_since = now
        self._begin()
        if self.pending is not None:
            self.out.append(self.pending)
            self.pending.until = now + self.bounds.answer_timeout

    # Time -------------------------------------------------------------------------------------------------------------

    def wake(self, now: float) -> bool:
        """Time has passed; returns whether a frame of silence must have been added."""
        if self.pending is not None and self.pending.until <= now:
            settled(self.pending, answered=False, expired=True)
            self.pending = None
        expired = [asked for asked in self.forced if asked.until <= now]
        self.forced = [asked for asked in self.forced if asked.until > now]
        for asked in expired:
            settled(asked, answered=False, expired=True)
        if self.close_at <= now:
            self.close_at = inf
            self.broke(now, "unclosed")
        if not self.watched:
            return False
        if any(asked.fresh for asked in expired) and self.turn and self.reconnects and self.being_read:
            self.broke(now, "unended")
            return False
        if self.due <= now and self._decides_on_silence(now):
            insist(now - self.owed_since >= self.bounds.message_timeout - EARLY, "it had its time to say something")
            self.broke(now, "silent")
            return False
        if not self.turn or self.silence_at > now:
            return False
        self.silence_at += FRAME_SECONDS
        if self.silence_at <= now:
            self.silence_at = now + FRAME_SECONDS
        return self.waiting < self.frame

    def _decides_on_silence(self, now: float) -> bool:
        """Whether Flux owes a message, and has had its time, a tenth of it after it was first suspected."""
        if not self.owes or now - self.audio_at > self.pause:
            self._owe_nothing()
        elif not self.being_read:
            self.due, self.suspected = now + 0.9 * self.bounds.message_timeout, False
        elif not self.suspected:
            self.due, self.suspected = now + 0.1 * self.bounds.message_timeout, True
        else:
            return True
        return False

    @property
    def next_due(self) -> float:
        """When something is to be done at the latest."""
        due = self.close_at
        if self.forced:
            due = min(due, self.forced[0].until)
        if self.pending is not None:
            due = min(due, self.pending.until)
        if self.watched:
            due = min(due, self.due if self.owes else inf, self.silence_at if self.turn else inf)
        return due


def settled(asked: Asked, *, answered: bool, expired: bool = False) -> None:
    """See that a request was settled, and how."""
    request = asked.request
    insist(request.settled, "who waits for an answer is told when there will be none any more")
    insist((request.answer is not None) == answered, "an answer is who it was meant for's")
    insist(request.expired == expired, "given up is what was not answered in time, and nothing else")
