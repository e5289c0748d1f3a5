"""A phone that calls your bot: it plays in real time what it is sent, gives marks back, and misbehaves when told to."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from typing import Any, Literal

import anyio

from ..errors import ConfigError, ConnectionFailed
from .phone_lines import LINES, Audio, Clear, Mark, decoded

_RATE = 8000
_FRAME = 160  # bytes: 20 ms
_SILENCE = b"\xff" * _FRAME
_CLOSE, _VANISH = "close", "vanish"


class FakePhone:
    """A caller on the phone, with the telephone service that stands between: Twilio, Telnyx or Plivo.

        phone = FakePhone(parameters={"customer": "17"})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(phone.call)
            await twilio.hold_call(phone.websocket, make_session, connect=...)

    In memory it needs no socket, and goes by virtual time; `call(socket)` does the same over a websocket that is
    connected to a real server. What the bot sends and the service would not take is kept in `complaints`.

    Args:
        line: which service it is: `twilio`, the default, `telnyx` or `plivo`.
        parameters: what is passed to the bot as the call begins. Default none.
        audio: what the caller says first, mu-law at 8 kHz; silence follows. Default none.
        start: whether the service says that the call begins, as every honest one does. Default True.
        latency: seconds that what it says is on its way. Default 0.

    Attributes:
        websocket: the bot's end, in memory.
        came: all that the bot has sent, each with the second since the call began.
        heard: what the caller has heard, as mu-law; pauses between are not in it.
        complaints: what the bot did that the service does not take.
        ended: who ended the call: `bot` or `caller`; None while it goes on.
    """

    def __init__(
        self,
        *,
        line: Literal["twilio", "telnyx", "plivo"] = "twilio",
        parameters: Mapping[str, str] | None = None,
        audio: bytes = b"",
        start: bool = True,
        latency: float = 0.0,
    ) -> None:
        if line not in LINES:
            raise ConfigError(f"line={line!r}: must be one of {', '.join(LINES)}")
        self._line = LINES[line]()
        self._parameters = dict(parameters or {})
        self._audio = audio
        self._starts = start
        self._latency = latency
        self._outbox: deque[tuple[float, str | bytes]] = deque()  # when each is to be sent
        self._posted = anyio.Event()
        self._playing: deque[tuple[Audio | Mark, float]] = deque()  # with when each came
        self._changed = anyio.Event()
        self._began: float | None = None
        near, far = _wire()
        self.websocket = near
        self._far = far
        self.came: list[tuple[float, dict[str, Any]]] = []
        self.heard = bytearray()
        self.complaints: list[str] = []
        self.ended: Literal["bot", "caller"] | None = None

    # What the caller does, at any time --------------------------------------------------------------------------------

    def press(self, digits: str) -> None:
        """Press keys, all at once."""
        for digit in digits:
            self._post(json.dumps(self._line.key(digit)))

    def hang_up(self) -> None:
        """End the call: the service says so, if it does, and closes the websocket."""
        stop = self._line.stop()
        if stop is not None:
            self._post(json.dumps(stop))
        self._post(_CLOSE)

    def vanish(self) -> None:
        """Be gone without a word: the connection is dropped."""
        self._post(_VANISH)

    def send(self, message: str | bytes) -> None:
        """Send what no service would, or what it would at another time: garbage, say, or a second `start`."""
        self._post(message)

    async def call(self, socket: Any = None) -> None:
        """Be on the phone until one of the two hangs up.

        Args:
            socket: a client's websocket that is connected to the bot, with async `send`, `recv` and `close`, or
                `aclose`, such as those of websockets. Default None: its own in memory, whose other end is `websocket`.
        """
        socket = self._far if socket is None else socket
        self._began = anyio.current_time()
        hello = [json.dumps(message) for message in self._line.hello(self._parameters)] if self._starts else []
        self._outbox.extendleft((self._latency, message) for message in reversed(hello))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._write, socket)
            tasks.start_soon(self._speak)
            tasks.start_soon(self._play)
            await self._read(socket)
            self.ended = self.ended or "bot"
            tasks.cancel_scope.cancel()

    # What has come of it ------------------------------------------------------------------------------------------

    def events(self, *names: str) -> list[str]:
        """The events that have come, in order, or only those of these names."""
        events = [str(message.get("event")) for _, message in self.came]
        return [event for event in events if not names or event in names]

    @property
    def heard_seconds(self) -> float:
        """How much the caller has heard."""
        return len(self.heard) / _RATE

    def _post(self, message: str | bytes) -> None:
        now = self._now() if self._began is not None else 0.0
        self._outbox.append((now + self._latency, message))
        self._posted.set()

    def _now(self) -> float:
        return anyio.current_time() - (self._began or 0.0)

    async def _write(self, socket: Any) -> None:
        while True:
            while not self._outbox:
                self._posted = anyio.Event()
                await self._posted.wait()
            at, message = self._outbox.popleft()
            await anyio.sleep(max(at - self._now(), 0.0))
            if message in (_CLOSE, _VANISH):
                self.ended = self.ended or "caller"
                abort = getattr(getattr(socket, "transport", None), "abort", None)
                if message == _VANISH and abort is not None:
                    abort()
                else:
                    await (socket.close if hasattr(socket, "close") else socket.aclose)()
                return
            try:
                await socket.send(message)
            except Exception:  # the bot has closed it: the reader is told
                return

    async def _speak(self) -> None:
        """The caller's line is open all the while: 50 frames a second."""
        number = 0
        while True:
            number += 1
            await anyio.sleep(max(number * _FRAME / _RATE - self._now(), 0.0))
            frame = (self._audio[(number - 1) * _FRAME : number * _FRAME] + _SILENCE)[:_FRAME]
            self._post(json.dumps(self._line.media(number, frame)))

    async def _read(self, socket: Any) -> None:
        while True:
            try:
                message = await socket.recv()
            except Exception:  # each library has its own for a websocket that was closed
                return
            try:
                self.came.append((round(self._now(), 6), decoded(message)))
                command = self._line.read(self.came[-1][1])
            except ValueError as error:
                self.complaints.append(str(error))
                continue
            if isinstance(command, Clear):
                dropped, self._playing = self._playing, deque()
                for item, _ in dropped:
                    if isinstance(item, Mark):
                        self._post(json.dumps(self._line.played(item.name)))
                if (cleared := self._line.cleared()) is not None:
                    self._post(json.dumps(cleared))
            else:
                self._playing.append((command, self._now()))
            self._changed.set()

    async def _play(self) -> None:
        over = 0.0  # when the last sound ends, or was to end: a service has a clock of its own, however late this is
        while True:
            self._changed = anyio.Event()
            item, came = self._playing[0] if self._playing else (None, 0.0)
            if item is None:
                await self._changed.wait()
            elif isinstance(item, Mark):
                self._playing.popleft()
                self._post(json.dumps(self._line.played(item.name)))
            else:
                over = await self._sound(item, max(over, came))

    async def _sound(self, item: Audio, began: float) -> float:
        """Play audio to its end, or until it is dropped; gives when it ended."""
        end = began + len(item.audio) / _RATE
        while self._plays(item) and self._now() < end - 1e-6:
            self._changed = anyio.Event()
            with anyio.move_on_after(end - self._now()):
                await self._changed.wait()
        if self._plays(item):
            self._playing.popleft()
            self.heard += item.audio
            return end
        self.heard += item.audio[: max(int((self._now() - began) * _RATE), 0)]
        return self._now()

    def _plays(self, item: Audio) -> bool:
        return bool(self._playing) and self._playing[0][0] is item


