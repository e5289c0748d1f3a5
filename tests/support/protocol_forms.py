"""The state of a `FluxProtocol` as a tuple, to save, compare and go back to: in it, all that decides what follows.

Equal for two states that differ in nothing else. Times are relative to the present second, places of audio to what is
covered, numbers to Flux's next, and the content of audio is not told apart. What only grows and decides nothing is left
out: how many messages there were and were missed, how much was lost. What lies so far back that it cannot matter any
more lies at one place. A stream that is over is one state, whatever it was before.
"""

from __future__ import annotations

from functools import cache
from math import inf
from random import Random
from typing import Any, TypeAlias

from msgspec import Raw, json

from turnkit.errors import ConnectionFailed
from turnkit.wire import TurnInfo

NUMBER = 1000  # of the message that Flux sends next, in a state that was gone back to
FRAMES = 64  # so many frames were covered before
_STEPS = 1000
_FAILURE = ConnectionFailed("earlier")
_AGO = 1.0  # seconds: what was due longer ago is overdue
SLOTS = {
    "FluxProtocol": 26,
    "Heard": 11,
    "Watchdogs": 7,
    "Requests": 3,
    "Request": 7,
    "AudioBuffer": 13,
    "Retries": 7,
}
"""How many attributes each class of the protocol has: one more must find its place here."""
CONTENT = Random(1).randbytes(4 * FRAMES * 1280)
"""What the audio is, by its place."""


Outage: TypeAlias = tuple[int, float, float, float]


