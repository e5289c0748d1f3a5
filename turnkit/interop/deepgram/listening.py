"""`listen`: a session on a connection of Deepgram's synchronous client, as its quick start has one, with threads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from anyio.from_thread import start_blocking_portal
from deepgram.core.events import EventType
from websockets.exceptions import WebSocketException

from ...checks import is_number, shown
from ...errors import ConfigError, RemoteProtocolError
from ...flux.credential import Credential
from ...flux.failures import translate
from ...session import Session
from ...session.feed import Feed
from ...wire import ForceEndTurn, encode
from .connection import HOST

if TYPE_CHECKING:
    from deepgram.listen.v2.socket_client import V2SocketClient


def listen(
    session: Session, connection: V2SocketClient, *, backend: str = "asyncio", close_timeout: float = 2.0
) -> None:
    """Hold a session on an open connection of the synchronous client; returns when the conversation is over.

        with client.listen.v2.connect(model="flux-general-en", encoding="linear16", sample_rate=16000) as connection:
            Thread(target=send_audio, args=(connection,), daemon=True).start()
            listen(session, connection)

    It takes the place of `connection.start_listening()`, which it calls in a thread of its own: handlers that were
    registered with `connection.on` are called there as ever. The session has an event loop in another thread, and
    `session.call_from_thread` reaches it from any. Audio and commands are yours to send, with the connection's own
    methods. When the connection has closed, the session ends as at the end of any source; when the session has ended
    first, as after `hang_up`, or at Ctrl-C, Flux is asked to close. A connection that is lost is not made again:
    whoever wants that uses `flux`.

    Args:
        session: is run once.
        connection: not listened to yet.
        backend: what the session's loop is of, "asyncio" or "trio". Default "asyncio".
        close_timeout: seconds for Flux to close, when the session has ended first. Default 2.

    Raises:
        ConfigError: for a `close_timeout` that is no positive number of seconds.
        ConnectionFailed: if the connection is lost; what was said so far has been answered then.
        RemoteProtocolError: if the SDK could not read a message, with which its listening ends.
        FluxError: if Flux sent an Error and closed.
        LocalProtocolError: if the session has run before. Else what the session, or a handler of yours, raises.
    """
    if not is_number(close_timeout) or close_timeout <= 0:
        raise ConfigError(f"close_timeout={shown(close_timeout)}: must be a positive, finite number of seconds")
    feed = Feed()
    connection.on(EventType.MESSAGE, feed.push)
    connection.on(EventType.ERROR, lambda error: feed.fail(_told(error)))
    listener = Thread(target=_listen, args=(connection, feed), name="turnkit-deepgram-listen", daemon=True)
    try:
        with start_blocking_portal(backend) as portal:
            run = portal.start_task_soon(session.run, _Heard(feed, connection))
            listener.start()
            try:
                run.result()
            except BaseException:  # Ctrl-C too
                run.cancel()
                raise
    finally:
        feed.close()
        if listener.is_alive():
            with suppress(Exception):  # it may be closed already, or gone
                connection.send_close_stream()
            listener.join(close_timeout)


def _listen(connection: Any, feed: Feed) -> None:
    """Read the connection to its end."""
    try:
        connection.start_listening()
    except BaseException as error:  # of a handler for OPEN or CLOSE, of which the SDK does not take care
        feed.fail(error)
    feed.close()
    # The SDK stops at an error. What nobody reads would hold up the closing of the connection for ten seconds.
    with suppress(Exception):
        for _ in connection:
            pass


def _told(error: object) -> object:
    """What the session's source raises for what the SDK gave its handlers."""
    if isinstance(error, (WebSocketException, OSError)):
        return translate(error, HOST, Credential())
    # What a handler of the user's raised comes the same way, and is left as it is. pydantic's errors, and the text in
    # those of JSON, quote what was said.
    if type(error).__name__ in ("JSONDecodeError", "ValidationError"):
        return RemoteProtocolError(f"Deepgram's SDK could not read a message: {type(error).__name__}")
    return error


class _Heard:
    """What the connection says, as a source that can be told to end a turn."""

    def __init__(self, feed: Feed, connection: Any) -> None:
        self._feed = feed
        self._connection = connection

    def __aiter__(self) -> AsyncIterator[object]:
        return aiter(self._feed)

    async def send_force_end_turn(self) -> bool:
        """End the open turn; whether it was sent."""
        try:
            # The older versions have no method for it; this one passes on text as text.
            await anyio.to_thread.run_sync(self._connection.send_media, encode(ForceEndTurn()))
        except (WebSocketException, OSError):
            return False
        return True
