"""A bot that a server of its own process serves: it answers at length, and records each call under its number."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import anyio

from turnkit import Session
from turnkit.session import Reply
from turnkit.speaking import Sound

RECORDINGS = "TURNKIT_TEST_RECORDINGS"


async def voice(text: str) -> AsyncIterator[Sound]:
    """A TTS that hums, 0.2 s a word, mu-law at 8 kHz for a phone."""
    for count, word in enumerate(text.split()):
        yield Sound(b"\x2a" * 1600, [(word, count * 0.2, count * 0.2 + 0.2)])


async def respond(reply: Reply) -> None:
    await reply.say("This is an answer that goes on for as long as anybody likes to listen. " * 20)


async def never() -> Session:
    await anyio.sleep_forever()
    raise AssertionError


def session(call: Any) -> Session | Awaitable[Session]:
    """A session, recorded as PID/NUMBER.jsonl where there is a place for it; or one that is never made."""
    if getattr(call, "parameters", {}).get("session") == "never":  # a page has none
        return never()
    record = None
    if RECORDINGS in os.environ:
        directory = Path(os.environ[RECORDINGS]) / str(os.getpid())
        directory.mkdir(parents=True, exist_ok=True)
        record = directory / f"{call.parameters['number']}.jsonl"
    return Session(respond=respond, speak=call.speaker(voice), record=record)
