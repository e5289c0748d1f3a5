"""The two clients that the live benchmarks compare: the bare loop, and turnkit's stream and session.

Both run on asyncio, with the same options of websockets, and hand the same thing to the same callbacks.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeAlias

from websockets.asyncio import client

from turnkit.flux import connect
from turnkit.session import Session
from turnkit.turns.events import BargeIn, Commit
from turnkit.wire import FluxOptions

from . import bare


class Heard(Protocol):
    """What a callback gets, from either client: the words, of a message or of a signal."""

    @property
    def transcript(self) -> str:
        """The words of the turn."""


Callback: TypeAlias = Callable[[Heard], None]
Send: TypeAlias = Callable[[bytes], Awaitable[None]]
Listener: TypeAlias = Callable[[str, Callable[[Send], None], Callback, Callback], Coroutine[None, None, None]]


CONTAINER = FluxOptions(encoding=None, sample_rate=None)  # so that what is sent leaves as it is

OPTIONS: dict[str, Any] = {  # turnkit's, so that what differs is not websockets
    "compression": None,
    "ping_interval": 20.0,
    "ping_timeout": 20.0,
    "max_size": 2**20,
    "max_queue": 1024,
    "proxy": None,
}


def _ignore(heard: Heard) -> None:
    """For the events that nobody asked for."""


async def listen_bare(url: str, opened: Callable[[Send], None], started: Callback, ended: Callback) -> None:
    """Receive, decode, dispatch on the event's name: `started` at StartOfTurn, `ended` at EndOfTurn."""
    dispatch = {
        "Update": _ignore,
        "StartOfTurn": started,
        "EagerEndOfTurn": _ignore,
        "TurnResumed": _ignore,
        "EndOfTurn": ended,
    }
    quiet = logging.getLogger("turnkit.websockets")
    quiet.setLevel(logging.WARNING)
    async with client.connect(
        f"{url}/v2/listen?{CONTAINER.to_query()}",
        logger=quiet,
        **OPTIONS,
    ) as socket:
        await socket.recv(False)  # Connected
        opened(socket.send)
        while True:
            message = bare.decode(await socket.recv(False))
            dispatch[message.event](message)


async def listen_turnkit(url: str, opened: Callable[[Send], None], started: Callback, ended: Callback) -> None:
    """A `Session` on a `FluxStream`: `started` at BargeIn, `ended` at Commit, whose reply is audible at once."""
    session = Session()
    session.on(BargeIn, started)

    @session.on(Commit)
    def commit(signal: Commit) -> None:
        session.playback_started(signal.reply)
        ended(signal)

    async with connect(CONTAINER, url=url, transport="websockets") as stream:
        opened(stream.send_audio)
        await session.run(stream)


LISTENERS: dict[str, Listener] = {"bare": listen_bare, "turnkit": listen_turnkit}
