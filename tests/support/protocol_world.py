"""A world for the Flux client without I/O: a Flux that hears and says anything, a line that breaks, a caller.

Its steps are taken one by one, from a name and a number, and after each of them the books are compared with the
world's own: which bytes every connection heard, what of them it covered, what is lost.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from math import inf, isfinite
from random import Random
from time import perf_counter
from typing import Any

from turnkit.errors import ConfigError, ConnectionFailed, FluxError, LocalProtocolError
from turnkit.flux.audio_buffer import AudioBuffer
from turnkit.flux.bounds import Bounds
from turnkit.flux.protocol import FluxProtocol, Line, StreamItem
from turnkit.flux.requests import Request
from turnkit.turns.events import StreamLost, StreamRestored
from turnkit.wire import Configure, Connected, FluxOptions, Thresholds, TurnInfo

RATE = 16000  # bytes a second of 8 kHz linear16
FRAME = 1280
SLOW = RATE  # bytes after which Flux has told a word at the latest
EVENTS = ("StartOfTurn", "Update", "EagerEndOfTurn", "TurnResumed", "EndOfTurn", "Novelty")
TEXTS = ("", "well", "well, yes")
LIES = (1.7e308, 2.0**60, 1e6, -1.0, "NaN", "12.5", -1e308, 1e-300)
CODES = (None, 1000, 1001, 1005, 1006, 1011, 1009)
STEPS: tuple[str, ...] = (
    *("speak", "send", "cover", "wait") * 8,
    *("say", "flush", "read", "commands") * 3,
    *("garbage", "lie", "fail", "stuck", "drop", "seek", "force", "configure", "answer", "warn", "error"),
    *("attempt", "refused") * 2,
)
"""The names of the steps, as often as they are wanted; `close` and `leave` end a stream and are not among them."""


class World:
    """One stream, and all around it.

    Args:
        random: rolls what the numbers of the steps do not say.
        kept: replay_seconds.
        reconnect_timeout: of the stream; 0 for one that does not connect again.
    """

    def __init__(self, random: Random, kept: float = 0.5, reconnect_timeout: float = 30.0) -> None:
        self.random = random
        self.bounds = Bounds(replay_seconds=kept, reconnect_timeout=reconnect_timeout, message_timeout=3.0)
        options = FluxOptions(sample_rate=8000, eager_eot_threshold=0.5)
        self.p = FluxProtocol("host", options, self.bounds, Random(0))
        assert isinstance(self.p.audio, AudioBuffer)
        self.audio = self.p.audio
        self.now = 100.0
        self.whole = bytearray()  # all bytes, in their places
        self.covered = 0  # bytes that ended connections covered
        self.start = self.heard = 0  # where this connection began, and how many bytes it heard
        self.window = self.progress = 0  # bytes that it covered, and had when its turn last got anywhere
        self.word = -inf  # where the last word ends that it told; `inf` if it did not say
        self.reached = 0.0  # the second up to which it heard, by its own account
        self.turn_open, self.text = False, ""
        self.said = 1
        self.time = 0.0
        self.honest = True
        self.said_close = False
        self.clean = False  # whether Flux has closed as it was asked to, having covered all it heard
        self.requests: list[Request] = []
        self.forced: list[Request] = []
        self.configuring = False
        self.items: list[StreamItem] = []
        self._made()

    # Steps --------------------------------------------------------------------------------------------------------

    def step(self, name: str, amount: float) -> None:
        """Take one step and check the books; `amount` is from 0 to 1."""
        before = bytes(self.whole[-1:]) if len(self.whole) % 2 else b""
        doing: Callable[[float], None] = getattr(self, name)
        try:
            doing(amount)
        except LocalProtocolError:
            assert self.p.closing
        except ConnectionFailed:
            assert self.p.line is Line.OVER or not self.p.reconnects
        self._note_silence(before)
        self.check()

    def speak(self, amount: float) -> None:
        """Audio of a tenth of a second or so, now and then of many; of any number of bytes."""
        data = self.random.randbytes(int(amount * 2500) if amount < 0.95 else int(amount * 40000))
        self.p.add_audio(data, self.now)
        self.whole += data

    def send(self, amount: float) -> None:
        for _ in range(1 + int(amount * 10)):
            self._take(short=False)

    def flush(self, amount: float) -> None:
        self._take(short=True)

    def commands(self, amount: float) -> None:
        while (command := self.p.next_command(self.now)) is not None:
            self.said_close = self.said_close or '"CloseStream"' in command
            if '"Configure"' in command:
                assert not self.configuring, "one Configure at a time"
                self.configuring = True

    def cover(self, amount: float) -> None:
        """An Update that covers a share of what is not covered yet; it may say something new, or not."""
        end = self.window + int((self.heard - self.window) * amount) // 2 * 2
        self._turn("Update", TEXTS[int(amount * 100) % 3], end / RATE)

    def say(self, amount: float) -> None:
        """Any event of a turn."""
        trigger = {"trigger": ("model", "manual", "timeout")[int(amount * 1000) % 3]} if amount > 0.3 else {}
        self._turn(EVENTS[int(amount * 5.99)], TEXTS[int(amount * 100) % 3], self.window / RATE, **trigger)

    def lie(self, amount: float) -> None:
        """A window, and a number, that cannot be."""
        self.honest = False
        number = self.random.choice((-1, 0, 3, 10**12, self.said + 5))
        window = LIES[int(amount * 7.99)]
        self._turn(EVENTS[int(amount * 5.99)], "words", window, sequence_id=number)

    def garbage(self, amount: float) -> None:
        """Bytes that are no message, or half of one."""
        frame = self.random.randbytes(int(amount * 40))
        if amount > 0.5:
            frame = json.dumps({"type": "TurnInfo", "event": "Update"}).encode()[: int(amount * 50)] + frame
        self._receive(frame)

    def warn(self, amount: float) -> None:
        """The answer to the oldest ForceEndTurn, or something else."""
        waiting = [request for request in self.forced if not request.settled and request.deadline > self.now]
        readable = self.p.readable
        self._say(type="Warning", code="FORCE_END_TURN_NO_ACTIVE_TURN" if amount < 0.8 else "ELSE")
        if readable and waiting:
            assert waiting[0].settled == (amount < 0.8)
            assert not any(request.settled for request in waiting[1:])

    def answer(self, amount: float) -> None:
        if amount < 0.3:
            self._say(type="ConfigureFailure", code="NO")
        else:
            threshold = 0.8 if amount < 0.9 else 7
            self._say(type="ConfigureSuccess", thresholds={"eot_threshold": threshold}, keyterms=["a"])
        self.configuring = self.p.requests.pending is not None and self.configuring

    def error(self, amount: float) -> None:
        code = "INTERNAL_SERVER_ERROR" if amount < 0.9 else "UNPARSABLE_CLIENT_MESSAGE"
        self._say(type="Error", code=code, description="")

    def fail(self, amount: float) -> None:
        self.p.send_failed(ConnectionFailed("gone"), self.now)

    def stuck(self, amount: float) -> None:
        self.p.send_failed(ConnectionFailed("stuck"), self.now, stuck=True)

    def drop(self, amount: float) -> None:
        self._ended(CODES[int(amount * 6.99)])

    def wait(self, amount: float) -> None:
        """Time passes: a little or much, and the alarm rings in time or late; now and then for nothing."""
        self.now += amount * 0.2 if amount < 0.9 else amount * 8
        if self.p.deadline <= self.now or amount > 0.97:
            due = self.p.heard.turn_open and not self.p.closing and self.p._silence_at <= self.now
            ready, size = self.audio.ready, self.audio.end
            self.p.wake(self.now)
            if due and self.p.line is Line.OPEN:
                assert (self.audio.end > size) == (not ready), "silence goes on while audio does not"
            assert self.p.deadline > self.now
            assert all(request.settled or request.deadline > self.now for request in self.requests)
            self.configuring = self.p.requests.pending is not None and self.configuring

    def read(self, amount: float) -> None:
        self.p.being_read = amount < 0.8

    def force(self, amount: float) -> None:
        request = self.p.force_end_turn(self.now)
        if request is not None:
            self.requests.append(request)
            self.forced.append(request)

    def configure(self, amount: float) -> None:
        command = Configure(thresholds=Thresholds(eot_timeout_ms=1000 + int(amount * 1000)), keyterms=(f"{amount}",))
        if amount > 0.9:
            command = Configure(thresholds=Thresholds(eot_threshold=0.5, eager_eot_threshold=0.5))
        try:
            request, ticket = self.p.queue_configure(command)
        except ConfigError:
            return
        if amount < 0.8 and self.p.requests.pending is None:
            self.p.start_configure(request, self.now)
            self.requests.append(request)
        self.p.withdraw_configure(request, ticket)

    def seek(self, amount: float) -> None:
        if self.p.line is Line.LOST:
            self.p.seek(self.now)

    def attempt(self, amount: float) -> None:
        """Whoever wants more has waited for the next attempt, and it works."""
        self._try()
        if self.p.line is Line.LOST:
            items = self.p.connection_made(Connected(sequence_id=0 if amount < 0.9 else -1), self.now)
            assert [type(item) for item in items] == [StreamRestored, Connected]
            pending = self.p.requests.pending
            assert pending is None or pending.deadline == self.now + self.bounds.answer_timeout >= self.p.deadline
            self._made()

    def refused(self, amount: float) -> None:
        self._try()
        if self.p.line is Line.LOST:
            if amount > 0.97:
                self.p.attempts_timed_out(self.now)
            else:
                self.p.attempt_failed(FluxError(status=503 if amount < 0.95 else 401), self.now)

    def close(self, amount: float) -> None:
        self.p.close(self.now)

    def leave(self, amount: float) -> None:
        self.p.end()

    # What the world notes -----------------------------------------------------------------------------------------

    def check(self) -> None:
        """Compare the books: every byte is covered, under way, waiting or lost, and none is kept in vain."""
        p, audio = self.p, self.audio
        assert audio.end == len(self.whole)
        if p.line is Line.OVER:
            assert all(request.settled for request in self.requests)
            assert p.deadline == inf
            here = self.heard if self.clean else self.window
            assert self.covered + here + audio.lost == len(self.whole) // 2 * 2
            return
        if p.line is Line.LOST:
            assert self.covered + audio.lost == audio.sent >= audio.first
            assert audio.end - audio.sent <= self.bounds.replay_seconds * RATE + 1
            assert audio.end - audio.first <= self.bounds.replay_seconds * RATE + FRAME + 1
            return
        assert self.covered + audio.lost == audio.connection_start == self.start
        assert audio.sent == self.start + self.heard
        if p.line is Line.BROKEN:
            assert audio.end - audio.first <= self.bounds.replay_seconds * RATE + 2 * FRAME
        else:
            assert audio.first <= audio.sent
            assert audio.sent - audio.first <= self.bounds.replay_seconds * RATE + FRAME

    def _made(self) -> None:
        if self.p.line is Line.OPEN and not self.items:
            self.items += self.p.connection_made(Connected(sequence_id=0), self.now)
        self.start, self.heard = self.audio.connection_start, 0
        self.window = self.progress = 0
        self.word, self.reached = -inf, 0.0
        self.turn_open, self.text, self.said = False, "", 1
        self.configuring = False
        self.honest = True

    def _try(self) -> None:
        if self.p.line is Line.LOST:
            self.p.seek(self.now)
        if self.p.line is Line.LOST:
            self.now = max(self.now, self.p.attempt_at)
            if self.p.deadline <= self.now:
                self.p.wake(self.now)

    def _take(self, *, short: bool) -> None:
        frame = self.p.next_audio(self.now, short=short)
        at = self.start + self.heard
        assert frame == self.whole[at : at + len(frame)], "in its place, none twice and none left out"
        assert len(frame) % 2 == 0
        assert len(frame) <= FRAME if short or self.p.closing else len(frame) in (0, FRAME)
        self.heard += len(frame)

    def _turn(self, event: str, text: str, window: object, **fields: object) -> None:
        fields = {"event": event, "turn_index": 0, "transcript": text, "audio_window_end": window, **fields}
        if self.random.random() < 0.8:
            fields["words"] = [{"word": word, "end": self._end()} for word in text.split()]
        item = self._say(type="TurnInfo", **fields)
        if isinstance(item, TurnInfo) and self.honest:
            assert isinstance(window, float)
            assert abs(item.audio_window_end - window - self.start / RATE) < 1e-6, "the stream's time is the audio's"
            assert item.audio_window_end >= self.time - 1e-6, "time never goes back"
            self.time = item.audio_window_end

    def _end(self) -> object:
        """Where a word ends: in what was covered last, or anywhere, or nowhere."""
        if self.random.random() < 0.1:
            return self.random.choice((*LIES, None))
        return max(0, self.window - self.random.randrange(0, 2 * SLOW, 2)) / RATE

    def _say(self, **fields: object) -> StreamItem | None:
        fields = {"sequence_id": self.said, **fields}
        self.said += 1
        return self._receive(json.dumps(fields).encode())

    def _receive(self, frame: bytes) -> StreamItem | None:
        readable = self.p.readable
        lost = self.audio.lost
        item = self.p.receive(frame, self.now)
        if not readable:
            assert item is None
        elif isinstance(item, TurnInfo):
            self._follow(json.loads(frame))
        elif isinstance(item, StreamLost):
            self._lost(item, lost)
        return item

    def _follow(self, said: dict[str, Any]) -> None:
        told = float(said.get("audio_window_end", 0.0))
        seconds = max(0.0, told)
        size = self.heard if seconds >= self.heard / RATE else round(seconds * RATE / 2) * 2
        event, text = said["event"], str(said.get("transcript", ""))
        if text and told >= self.reached:
            self.word = _last_end(said)
        self.reached = max(self.reached, min(told, self.heard / RATE))
        self.window = max(self.window, size)
        if event == "Update" and self.turn_open and text in ("", self.text):
            return
        if event != "Update" or self.turn_open:
            self.text = text
        if event in ("StartOfTurn", "EagerEndOfTurn", "TurnResumed"):
            self.turn_open = True
        elif event == "EndOfTurn":
            self.turn_open = False
        self.progress = self.window

    def _ended(self, code: int | None) -> None:
        if self.p.line is Line.OPEN and self.said_close and code in (1000, 1001, 1005, 1006):
            self.clean = True
        lost = self.audio.lost
        item = self.p.connection_ended(ConnectionFailed("dropped"), self.now, code=code)
        if isinstance(item, StreamLost):
            self._lost(item, lost)

    def _lost(self, item: StreamLost, lost_before: int) -> None:
        assert self.p.line is Line.LOST
        lost = self.audio.lost - lost_before
        covered = self.audio.sent - self.start - lost
        window = self.progress if "did not end a turn" in item.reason else self.window
        expected = window if window <= self.word else max(0, self.word, window - SLOW)
        assert abs(covered - expected) <= 2, "what was covered is not sent again, and nothing else is left out"
        self.covered += covered
        self.heard = self.window = 0
        self.configuring = False
        self.time = min(self.time, (self.covered + self.audio.lost) / RATE)

    def _note_silence(self, partial: bytes) -> None:
        """Silence that turnkit put in counts as given; it comes before the bytes of an unfinished sample."""
        size = self.audio.end - len(self.whole)
        if size:
            assert size == FRAME
            assert self.p.heard.turn_open
            at = len(self.whole) - len(partial)
            self.whole[at:at] = bytes(size)


def _last_end(said: dict[str, Any]) -> float:
    """The place where the last word of a message ends."""
    end = said["words"][-1]["end"] if said.get("words") else None
    return float(end) * RATE if end is not None and isfinite(float(end)) else inf


def walk(random: Random, steps: int) -> int:
    """Take so many random steps, through as many streams as it needs; returns how many streams those were."""
    streams = 0
    while steps > 0:
        world = World(random, random.choice((0.0, 0.1, 0.5, 3.0)), random.choice((0.0, 30.0, 30.0, 1e6)))
        streams += 1
        for _ in range(random.choice((30, 300, 3000))):
            world.step(random.choice(STEPS), random.random())
            steps -= 1
            if world.p.line is Line.OVER:
                break
        else:
            world.step("close", 0.0)
            for name in ("send", "commands", "cover", "drop", "wait", "leave"):
                world.step(name, random.random())
                steps -= 1
            world.check()
    return streams


if __name__ == "__main__":
    count = int(sys.argv[1])
    began = perf_counter()
    seen = walk(Random(int(sys.argv[2]) if len(sys.argv) > 2 else 0), count)
    print(f"{count:,} steps, {seen:,} streams, {count / (perf_counter() - began):,.0f} steps/s")
