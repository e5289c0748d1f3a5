"""A `FluxProtocol` that is stepped beside the books, and compared with them at every step."""

from __future__ import annotations

import json
from functools import cache
from math import inf
from operator import attrgetter
from typing import Any, NamedTuple

from msgspec import structs

from tests.support.protocol_books import ASKED_TO, EARLY, PLAIN, Asked, Books, insist
from tests.support.protocol_forms import CONTENT, NUMBER, Forms
from turnkit.errors import ConnectionFailed, FluxError, LocalProtocolError
from turnkit.flux import protocol as real
from turnkit.flux.bounds import Bounds
from turnkit.wire import Configure, Connected, FluxOptions, Thresholds, encode

COMMANDS = (Configure(thresholds=Thresholds(eot_timeout_ms=1000)), Configure(keyterms=("a",)))
NO_TURN = "FORCE_END_TURN_NO_ACTIVE_TURN"
UNPARSABLE = "UNPARSABLE_CLIENT_MESSAGE"
_WHY = {"": "None", "stuck": "stuck", "silent": "message_timeout", "unended": "answer_timeout", "unclosed": "close_t"}
_UNREADABLE = {"Garbage": b"\xff", "Strange": b'{"type":"Strange"}'}
TICK = 2.0**-10
LATE = 0.2
LONG = 64.0  # seconds after which nothing matters any more


class Luck:
    """Rolls what it is told."""

    share = 1.0

    def uniform(self, low: float, high: float) -> float:
        insist((low, high) == (0.5, 1.0), "a random half to the whole of a pause is waited")
        return self.share


class World(NamedTuple):
    """What surrounds one protocol, and within which bounds.

    Attributes:
        bounds: of the stream.
        options: of the stream.
        most: frames of audio that may be on their way, or wait.
        forced: ForceEndTurns that may be under way.
        gaps: messages that may be left out, or unnumbered, in a row.
        flapping: whether a connection may be lost again before it has held; if not, it has held at once.
    """

    bounds: Bounds
    options: FluxOptions = FluxOptions(sample_rate=8000, encoding="mulaw")
    most: float = 3.0
    forced: int = 1
    gaps: int = 1
    flapping: bool = False