class Forms:
    """Saves and restores one protocol.

    Args:
        protocol: of which class it is, does not matter, if it is made as ours.
        request: the class of its requests.
        pause: the longest pause in audio that its watchdog may take for none.
        slow: for how many bytes a word that was heard may not have been told yet.
        flapping: whether it matters how long a connection has held; if not, it has held long enough at once.
    """

    def __init__(self, protocol: Any, request: Any, pause: float, slow: int, *, flapping: bool) -> None:
        self._p = protocol
        self._request = request
        self._pause = pause
        self._slow = slow
        self._flapping = flapping
        self._errors: dict[tuple[str, str], Any] = {}
        self._lines = {line.value: line for line in type(protocol.line)}
        audio = protocol.audio
        self._frame, self._rate = audio._frame, audio.rate
        self.base = FRAMES * self._frame
        bounds = protocol._bounds
        self._tries = 1
        while bounds.backoff_first * 2 ** (self._tries - 1) < bounds.backoff_max:
            self._tries += 1
        self._tries += 1  # after so many attempts the pauses do not grow any more
        self._held = bounds.backoff_max
        self._watched = bounds.message_timeout < inf  # else nothing is ever owed

    def save(self, now: float, number: int) -> tuple[Any, ...]:
        """The form of the protocol's state in this second, when Flux's next message has this number."""
        p = self._p
        line = p.line.value
        if line == "over":
            return (line, p.failure is None)
        h, r, a, w, t = p.heard, p.requests, p.audio, p._watchdogs, p._retries
        rate = self._rate
        progress = round(h.progress * rate)
        lost = line == "lost"
        base = a.sent if lost else a.connection_start + progress
        back = 0 if lost else min(progress, self._slow)
        word = h._told_until() * rate - progress
        forced = r.forced_ends
        pending, queued = r.pending, r.queued
        sent_at = w._sent_at - now
        return (
            line,
            p.closing,
            p.being_read,
            p.options,
            self._kept(p.given_up),
            self._kept(p.failure),
            _round(max(p.deadline - now, 0.0)),
            tuple((command, _index(forced, pending, request)) for command, request in p._commands),
            p._farewell,
            p._last_end_forced,
            p._stuck,
            _round(max(p._silence_at - now, -0.08)),
            _round(p._close_at - now),
            p.lost_meanwhile > 0,
            tuple((_round(one.deadline - now), one.progress == h.steps) for one in forced),
            None if pending is None else (_round(pending.deadline - now), pending.sent),
            None if queued is None else tuple(queued.asked.values()),
            h.turn_open,
            round(h.window * rate) - progress,
            back,
            max(word if word == inf else round(word), -self._slow),
            h._last_id - number,
            h._unnumbered,
            h._transcript,
            h.knows_force_end_turn,
            a.first - base,
            a.sent - base,
            a.end - base,
            tuple(map(len, a._frames)),
            a._next,
            w._pause,
            -inf if not self._watched or sent_at < -self._pause else _round(sent_at),
            self._watched and w._mark == h.messages,
            w._suspected,
            _round(max(w.due_at - now, -_AGO)),
            *self.outage((t._tries, t.deadline, t.next_at, t.connected_at), now, lost=lost),
        )

    def outage(
        self, told: tuple[int, float, float, float], now: float, *, lost: bool
    ) -> tuple[int, float, float, float]:
        """What matters of an outage: how many attempts there were, until when and when next, and since when it held."""
        tries, until, at, since = told
        held = -inf if now - since >= self._held else _round(since - now)
        if not lost and not self._flapping:
            return (0, inf, -inf, -inf)
        if not lost and held == -inf:  # the next loss begins another outage
            return (min(tries, 2), inf if until == inf else 0.0, -inf, -inf)
        tries, until, at = min(tries, self._tries), until - now, at - now
        if not lost:
            # When to try next is decided by the next loss; until when, from then on at the earliest.
            return (tries, _round(max(until, 0.0)), -inf, held)
        if until <= 0:
            return (tries, -1.0, -1.0 if at >= until else -2.0, held)
        return (tries, _round(until), _round(max(at, 0.0)), held)

    def _kept(self, error: Any) -> Any:
        return None if error is None else self._errors.setdefault((type(error).__name__, str(error)), error)

    def restore(self, form: tuple[Any, ...]) -> None:
        """Go back to a state; the present second is then 0."""
        p = self._p
        h, r, a, w, t = p.heard, p.requests, p.audio, p._watchdogs, p._retries
        (
            line,
            p.closing,
            p.being_read,
            p.options,
            p.given_up,
            p.failure,
            p.deadline,
            commands,
            p._farewell,
            p._last_end_forced,
            p._stuck,
            p._silence_at,
            p._close_at,
            lost_meanwhile,
            forced,
            pending,
            queued,
            h.turn_open,
            window,
            back,
            word,
            last_id,
            h._unnumbered,
            h._transcript,
            h.knows_force_end_turn,
            first,
            sent,
            end,
            sizes,
            a._next,
            w._pause,
            w._sent_at,
            mark,
            w._suspected,
            w.due_at,
            t._tries,
            t.deadline,
            t.next_at,
            t.connected_at,
        ) = form
        base = self.base
        p.line = self._lines[line]
        p.lost_meanwhile = float(lost_meanwhile)
        p.attempts = 0
        p._time_offset = (base - back) / self._rate
        h.messages, h.missed, h.steps = 1, 0, _STEPS
        h.progress = back / self._rate
        h.window = (back + window) / self._rate
        h._teller = None if word == -back else _teller((back + word) / self._rate)
        h._last_id = last_id + (0 if line == "lost" else NUMBER)
        w._mark = 1 if mark else -1
        t.failures = [_FAILURE] * t._tries
        a.lost = 0
        a.connection_start = base - back
        a.first, a.sent, a.end = base + first, base + sent, base + end
        at, a._frames = a.first, []
        for size in sizes:
            a._frames.append(CONTENT[at : at + size])
            at += size
        a._rest = bytearray(CONTENT[at : a.end])
        make = self._request
        r.forced_ends = [make(due, _STEPS if fresh else _STEPS - 1) for due, fresh in forced]
        r.pending = r.queued = None
        if pending is not None:
            r.pending = make(pending[0])
            r.pending.sent = pending[1]
        if queued is not None:
            r.queued = make()
            r.queued.asked = {object(): command for command in queued}
        p._commands = []
        for command, index in commands:
            request = r.pending if index == -1 else make() if index == -2 else r.forced_ends[index]
            if index == -2:
                request.settle(None)
            p._commands.append((command, request))


@cache
def _teller(end: float) -> TurnInfo:
    """A message whose last word ends there."""
    word = {"word": "a", "end": None if end == inf else end}
    return TurnInfo(event="Update", turn_index=0, raw_words=Raw(json.encode([word])))


def _round(second: float) -> float:
    return round(second, 9) + 0.0


def _index(forced: list[Any], pending: Any, request: Any) -> int:
    if request is pending:
        return -1
    return next((index for index, one in enumerate(forced) if one is request), -2)
