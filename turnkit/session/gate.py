"""The gate of a reply: it holds back what a draft says until the commit, and shuts when the reply is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from ..turns.events import Outcome
from .silence import Silence

Chunk: TypeAlias = str | bytes
"""What a reply says: text for a TTS, or audio."""

HELD_BACK = 256
"""Chunks that a draft may say before its commit until it has to wait: more than an LLM gives in the time of a turn's
end, and a bound for one that talks on."""


class Gate:
    """The gate between what `respond` says and what `speak` gets; the session holds it, and the `Reply` asks it.

    Attributes:
        is_committed: whether the turn is final, and this reply its answer.
        outcome: how the reply ended, None while it has not.
        heard: what of the reply has been heard so far.
        silence: how long the reply has been silent.
    """

    __slots__ = ("_decided", "_entry", "_exit", "_on_first_chunk", "heard", "is_committed", "outcome", "silence")

    def __init__(self, silence: Silence) -> None:
        self.is_committed = False
        self.outcome: Outcome | None = None
        self.heard = ""
        self.silence = silence
        self._decided: anyio.Event | None = None  # for whoever waits until it is committed, or over without
        self._on_first_chunk: Callable[[], object] | None = None
        self._entry: MemoryObjectSendStream[Chunk]
        self._exit: MemoryObjectReceiveStream[Chunk]

    def open(self, on_first_chunk: Callable[[], object] | None = None) -> None:
        """Somebody here will say something; `on_first_chunk` is called when they first do."""
        self._entry, self._exit = anyio.create_memory_object_stream[Chunk](HELD_BACK)
        self._on_first_chunk = on_first_chunk

    def commit(self) -> None:
        """The turn is final: what was held back may be heard."""
        self.is_committed = True
        self._decide()

    def end(self, outcome: Outcome) -> None:
        """The reply is over, in this way."""
        self.outcome = outcome
        self._decide()

    def complete(self) -> None:
        """All is said: nothing more is taken, and what is there may still be given."""
        self._entry.close()

    def discard(self) -> None:
        """Nobody listens any more; what is there is not given either."""
        self._exit.close()

    def close(self) -> None:
        """Nothing more is taken, and nothing more is given."""
        self._entry.close()
        self._exit.close()

    async def put(self, chunk: Chunk) -> bool:
        """Take a chunk, as soon as there is room; False if nobody will hear it."""
        if self.outcome is not None:
            await anyio.lowlevel.checkpoint()
            return False
        if self._on_first_chunk is not None:
            self._on_first_chunk()
            self._on_first_chunk = None
        self.silence.said(chunk)
        try:
            await self._entry.send(chunk)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return False
        return self.outcome is None

    async def get(self) -> Chunk | None:
        """The next chunk, as soon as there is one; None if no more will come."""
        try:
            return await self._exit.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            return None

    async def decided(self) -> None:
        """Wait until the reply is committed, or over without."""
        if not self.is_committed and self.outcome is None:
            self._decided = self._decided or anyio.Event()
            await self._decided.wait()

    def _decide(self) -> None:
        if self._decided is not None:
            self._decided.set()


class Chunks:
    """What a committed reply says, in order; an async iterator that ends when `respond` has ended."""

    def __init__(self, gate: Gate, first: Chunk) -> None:
        self._gate = gate
        self._first: Chunk | None = first
        self._said: list[str] = []

    @property
    def said(self) -> str:
        """The text that has been handed out so far."""
        return "".join(self._said)

    def __aiter__(self) -> Chunks:
        return self

    async def __anext__(self) -> Chunk:
        chunk, self._first = self._first, None
        if chunk is None:
            chunk = await self._gate.get()
        if chunk is None:
            raise StopAsyncIteration
        if self._gate.outcome is not None:
            # It was on its way when the reply ended: a cancellation takes effect here, and nobody hears it.
            await anyio.lowlevel.checkpoint()
            raise StopAsyncIteration
        if isinstance(chunk, str):
            self._said.append(chunk)
        return chunk