class JudgedProtocol:
    """A protocol and its books; every step is a method, which returns False if it cannot be taken here.

    Args:
        world: what surrounds it.
        module: where its class comes from: a modified copy of the real one, perhaps.
    """

    def __init__(self, world: World, module: Any = real) -> None:
        self.world = world
        self.luck = Luck()
        bounds, options = world.bounds, world.options
        sample = {"mulaw": 1, "linear16": 2}[options.encoding or ""]
        assert options.sample_rate is not None
        self._silence = b"\xff" if sample == 1 else b"\0"
        self.p = module.FluxProtocol("host", options, bounds, self.luck)
        rate = options.sample_rate * sample
        slow = round(module.TOLD_WITHIN_SECONDS * rate)
        self.books = Books(bounds, options, rate, sample, slow)
        longest = max(bounds.message_timeout / 4, 2 * world.most * 0.08)
        self.forms = Forms(self.p, module.Request, longest, slow, flapping=world.flapping)
        self.longest_pause = longest
        self.tickets: list[Any] = []
        self.number = NUMBER
        self.now = 0.0
        self.whole: bytes = CONTENT
        items = self.p.connection_made(Connected(sequence_id=0), 0.0)
        self.number = 1
        insist([type(item) for item in items] == [Connected], "the first connection restores nothing")

    # Forms ------------------------------------------------------------------------------------------------------------

    def save(self) -> tuple[Any, ...]:
        """Something to compare, and to go back to."""
        form = self.forms.save(self.now, self.number)
        b, now = self.books, self.now
        b.forget_settled()
        if b.line == "over":
            return (form, None)
        lost = b.line == "lost"
        base = b.sent if lost else b.progress
        memory = (
            _plain(b),
            b.sent - base,
            b.end - base,
            0 if lost else b.window - base,
            0 if lost else max(b.start - base, -b.slow),
            0 if lost else max(b.word - base, b.start - base, -b.slow),
            round(b.close_at - now, 9),
            round(max(b.silence_at - now, -0.08), 9) + 0.0,
            round(max(b.due - now, -1.0), 9) + 0.0,
            round(max(b.owed_since - now, -b.bounds.message_timeout), 9) + 0.0,
            -inf if b.audio_at - now < -self.longest_pause else round(b.audio_at - now, 9) + 0.0,
            self.forms.outage((b.tries, b.until, b.next_at, b.held_since), now, lost=lost),
            tuple((round(asked.until - now, 9), asked.fresh) for asked in b.forced),
            None if b.pending is None else round(b.pending.until - now, 9),
            tuple(-1 if asked is b.pending else b.forced.index(asked) for asked in b.out),
            None if b.queued is None else tuple(b.queued),
        )
        return (form, memory)

    def restore(self, saved: tuple[Any, ...]) -> None:
        """Go back to what was saved; the present second is then 0."""
        form, memory = saved
        self.forms.restore(form)
        b, base = self.books, self.forms.base
        self.now, self.number, self.whole = 0.0, 0 if form[0] == "lost" else NUMBER, CONTENT
        self.luck.share = 1.0
        plain, sent, end, window, start, word, *times, outage, forced, pending, out, queued = memory
        for name, value in zip(PLAIN, plain, strict=True):
            setattr(b, name, value)
        b.close_at, b.silence_at, b.due, b.owed_since, b.audio_at = times
        b.tries, b.until, b.next_at, b.held_since = outage
        # What was covered for good is one with what the connection began with.
        b.start, b.progress = base + start, base
        b.sent, b.end, b.window, b.word = base + sent, base + end, base + window, base + word
        b.lost = 0
        r = self.p.requests
        b.forced = [Asked(request, *one) for request, one in zip(r.forced_ends, forced, strict=True)]
        b.pending = None if pending is None else Asked(r.pending, pending)
        b.out = [b.pending if index == -1 else b.forced[index] for index in out]  # type: ignore[misc]
        b.queued = None if queued is None else list(queued)
        self.tickets = [] if r.queued is None else list(r.queued.asked)

    # The caller -------------------------------------------------------------------------------------------------------

    def speak(self, frames: float) -> Any:
        """The caller gives audio."""
        b = self.books
        size = int(frames * b.frame) or 1
        if size == 1 and (b.end - b.progress) % (b.frame // 2) > 2:
            return False
        if b.closing or not (b.line == "open" or b.reconnects):
            return False
        if b.line != "lost" and b.end - b.progress + size > self.world.most * b.frame:
            return False
        self.p.add_audio(self.whole[b.end : b.end + size], self.now)
        b.gave(size, self.now)
        return True

    def send(self, short: bool = False) -> Any:
        """Whoever holds the socket sends a frame of audio."""
        b = self.books
        size = b.to_send(short=short)
        frame = self.p.next_audio(self.now, short=short)
        insist(len(frame) == size, "audio leaves in frames, and what does not fill one when it is told to")
        insist(frame == self.whole[b.sent : b.sent + size], "audio leaves in its order, none twice and none left out")
        b.took(size, self.now)
        return size > 0

    def command(self) -> Any:
        """Whoever holds the socket sends a command."""
        b = self.books
        b.forget_settled()
        expected = b.out.pop(0) if b.out else None
        kind = ""
        if expected is not None:
            kind = "Configure" if expected is b.pending else "ForceEndTurn"
        elif b.closing and not b.said_close and b.line == "open" and b.waiting < b.sample:
            if b.turn and b.knows is not False and not b.forced_last:
                kind, b.forced_last = "ForceEndTurn", True
            else:
                kind, b.said_close = "CloseStream", True
                b.close_at = self.now + b.bounds.close_timeout
        forgotten = bool(self.p._commands)
        command = self.p.next_command(self.now)
        said = json.loads(command) if command is not None else {"type": ""}
        insist(said["type"] == kind, f"what leaves now is {kind or 'nothing'}, not {said['type'] or 'nothing'}")
        if kind == "Configure":
            insist(command == _encoded(self.p.requests.pending.sent), "what was asked for is what is sent")
        return forgotten or bool(kind)

    def read(self, reading: bool) -> Any:
        """The consumer begins to wait for messages, or does so no more."""
        if self.books.being_read == reading:
            return False
        self.p.being_read = self.books.being_read = reading
        return True

    def force(self) -> Any:
        """The caller wants the turn to end."""
        b = self.books
        if b.closing or not (b.line == "open" or b.reconnects) or len(b.forced) >= self.world.forced:
            return False
        if len(self.p._commands) >= self.world.forced:
            return False
        request = self.p.force_end_turn(self.now)
        insist((request is None) == (b.line != "open" or b.knows is False), "it is asked who can know it")
        if request is not None:
            b.forced.append(Asked(request, self.now + b.bounds.answer_timeout))
            b.out.append(b.forced[-1])
        return request is not None

    def configure(self, which: int) -> Any:
        """The caller wants other settings; whether they are sent at once is another step."""
        b = self.books
        if b.closing or not (b.line == "open" or b.reconnects) or (b.queued is not None and len(b.queued) > 1):
            return False
        request, ticket = self.p.queue_configure(COMMANDS[which])
        insist(not request.settled and request.sent is None, "what was not sent is not answered")
        self.tickets.append(ticket)
        b.queued = [*(b.queued or ()), COMMANDS[which]]
        return True

    def start(self) -> Any:
        """No Configure is under way, so the next one goes."""
        b, p = self.books, self.p
        if not b.queued or b.pending is not None or b.closing or not (b.line == "open" or b.reconnects):
            return False
        if len(p._commands) > 1:
            return False
        request = p.requests.queued
        p.start_configure(request, self.now)
        outage = 0.0 if b.line == "open" else b.bounds.reconnect_timeout
        b.pending = Asked(request, self.now + outage + b.bounds.answer_timeout)
        if b.line == "open":
            b.out.append(b.pending)
        sent = request.sent
        for name, command in (("thresholds", COMMANDS[0]), ("keyterms", COMMANDS[1])):
            wanted = getattr(command, name) if command in b.queued else None
            insist(getattr(sent, name) == wanted, "a Configure holds what each of its callers asked for")
        for ticket in self.tickets:
            p.withdraw_configure(request, ticket)
        self.tickets, b.queued = [], None
        return True

    def withdraw(self) -> Any:
        """The caller whose Configure waits was cancelled."""
        if not self.books.queued:
            return False
        self.p.withdraw_configure(self.p.requests.queued, self.tickets.pop(0))
        self.books.queued.pop(0)
        return True

    def close(self) -> Any:
        """The caller has nothing more to say."""
        b = self.books
        self.p.close(self.now)
        if b.closing:
            return True  # done twice, it does nothing
        b.closing = True
        if b.line == "lost":
            b.over(self.now)
        elif b.line == "broken":
            b.close_at = self.now + b.bounds.close_timeout
        return True

    def leave(self) -> Any:
        """The caller is gone."""
        self.p.end()
        self.books.closing = True
        self.books.over(self.now)
        return True

    # Flux -------------------------------------------------------------------------------------------------------------

    def tell(
        self,
        event: str,
        text: str = "",
        cover: str = "none",
        trigger: str = "",
        number: str = "next",
        word: str = "untimed",
    ) -> Any:
        """Flux says something of the turn."""
        b, p = self.books, self.p
        half = b.frame // 2
        if not p.readable or (cover == "some" and b.sent - b.window < half) or not self._can_number(number):
            return False
        if cover == "none":
            place = b.window
        elif cover == "all":
            place = b.sent
        elif cover == "some":
            place = b.window + half
        else:
            place = {"far": b.end + b.frame, "back": b.progress - b.frame}[cover]
        said = self._number(number)
        missed = p.heard.missed
        ends = {"now": place, "before": place - half, "long ago": place - 3 * b.frame, "later": place + half}
        end = ends.get(word, inf)
        shown = "NaN" if word == "nowhere" else (end - b.start) / b.rate if end < inf else None
        item = p.receive(_turn(event, text, trigger, (place - b.start) / b.rate, said, shown), self.now)
        insist(type(item).__name__ == "TurnInfo", "each message is handed over, once and as what it is")
        insist((item.event, item.transcript, item.sequence_id) == (event, text, said), "as Flux sent it")
        insist(abs(item.audio_window_end - place / b.rate) < 1e-6, "the stream's time is that of its audio")
        self._count(number, p.heard.missed - missed)
        b.heard()
        b.told(event, text, trigger, place, end, self.now)
        return True

    def _can_number(self, how: str) -> bool:
        return how in ("next", "skip", "again") or self.books.loose < self.world.gaps

    def _number(self, how: str) -> int:
        """The number that a message carries; -1 for none."""
        if how == "again":
            return self.number - 1 - self.books.hidden
        self.number += {"skip": 2, "next": 1, "hidden": 1, "none": 0}[how]
        return self.number - 1 if how in ("next", "skip") else -1

    def _count(self, how: str, missed: int) -> None:
        """Note what became of the count, of which the protocol now misses so many more."""
        b = self.books
        if how in ("next", "skip"):
            return b.numbered(missed, int(how == "skip"))
        insist(missed == 0, "what carries no new number shows nothing to be missed")
        if how != "again":
            b.loose += 1
            b.hidden += how == "hidden"

    def say(self, kind: str, code: str = "") -> Any:
        """Flux says something else."""
        b, p = self.books, self.p
        how = "hidden" if kind in _UNREADABLE else "next"
        answers = kind in ("ConfigureSuccess", "ConfigureFailure")
        if not p.readable or not self._can_number(how) or (answers and b.pending is None):
            return False
        said = self._number(how)
        missed = p.heard.missed
        if kind == "ConfigureSuccess":
            assert b.pending is not None
            b.options = _taken(b.options, b.pending.request.sent)
            code = json.dumps(
                {"thresholds": {"eot_timeout_ms": b.options.eot_timeout_ms}, "keyterms": b.options.keyterm}
            )
        item = p.receive(_UNREADABLE.get(kind) or _other(kind, code, said), self.now)
        b.heard()
        if kind == "Error":
            self._error(item, code)
            return True
        expected = "Unknown" if kind in _UNREADABLE else "WarningMessage" if kind == "Warning" else kind
        insist(type(item).__name__ == expected, "each message is handed over, once and as what it is")
        self._count(how, p.heard.missed - missed)
        if answers:
            b.configure_answered()
        elif code == NO_TURN:
            b.forced_end_answered(self.now)
        return True

    def _error(self, item: Any, code: str) -> None:
        b = self.books
        unknown = code == UNPARSABLE
        if b.closing and unknown:
            insist(item is None and self.p.line.value == b.line, "the host need not know the last ForceEndTurn")
            b.loose = b.hidden = 0
            return
        forgiven = b.knows is not True and bool(b.forced) and b.pending is None and b.reconnects and not b.given_up
        if unknown and forgiven:
            b.knows = False
        self._ended(item, None, final=unknown and not forgiven)

    # The line ---------------------------------------------------------------------------------------------------------

    def fail(self, stuck: bool = False) -> Any:
        """A frame did not leave."""
        b = self.books
        cause = ConnectionFailed("stuck" if stuck else "gone")
        self.p.send_failed(cause, self.now, stuck=stuck)
        if b.line != "open":
            return True  # it has failed already
        b.failed = not (b.reconnects or b.closing)
        insist((self.p.failure is cause) == b.failed, "who sends learns why, if there is no other connection to come")
        b.broke(self.now, "stuck" if stuck else "")
        return True

    def drop(self, code: int | None = None, final: bool = False, luck: float = 1.0) -> Any:
        """The connection ends."""
        if not self.p.readable:
            return False
        self.luck.share = luck
        cause = LocalProtocolError("wrong") if final else ConnectionFailed("dropped")
        item = self.p.connection_ended(cause, self.now, code=code)
        self._ended(item, code, final=final)
        return True

    def _ended(self, item: Any, code: int | None, *, final: bool) -> None:
        b, p = self.books, self.p
        if b.closing and code in ASKED_TO:
            b.over(self.now, heard_all=b.said_close and b.line == "open")
            insist(item is None and p.failure is None, "an end that was asked for is no failure")
        elif not b.reconnects or (final and not b.given_up):
            b.over(self.now)
            insist(item is None and p.failure is not None, "an end that was not asked for is one")
            insist(not b.given_up or p.failure is p.given_up, "why it was given up is why it ended")
        else:
            b.went_down(self.now, self.luck.share)
            insist(type(item).__name__ == "StreamLost", "a loss is told")
            insist(not b.given_up or item.reason == str(p.given_up), "why it was given up is why it was lost")
            self.number = 0

    def seek(self) -> Any:
        """The consumer wants more, so connections are tried."""
        b = self.books
        if b.line != "lost":
            return False
        self.p.seek(self.now)
        if b.until == inf:
            b.until = self.now + b.bounds.reconnect_timeout
        if b.next_at >= b.until:
            b.over(self.now)
        return True

    def made(self, number: int = 0) -> Any:
        """An attempt makes a connection."""
        b = self.books
        if not self._may_try:
            return False
        items = self.p.connection_made(Connected(sequence_id=number), self.now)
        insist([type(item).__name__ for item in items] == ["StreamRestored", "Connected"], "a restoration is told")
        insist(("were lost" in items[0].reason) == b.outage_cost, "what the outage cost is told, where it did")
        b.made(self.now)
        self.number = 1
        if number < 0:
            b.loose = b.hidden = 1
        return True

    @property
    def _may_try(self) -> bool:
        b = self.books
        return b.line == "lost" and b.until != inf and b.next_at <= self.now

    def refused(self, status: int = 503, luck: float = 1.0) -> Any:
        """An attempt fails."""
        b = self.books
        if not self._may_try or b.until <= self.now:
            return False
        self.luck.share = luck
        self.p.attempt_failed(FluxError(status=status), self.now)
        b.tried(self.now, luck)
        if status == 401 or b.next_at >= b.until:
            b.over(self.now)
            insist(self.p.failure is not None, "an outage that is given up is a failure")
        return True

    # Time -------------------------------------------------------------------------------------------------------------

    def wait(self, how: str | float) -> Any:
        """Time passes: until what is due next ("due"), until after it ("late"; "asleep": and nobody wakes the protocol
        even then), or so many seconds that come before it.
        """
        b, p = self.books, self.p
        if b.turn and b.end - b.progress > (self.world.most + 1) * b.frame:
            return False  # silence would go on and on
        trying = b.line == "lost" and b.until != inf
        due = min(p.deadline, max(b.next_at, self.now) if trying and b.next_at > self.now else inf)
        due = min(due, b.until if trying else inf)
        if due == inf:
            if how != "due":
                return False
            due = LONG
        later = how if not isinstance(how, str) else due if how == "due" else due + LATE
        if (how != "due" and due <= 0) or (not isinstance(how, str) and later >= due):
            return False
        self.now = later
        if how != "asleep" and p.deadline <= later:
            self._wake()
        if trying and b.until <= later and p.line.value == "lost":
            p.attempts_timed_out(later)
            b.tried(later, 1.0)
            b.over(later)
        return True

    def _wake(self) -> None:
        b, p = self.books, self.p
        end = p.audio.end
        odd = b.end % b.sample
        p.wake(self.now)
        silence = b.wake(self.now)
        insist(p.audio.end - end == (b.frame if silence else 0), "silence goes on where audio does not, and only there")
        if silence:
            at = b.end - odd
            self.whole = self.whole[:at] + self._silence * b.frame + self.whole[at:]
            b.end += b.frame
        insist(p.deadline > self.now, "what was due is done")

    # Judging ----------------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Compare the protocol with its books."""
        p, b = self.p, self.books
        a, h, r = p.audio, p.heard, p.requests
        insist(p.line.value == b.line, f"the line is {b.line}, not {p.line.value}")
        insist(a.lost == b.lost, f"{b.lost} bytes are lost by this, not {a.lost}")
        if b.line == "over":
            insist(p.deadline == inf and not r.forced_ends and r.pending is None, "nothing is waited for at the end")
            insist(not a._frames and not a._rest and not p._commands, "nothing is kept in vain")
            return
        insist((a.sent, a.end) == (b.sent, b.end), "what was sent and what waits")
        begun = b.sent if b.line == "lost" else b.start
        insist(abs(p._time_offset * b.rate - begun) < 1e-3, "the stream's time runs on")
        insist(h.turn_open == b.turn and h.knows_force_end_turn is b.knows, "whether a turn is open, and can be ended")
        insist(p.closing == b.closing and (p.given_up is None) == (not b.given_up), "whether it is given up")
        insist(p.deadline <= max(b.next_due, self.now) + EARLY, "the deadline is no later than what is due")
        insist([one.request for one in b.forced] == r.forced_ends, "each ForceEndTurn waits for its answer")
        insist((b.pending and b.pending.request) is r.pending, "one Configure waits for its answer")
        insist(p.options == b.options, "the options are those that Flux took")
        insist((r.queued is None) == (b.queued is None), "what was sent is not to come any more")
        insist(_WHY[b.given_up] in str(p.given_up), "it was given up for the first of its reasons")
        if b.line == "broken":
            insist(p._stuck == (b.given_up == "unended"), "only who hears nobody is sent again what brought nothing")
        self._check_kept()
        if b.line == "lost":
            insist((p.attempt_at, p.attempts_until) == (b.next_at, b.until), "when it is tried")
            insist(p._retries.tries == b.tries == len(p._retries.failures), "each failure is kept")
        else:
            insist(abs(h.window * b.rate + a.connection_start - b.window) < 1e-3, "what Flux covers")
            insist(abs(h.progress * b.rate + a.connection_start - b.progress) < 1e-3, "what it is sure to")

    def rest(self, here: tuple[Any, ...]) -> None:
        """See that what must change nothing does not: misuse, what comes too late, and waking for nothing."""
        b, p = self.books, self.p
        if not (b.line == "open" or b.reconnects) or b.closing:
            self._misuse()
        if b.line == "lost":
            self._too_late()
        else:
            p.attempts_timed_out(0.0)  # as the attempt succeeded
        if b.line != "open":
            insist(p.next_audio(0.0) == b"" and p.next_audio(0.0, short=True) == b"", "only what stands takes audio")
        insist(self.save() == here, "what is refused, or comes too late, changes nothing")
        if p.deadline > 0:
            before = p.deadline
            p.wake(0.0)
            insist(before <= p.deadline <= b.next_due + EARLY, "the deadline is no later than what is due")
            p.deadline = before
            insist(self.save() == here, "waking for nothing changes nothing")
        if TICK < p.deadline < inf:
            p.wake(p.deadline - TICK)
            insist(p.given_up is None or b.given_up, "what has its time until then is not given up before")
            insist(p.audio.end == b.end, "silence is not added before it is due")
            insist(all(not asked.request.settled for asked in (*b.forced, *filter(None, [b.pending]))), "nor an answer")
            self.restore(here)

    def _misuse(self) -> None:
        p, kind = self.p, LocalProtocolError if self.books.closing else ConnectionFailed
        if self.books.line == "over" and not self.books.closing:
            kind = ConnectionFailed
        for misuse in (
            lambda: p.add_audio(b"ab", 0.0),
            lambda: p.queue_configure(COMMANDS[0]),
            lambda: p.force_end_turn(0.0),
            p.check_open,
        ):
            try:
                misuse()
            except kind:
                continue
            insist(False, "who closed is told so, and who comes after the end")

    def _too_late(self) -> None:
        p, now = self.p, self.now
        insist(p.receive(_turn("StartOfTurn", "late", "", 1.0, 5), now) is None, "what comes after the end is nothing")
        insist(p.connection_ended(ConnectionFailed("late"), now, code=1000) is None, "nothing ends twice")
        p.send_failed(ConnectionFailed("late"), now, stuck=True)

    def after_all(self) -> None:
        """See that a stream that is over stays so, and as it is."""
        p, failure = self.p, self.p.failure
        self._too_late()
        self._misuse()
        p.attempt_failed(FluxError(status=401), self.now)
        p.attempts_timed_out(self.now)
        p.wake(self.now + LONG)
        p.close(self.now)
        p.end()
        insist(p.next_audio(self.now, short=True) == b"" and p.next_command(self.now) is None, "nothing is sent then")
        insist(p.failure is failure, "a verdict is final")
        self.check()

    def _check_kept(self) -> None:
        """What is kept is what may be needed, in its places, and no more."""
        a, b = self.p.audio, self.books
        kept = b"".join(a._frames) + a._rest
        insist(kept == self.whole[a.first : a.end], "what is kept is in its places")
        bound = b.limit + b.frame
        if b.line == "open":
            insist(a.first <= b.sent and b.sent - a.first < bound, "of what was sent, enough is kept")
            needed = max(b.progress - b.slow, b.sent - b.limit)
            insist(a.first <= max(b.start, needed), "what may be needed is kept")
            insist(not a._next or a.first + len(a._frames[0]) > needed, "and no more")
        else:
            insist(b.end - a.first < bound + b.sample, "no more is kept than a connection will be given")


_plain = attrgetter(*PLAIN)


@cache
def _encoded(command: Configure) -> str:
    return encode(command)


@cache
def _turn(event: str, text: str, trigger: str, window: float, number: int, end: float | str | None = None) -> bytes:
    fields = {"type": "TurnInfo", "event": event, "turn_index": 0, "transcript": text, "audio_window_end": window}
    words = [{"word": "so", "end": 0.0}, {"word": text, "end": end}] if text else []
    return json.dumps({**fields, "words": words, "trigger": trigger, "sequence_id": number}).encode()


@cache
def _other(kind: str, code: str, number: int | None) -> bytes:
    fields = json.loads(code) if code.startswith("{") else {"code": code}
    return json.dumps({"type": kind, **fields, "sequence_id": number}).encode()


def _taken(options: FluxOptions, command: Configure) -> FluxOptions:
    """The options once Flux has taken a Configure."""
    changes: dict[str, Any] = {}
    if command.thresholds is not None:
        changes["eot_timeout_ms"] = command.thresholds.eot_timeout_ms
    if command.keyterms is not None:
        changes["keyterm"] = command.keyterms
    return structs.replace(options, **changes)
