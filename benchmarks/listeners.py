"""The clients that the live benchmarks compare: the bare loop, and turnkit's stream and session.

Both run on asyncio, with the same options of websockets, and hand the same thing to the same callbacks.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any, Protocol, TypeAlias

from websockets.asyncio import client

from turnkit.flux import connect
from turnkit.flux.transports import Transport
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
Opened: TypeAlias = Callable[[Send], None]
Listener: TypeAlias = Callable[[str, Opened, Callback, Callback], Coroutine[None, None, None]]
Dispatching: TypeAlias = Callable[[str, Opened, Mapping[str, Callback]], Coroutine[None, None, None]]


CONTAINER = FluxOptions(encoding=None, sample_rate=None)  # so that what is sent leaves as it is

OPTIONS: dict[str, Any] = {  # turnkit's, so that what differs is not websockets
    "compression": None,
    "ping_interval": 20.0,
    "ping_timeout": 20.0,
    "max_size": 2**20,
    "max_queue": 1024,
    "proxy": None,
}


def ignore(heard: Heard) -> None:
    """For the events that nobody asked for."""


def dispatch(started: Callback = ignore, ended: Callback = ignore, drafted: Callback = ignore) -> dict[str, Callback]:
    """What to call for each event of Flux, by its name."""
    return {
        "Update": ignore,
        "StartOfTurn": started,
        "EagerEndOfTurn": drafted,
        "TurnResumed": ignore,
        "EndOfTurn": ended,
    }


async def dispatching(url: str, opened: Opened, callbacks: Mapping[str, Callback]) -> None:
    """Receive, decode, and dispatch on the event's name, until cancelled."""
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
            callbacks[message.event](message)


async def listen(loop: Dispatching, url: str, opened: Opened, started: Callback, ended: Callback) -> None:
    """A bare loop: `started` at StartOfTurn, `ended` at EndOfTurn."""
    await loop(url, opened, dispatch(started, ended))


async def listen_turnkit(transport: Transport, url: str, opened: Opened, started: Callback, ended: Callback) -> None:
    """A `Session` on a `FluxStream`: `started` at BargeIn, `ended` at Commit, whose reply is audible at once."""
    session = Session()
    session.on(BargeIn, started)

    @session.on(Commit)
    def commit(signal: Commit) -> None:
        session.playback_started(signal.reply)
        ended(signal)

    async with connect(CONTAINER, url=url, transport=transport) as stream:
        opened(stream.send_audio)
        await session.run(stream)


LISTENERS: dict[str, Listener] = {
    "bare": partial(listen, dispatching),
    "turnkit": partial(listen_turnkit, "websockets"),
}
