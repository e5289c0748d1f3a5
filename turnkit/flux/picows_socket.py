"""A WebSocket whose frames picows reads and writes, in C; websockets opens it, and its exceptions are raised.

`PicowsSocket` is what `connect` of websockets is given to make a connection with (`create_connection`). So the name is
looked up, a proxy and TLS are gone through, and the answer to the upgrade is judged by the same code, and with the same
errors, as where websockets carries the frames too. Once the upgrade has succeeded, the asyncio transport is handed to
picows' own protocol, which is told that it was upgraded, and calls `on_ws_frame` from then on.

The masks of what picows sends can be guessed. Masks keep an intermediary from being misled, and there is
none: beyond this machine, and networks that the caller trusts, all goes through TLS.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from picows import WSFrame, WSListener, WSMsgType, WSTransport
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # not in its stub
from websockets.client import ClientProtocol
from websockets.exceptions import ConcurrencyError, ConnectionClosed, ConnectionClosedError, ConnectionClosedOK
from websockets.frames import OK_CLOSE_CODES, Close
from websockets.http11 import Response

_READ_BUFFER = 2048  # bytes, to begin with: Flux's messages are smaller as a rule, and it grows
_OF_PICOWS = ("host", "upgrade", "connection", "sec-websocket-version", "sec-websocket-key")  # headers it sends itself
_TEXT, _BINARY, _CONTINUATION = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION
_END_OF_HEAD = b"\r\n\r\n"
_GRANTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n"
)
_NO_CODE = 1005  # what a close frame without a code counts as
_PONG, _CLOSE = WSMsgType.PONG, WSMsgType.CLOSE


class _Log:
    """What picows takes for a logger: it says so only there if it gives the connection up. Nothing is written.

    Its lines name headers and peers, and quote what was received.
    """

    __slots__ = ("_complaint",)

    def __init__(self, complaint: Callable[[], None]) -> None:
        self._complaint = complaint

    def isEnabledFor(self, _: int) -> bool:
        return False

    def info(self, *_: object) -> None:
        pass

    debug = warning = log = info

    def error(self, *_: object) -> None:
        self._complaint()

    exception = error


class PicowsSocket(WSListener):
    """A connection on asyncio, with what of websockets' own connections is used here, and besides `ready` and `write`.

    Args:
        opening: websockets' side of the opening handshake.
        ping_interval: seconds between pings, the last of which has to be answered by then.
        ping_timeout: not used: a pong is due when the next ping is.
        close_timeout: seconds for the other side to end the connection, after which it is dropped.
        max_queue: frames that wait for `recv` before no more are read.
        write_limit: bytes in the transport's buffer from which on it is full.
        max_size: bytes of a message, at most.

    Attributes:
        transport: asyncio's.
        response: to the upgrade.
        paused: whether the transport's buffer is full.
        push: takes a message at once; None where messages wait for `recv`. Its reader sets it, as that of a
            `PushingConnection`.
    """

    __slots__ = (
        "_answered",
        "_close_timeout",
        "_closed",
        "_deaf",
        "_drained",
        "_frames",
        "_head",
        "_held",
        "_loop",
        "_max_queue",
        "_max_size",
        "_open",
        "_opening",
        "_parser",
        "_parts",
        "_ping_interval",
        "_pong_due",
        "_reader",
        "_received",
        "_received_first",
        "_retrieving",
        "_sent",
        "_timer",
        "_write_limit",
        "_ws",
        "paused",
        "push",
        "response",
        "transport",
    )

    def __init__(
        self,
        opening: ClientProtocol,
        *,
        ping_interval: float,
        ping_timeout: float,
        close_timeout: float,
        max_queue: int,
        write_limit: int,
        max_size: int,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._opening: ClientProtocol | None = opening
        self._ping_interval = ping_interval
        self._close_timeout = close_timeout
        self._max_queue = max_queue
        self._max_size = max_size
        self._write_limit = write_limit
        self.transport: Any = None
        self.response: Response | None = None
        self.paused = False
        self.push: Callable[[bytes], None] | None = None
        self._answered: asyncio.Future[None] | None = None
        self._head: bytes | None = b""  # the end of what has come of the head of the answer; None once it was whole
        self._parser: Any = None
        self._ws: WSTransport | None = None
        self._open = False  # whether it takes frames
        self._deaf = False  # whether what comes is no longer heard
        self._frames: deque[bytes] = deque()
        self._parts: bytearray | None = None  # of a message of which not all fragments have come
        self._held = False  # whether nothing is read because nobody takes what was
        self._reader: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._received: Close | None = None
        self._sent: Close | None = None
        self._received_first = False
        self._retrieving: asyncio.Task[None] | None = None
        self._pong_due = False
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> PicowsSocket:
        return self

    # Opening: what websockets and asyncio call ----------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """There is a connection to the host, on which nothing was said yet."""
        transport.set_write_buffer_limits(self._write_limit)
        self.transport = transport

    async def handshake(self, additional_headers: Any = None, user_agent_header: str | None = None) -> None:
        """Ask for the upgrade; raises what websockets raises if it is not granted."""
        opening = self._opening
        assert opening is not None
        request = opening.connect()
        request.headers.update(additional_headers or {})
        if user_agent_header is not None:
            request.headers.setdefault("User-Agent", user_agent_header)
        self._answered = self._loop.create_future()
        self._parser = WSProtocol(
            host_port=request.headers["Host"],
            ws_path=request.path,
            is_client_side=True,
            ws_listener_factory=lambda *_: self,
            logger=_Log(self._given_up),
            disconnect_on_exception=True,
            websocket_handshake_timeout=None,
            enable_auto_ping=False,
            auto_ping_idle_timeout=0,
            auto_ping_reply_timeout=0,
            auto_ping_strategy=1,
            enable_auto_pong=True,
            max_frame_size=self._max_size,
            extra_headers=[item for item in request.headers.raw_items() if item[0].lower() not in _OF_PICOWS],
            read_buffer_init_size=_READ_BUFFER,
        )
        if self._closed.done():
            self._answer(b"", b"")
        else:
            self._parser.connection_made(self.transport)
            opening.key = self._parser.transport.request.headers["Sec-WebSocket-Key"]
        await self._answered
        self._answered = self._opening = self._parser = None
        if opening.handshake_exc is not None:
            raise opening.handshake_exc

    def data_received(self, data: bytes) -> None:
        """Read the answer to the upgrade as websockets reads it; what comes after its head is picows', if granted."""
        rest = b""
        if self._head is not None:
            whole = self._head + data
            end = whole.find(_END_OF_HEAD)
            if end < 0:
                self._head = whole[1 - len(_END_OF_HEAD) :]
            else:
                end += len(_END_OF_HEAD) - len(self._head)
                data, rest, self._head = data[:end], data[end:], None
        self._answer(data, rest)

    def eof_received(self) -> None:
        """The host says no more; the transport closes itself."""
        self._answer(b"", b"")

    def connection_lost(self, error: Exception | None) -> None:
        """The connection was lost before it was upgraded, in a proxy's tunnel perhaps before it was made."""
        self._answer(b"", b"")
        self._end()

    def start_keepalive(self) -> None:
        """Send pings from now on."""
        if self._open:
            self._timer = self._loop.call_later(self._ping_interval, self._ping)

    def _answer(self, data: bytes, rest: bytes) -> None:
        """Take what is told of the answer to the upgrade; no data: its end."""
        opening, answered = self._opening, self._answered
        if opening is None or answered is None or answered.done():
            return
        if data:
            opening.receive_data(data)
        else:
            opening.receive_eof()
        for event in opening.events_received():
            assert isinstance(event, Response)
            self.response = event
        if opening.handshake_exc is None and self.response is None:
            if rest:
                self._answer(rest, b"")  # of the body of a refusal
            return
        answered.set_result(None)
        if opening.handshake_exc is None:
            self._upgraded(rest)

    def _upgraded(self, rest: bytes) -> None:
        """Hand the connection over to picows, whose parser is told that it was upgraded, and no more."""
        assert self.response is not None
        parser, accept = self._parser, self.response.headers["Sec-WebSocket-Accept"]
        self._ws = parser.transport
        self._open = True
        self.transport.set_protocol(parser)
        waiting = memoryview(_GRANTED % accept.encode() + rest)
        while waiting:
            room = parser.get_buffer(-1)
            size = min(len(room), len(waiting))
            room[:size] = waiting[:size]
            parser.buffer_updated(size)
            waiting = waiting[size:]
        for head in (self._ws.request, self._ws.response):
            head.headers.clear()  # as those of `websockets` are, once the connection is open: they hold the credential

    # Receiving: what picows calls ------------------------------------------------------------------------------------

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """A frame has come, pings excepted, which picows answers."""
        if not self._open and not self._last_before_fault(frame):
            return
        kind = frame.msg_type
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            self._fail(1002, "reserved bits must be 0")
        elif (kind is _TEXT or kind is _BINARY) and frame.fin and self._parts is None:
            self._take(frame.get_payload_as_bytes())
        elif kind is _PONG:
            self._pong_due = False
        elif kind is _CLOSE:
            self._take_close(frame.get_payload_as_bytes())
        else:
            self._take_fragment(kind, frame)

    def _last_before_fault(self, frame: WSFrame) -> bool:
        """Whether it came before what picows gives the connection up for: that is found first, and then this told.

        What comes after it is told too, for a moment.
        """
        last = not self._deaf and bool(frame.last_in_buffer) and frame.tail_size > 0
        self._deaf = True
        return last

    def _take(self, data: bytes) -> None:
        if self.push is not None:
            return self.push(data)
        self._frames.append(data)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
        if len(self._frames) > self._max_queue and not self._held:
            self._held = True
            self.transport.pause_reading()

    def _take_fragment(self, kind: WSMsgType, frame: WSFrame) -> None:
        if (kind is _CONTINUATION) is (self._parts is None):
            expected = "expected a continuation frame" if self._parts is not None else "unexpected continuation frame"
            return self._fail(1002, expected)
        parts = self._parts = bytearray() if self._parts is None else self._parts
        if len(parts) + frame.payload_size > self._max_size:
            return self._fail(1009, f"a message of more than {self._max_size} bytes")
        parts += frame.get_payload_as_memoryview()
        if frame.fin:
            self._parts = None
            self._take(bytes(parts))

    def _take_close(self, data: bytes) -> None:
        if not self._open:
            return
        self._received = Close.parse(data)
        self._received_first = True
        self._send_close(self._received)
        self._end_soon()

    def _fail(self, code: int, reason: str) -> None:
        """Give the connection up for what the host has sent, or has not."""
        if self._open:
            self._send_close(Close(code, reason))
            self._end_soon()

    def _send_close(self, close: Close) -> None:
        assert self._ws is not None
        self._open, self._deaf = False, True
        self._sent = close
        self._ws.send(_CLOSE, b"" if close.code == _NO_CODE else close.serialize())

    def _given_up(self) -> None:
        """Picows gives the connection up for what the host has sent; it has said why once this has returned."""
        if self._ws is not None:
            self._open = False
            self._loop.call_soon(self._retrieve, self._ws)

    def _retrieve(self, ws: WSTransport) -> None:
        async def wait() -> None:
            with suppress(Exception):  # asyncio complains of what nobody asks for
                await ws.wait_disconnected()

        self._retrieving = self._loop.create_task(wait())
        self._end_soon()

    def _end_soon(self) -> None:
        """Wait for the other side to end the connection, and drop it if it has not within `close_timeout`."""
        if not self._closed.done():
            self._set_timer(self._close_timeout, self.transport.abort)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The connection has ended."""
        told = transport.close_handshake
        if told is not None and told.sent is not None:  # picows has closed it
            self._sent = Close(told.sent.code.value, told.sent.reason)
            if told.recv is not None:
                self._received = Close(told.recv.code.value or _NO_CODE, told.recv.reason or "")
                self._received_first = told.recv_then_sent
        self._end()

    def _end(self) -> None:
        self._open = False
        self._ws = self._parser = None
        if self._timer is not None:
            self._timer.cancel()
        for waiter in (self._reader, self._drained, self._closed):
            if waiter is not None and not waiter.done():
                waiter.set_result(None)

    # Pings -----------------------------------------------------------------------------------------------------------

    def _ping(self) -> None:
        if not self._open or self._ws is None:
            return
        if self._pong_due:
            return self._fail(1011, "keepalive ping timeout")
        self._pong_due = True
        self._ws.send_ping()
        self._set_timer(self._ping_interval, self._ping)

    def _set_timer(self, seconds: float, callback: Callable[[], object]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, callback)

    # What turnkit calls ----------------------------------------------------------------------------------------------

    async def recv(self, decode: bool | None = None) -> bytes:
        """The next message, text too as bytes; raises ConnectionClosed when there are no more."""
        if self._reader is not None:
            raise ConcurrencyError("recv is already running")
        frames = self._frames
        if not frames and not self._closed.done():
            self._reader = self._loop.create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        if not frames:
            raise self._closed_error()
        frame = frames.popleft()
        if self._held and len(frames) <= self._max_queue // 4:
            self._held = False
            if not self.transport.is_closing():
                self.transport.resume_reading()
        return frame

    def wake_reader(self) -> None:
        """Push no more, and let `recv` return an empty message, which is none of the other side's."""
        self.push = None
        self._take(b"")

    @property
    def ready(self) -> bool:
        """Whether it takes a frame now: not while its buffer is full, nor if it closes."""
        return self._open and not self.paused and not self.transport.is_closing()

    def write(self, frame: bytes) -> None:
        """Write a binary frame."""
        assert self._ws is not None
        self._ws.send(_BINARY, frame)

    async def send(self, frame: str | bytes) -> None:
        """Write a frame, text or binary, and wait while the transport's buffer is full; raises ConnectionClosed."""
        if self._open and self._ws is not None and not self.transport.is_closing():
            self._ws.send(_TEXT if isinstance(frame, str) else _BINARY, frame)
            while self.paused and not self._closed.done():
                self._drained = self._drained or self._loop.create_future()
                await asyncio.shield(self._drained)
            if not self._closed.done():
                return
        await self.wait_closed()
        raise self._closed_error()

    async def wait_closed(self) -> None:
        """Wait until the connection has ended."""
        await asyncio.shield(self._closed)

    def pause_writing(self) -> None:
        """The transport's buffer is full."""
        self.paused = True

    def resume_writing(self) -> None:
        """The transport's buffer has room again."""
        self.paused = False
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    def _closed_error(self) -> ConnectionClosed:
        received, sent = self._received, self._sent
        if received is None or sent is None:
            return ConnectionClosedError(received, sent, None)
        fine = received.code in OK_CLOSE_CODES and sent.code in OK_CLOSE_CODES
        return (ConnectionClosedOK if fine else ConnectionClosedError)(received, sent, self._received_first)