class _Pipe:
    """One direction of a websocket in memory."""

    def __init__(self) -> None:
        self._messages: deque[str | bytes] = deque()
        self._changed = anyio.Event()
        self.closed = False

    def put(self, message: str | bytes) -> None:
        self._messages.append(message)
        self._changed.set()

    async def get(self) -> str | bytes | None:
        while not self._messages:
            if self.closed:
                return None
            self._changed = anyio.Event()
            await self._changed.wait()
        return self._messages.popleft()

    def close(self) -> None:
        self.closed = True
        self._changed.set()


class _End:
    """One end of a websocket in memory."""

    def __init__(self, sent: _Pipe, received: _Pipe) -> None:
        self._sent = sent
        self._received = received

    async def receive(self) -> str | bytes | None:
        """The next message; None once it is closed."""
        return await self._received.get()

    async def recv(self) -> str | bytes:
        """The next message; raises once it is closed."""
        message = await self.receive()
        if message is None:
            raise ConnectionFailed("the websocket is closed")
        return message

    async def send(self, message: str | bytes, /) -> None:
        """Send a message; raises once it is closed."""
        if self._sent.closed:
            raise ConnectionFailed("the websocket is closed")
        self._sent.put(message)

    async def close(self) -> None:
        """Close it, both ways."""
        self._sent.close()
        self._received.close()


def _wire() -> tuple[_End, _End]:
    there, back = _Pipe(), _Pipe()
    return _End(there, back), _End(back, there)
