"""A call whose Flux is gone before the first words could be said."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from tests.support.voices import Voice, echo
from turnkit.errors import ConnectionFailed
from turnkit.interop import twilio
from turnkit.session import Session

pytestmark = pytest.mark.anyio


class Phone:
    """Begins a call, and waits until it is closed."""

    def __init__(self) -> None:
        self.messages = ['{"event":"start","start":{"streamSid":"S","callSid":"C"}}']
        self.closed = anyio.Event()

    async def receive(self) -> str | None:
        if self.messages:
            return self.messages.pop()
        await self.closed.wait()
        return None

    async def send(self, message: str | bytes) -> None:
        await anyio.lowlevel.checkpoint()

    async def close(self, code: int = 1000) -> None:
        self.closed.set()


class Gone:
    """A stream that is over when it is read first."""

    async def send_audio(self, audio: bytes) -> None:
        await anyio.lowlevel.checkpoint()

    def __aiter__(self) -> Gone:
        return self

    async def __anext__(self) -> object:
        raise ConnectionFailed("Flux is gone")


@asynccontextmanager
async def connect(*options: object, **settings: Any) -> AsyncIterator[Gone]:
    """It takes a moment to be closed."""
    yield Gone()
    await anyio.sleep(0.1)


def greet(session: Session) -> None:
    """As a function."""
    session.initiate("Hello.", protected=True)


@pytest.mark.parametrize("greeting", [None, "Hello.", greet])
async def test_the_reason_is_told(greeting: Any) -> None:
    """What Flux did is raised, and not that nobody was there any more to be greeted."""
    phone = Phone()
    with pytest.raises(ConnectionFailed, match=r"^Flux is gone$"):
        await twilio.hold_call(
            phone,
            lambda call: Session(respond=echo, speak=Voice().speak),
            connect=connect,
            greeting=greeting,
        )
    assert phone.closed.is_set()
