"""Replies that the session runs: the gate before the commit, the barrier before any effect, one outcome each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from ..errors import ConfigError, LocalProtocolError
from ..turns.events import Outcome
from .history import Message

Chunk: TypeAlias = str | bytes
"""What a reply says: text for a TTS, or audio."""

HELD_BACK = 256
"""Chunks that a draft may say before its commit until it has to wait: more than an LLM gives in the time of a turn's
end, and a bound for one that talks on."""

Respond: TypeAlias = Callable[["Reply"], Awaitable[object]]
"""`async def respond(reply)`: says what there is to say, and does what there is to do."""


class Reply:
    """What `respond` gets: what is to be answered, and the way to answer it.

    Written once, run on speculation or not: until the turn is final nothing that is said is heard, and nothing should
    take effect that does not stand behind `await reply.committed()`. If the reply is cancelled or interrupted,
    `respond` is cancelled where it stands.

    Attributes: `id`; `turn` it answers, None if the agent speaks unasked; `transcript` to answer, empty then;
    `unanswered`, the words of earlier turns that never got an audible answer, oldest first; `speculative`, whether it
    began as a draft; `is_committed`, whether the turn is final and this is its reply; `key`, for effects that must
    happen once: the same for every attempt to answer the same turn, and for a later reply that makes up for an
    unanswered one. Give it to whoever books, pays or writes, as the name of what is to be so: the later attempt may
    bring other details. A turn with two different effects needs a suffix for each.
    """

    def __init__(
        self,
        id: int,
        turn: int | None,
        transcript: str,
        unanswered: tuple[str, ...],
        key: str,
        *,
        speculative: bool,
        messages: Callable[[Reply], list[Message]],
    ) -> None:
        self.id = id
        self.turn = turn
        self.transcript = transcript
        self.unanswered = unanswered
        self.speculative = speculative
        self.key = key
        self._messages = messages
        self._heard = ""
        self._outcome: Outcome | None = None
        self.is_committed = False
        self._on_first_chunk: Callable[[], None] | None = None
        self._decided: anyio.Event | None = None  # for whoever waits until it is committed, or over without
        self._gate: MemoryObjectSendStream[Chunk]
        self._chunks: MemoryObjectReceiveStream[Chunk]

    def __repr__(self) -> str:
        # What is answered is what somebody said: it stays out of logs.
        return (
            f"<Reply {self.id} to turn {self.turn}: {self._outcome or ('committed' if self.is_committed else 'draft')}>"
        )

    @property
    def heard(self) -> str:
        """What of it has been heard so far, as `speak` reports it."""
        return self._heard

    @property
    def outcome(self) -> Outcome | None:
        """How it ended, None while it has not."""
        return self._outcome

    @property
    def messages(self) -> list[Message]:
        """The conversation as it stands now, with the turn to answer, as chat messages for an LLM."""
        return self._messages(self)

    async def say(self, chunk: Chunk) -> bool:
        """Say text, or audio; True if it was taken, False if the reply is over and nobody will hear it.

        Before the commit it is held back, and beyond a bound waits. Raises ConfigError for what is neither.
        """
        if not isinstance(chunk, (str, bytes)):
            raise ConfigError(f"say({type(chunk).__name__}): must be text or the bytes of audio")
        if self._outcome is not None:
            await anyio.lowlevel.checkpoint()
            return False
        if self._on_first_chunk is not None:
            self._on_first_chunk()
            self._on_first_chunk = None
        try:
            await self._gate.send(chunk)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return False
        return self._outcome is None

    async def committed(self) -> None:
        """Wait until the turn is final: the barrier before a tool call, a write, anything that takes effect.

        A draft that comes to nothing is cancelled here. Raises LocalProtocolError if the reply is over and did
        not finish, so that nothing of it takes effect, whoever calls.
        """
        await self._wait_decided()
        # However long ago it was decided: a cancellation that came meanwhile takes effect here, not after.
        await anyio.lowlevel.checkpoint()
        self._check_alive()

    @asynccontextmanager
    async def must_finish(self, timeout: float = 30.0) -> AsyncIterator[None]:
        """Once committed, finish this block even if the user takes the floor meanwhile; at most `timeout` seconds.

        Barge-in then ends the speech and leaves the work alone. Waits for the commit like `committed`, and raises as
        it does. Past the timeout TimeoutError is raised, and counts as a failure of `respond`.
        """
        await self.committed()
        with anyio.fail_after(timeout, shield=True):
            yield
        # A cancellation that came meanwhile takes effect here, with the work done.
        await anyio.lowlevel.checkpoint()

    def _check_alive(self) -> None:
        if not self.is_committed or self._outcome not in (None, Outcome.FINISHED):
            how = self._outcome or "not committed"
            raise LocalProtocolError(f"reply {self.id} is over ({how}): nothing of it may take effect any more")

    def _set_committed(self) -> None:
        self.is_committed = True
        if self._decided is not None:
            self._decided.set()

    def _end(self, outcome: Outcome) -> None:
        self._outcome = outcome
        if self._decided is not None:
            self._decided.set()

    async def _wait_decided(self) -> None:
        if not self.is_committed and self._outcome is None:
            self._decided = self._decided or anyio.Event()
            await self._decided.wait()

    def _open(self) -> None:
        """Somebody here will say something."""
        self._gate, self._chunks = anyio.create_memory_object_stream[Chunk](HELD_BACK)

    def _close(self) -> None:
        """Nothing more is taken, and nothing more is given."""
        self._gate.close()
        self._chunks.close()


class Chunks:
    """What a committed reply says, in order; an async iterator that ends when `respond` has ended."""

    def __init__(self, reply: Reply, first: Chunk) -> None:
        self._reply = reply
        self._first: Chunk | None = first
        self._said: list[str] = []

    @property
    def said(self) -> str:
        """The text that has been handed out so far."""
        return "".join(self._said)

    def __aiter__(self) -> Chunks:
        return self

    async def __anext__(self) -> Chunk:
        if self._first is not None:
            chunk, self._first = self._first, None
        else:
            try:
                chunk = await self._reply._chunks.receive()
            except (anyio.EndOfStream, anyio.ClosedResourceError):
                raise StopAsyncIteration from None
        if self._reply.outcome is not None:
            # It was on its way when the reply ended: a cancellation takes effect here, and nobody hears it.
            await anyio.lowlevel.checkpoint()
            raise StopAsyncIteration
        if isinstance(chunk, str):
            self._said.append(chunk)
        return chunk


class ReplyPlayback:
    """Where `speak` reports what is heard, and learns whether it is to pause."""

    def __init__(self, started: Callable[[], None], advance: Callable[[str], None]) -> None:
        self._on_started = started
        self._on_advance = advance
        self._held = anyio.Event()
        self._resumed = anyio.Event()
        self._resumed.set()
        self.has_started = self.has_advanced = False

    def started(self) -> None:
        """The first sound was heard."""
        self.has_started = True
        self._on_started()

    def advance(self, text: str) -> None:
        """`text` is all that has been heard so far."""
        self.has_advanced = True
        self._on_advance(text)

    @property
    def held(self) -> bool:
        """Whether the playback is to pause (or duck): the user has begun to speak, and it is being judged."""
        return self._held.is_set()

    async def wait_held(self) -> None:
        """Wait until the playback is to pause."""
        await self._held.wait()

    async def wait_resumed(self) -> None:
        """Wait until the playback may go on; awaited just before each sound, it lets none out after a barge-in."""
        # What was waited for may be over again by now: nothing comes between the last look and the sound.
        await anyio.lowlevel.checkpoint()
        while self.held:
            await self._resumed.wait()
            await anyio.lowlevel.checkpoint()

    def hold(self) -> None:
        """The session's: an overlap is being judged."""
        if not self.held:
            self._resumed = anyio.Event()
            self._held.set()

    def resume(self) -> None:
        """The session's: it was none."""
        if self.held:
            self._held = anyio.Event()
            self._resumed.set()
