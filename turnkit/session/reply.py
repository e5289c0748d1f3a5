"""The reply that `respond` gets, and the playback that `speak` reports to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

import anyio

from ..errors import ConfigError, LocalProtocolError
from ..turns.events import Commit, Outcome, Speculate
from .gate import Chunk, Gate
from .history import Message

Respond: TypeAlias = Callable[["Reply"], Awaitable[object]]
"""`async def respond(reply)`: says what there is to say, and does what there is to do."""


class Reply:
    """What `respond` gets: what is to be answered, and the way to answer it. Made by the session.

    Written once, run on speculation or not: until the turn is final nothing that is said is heard, and nothing should
    take effect that does not stand behind `await reply.committed()`. If the reply is cancelled or interrupted,
    `respond` is cancelled where it stands.

    Attributes:
        id: the reply's number, never used again in this conversation.
        turn: the turn it answers; None if the agent speaks unasked.
        transcript: the words to answer; empty if the agent speaks unasked.
        unanswered: the words of earlier turns that never got an audible answer, oldest first.
        words: those of `transcript`, with their times and confidence, where Flux gives them.
        languages: those that Flux has heard in the turn, where it tells: to choose a voice by.
        speculative: whether it began as a draft.
        key: a name for effects that must happen once: the same for every attempt to answer the same turn, and for a
            later reply that makes up for an unanswered one. Give it to whoever books, pays or writes, as the name of
            what is to be so: the later attempt may bring other details. A turn with two different effects needs a
            suffix for each.
    """

    def __init__(
        self,
        signal: Speculate | Commit,
        key: str,
        *,
        speculative: bool,
        messages: Callable[[Reply], list[Message]],
        gate: Gate,
        check: Callable[[str], None],
    ) -> None:
        self.id = signal.reply
        self.turn = signal.turn
        self.transcript = signal.transcript
        self.unanswered = signal.unanswered
        self.words = signal.words
        self.languages = signal.languages
        self.speculative = speculative
        self.key = key
        self._messages = messages
        self._gate = gate
        self._check = check  # that it is called in the session's thread

    def __repr__(self) -> str:
        # What is answered is what somebody said: it stays out of logs.
        state = self.outcome or ("committed" if self.is_committed else "draft")
        return f"<Reply {self.id} to turn {self.turn}: {state}>"

    @property
    def is_committed(self) -> bool:
        """Whether the turn is final, and this is its reply."""
        return self._gate.is_committed

    @property
    def heard(self) -> str:
        """What of it has been heard so far, as `speak` reports it."""
        return self._gate.heard

    @property
    def outcome(self) -> Outcome | None:
        """How it ended; None while it has not."""
        return self._gate.outcome

    @property
    def messages(self) -> list[Message]:
        """The conversation as it stands now, with the turn to answer, as chat messages for an LLM.

        What this reply has said is among them, heard or not yet, before what was remembered after it was said.
        """
        return self._messages(self)

    async def say(self, chunk: Chunk) -> bool:
        """Say something. Before the commit it is held back, and beyond 256 chunks this waits.

        Chunks are joined as they are, as the tokens of an LLM are: a second sentence begins with its blank.

        Args:
            chunk: text for a TTS, or the bytes of audio.

        Returns:
            True if it was taken, False if nobody will hear it: the reply is over, or its speech was ended.

        Raises:
            ConfigError: if it is neither text nor bytes.
        """
        if not isinstance(chunk, (str, bytes)):
            raise ConfigError(f"say({type(chunk).__name__}): must be text or the bytes of audio")
        self._check("say")
        return await self._gate.put(chunk)

    def flush(self) -> None:
        """Have what was said so far go to the voice now, also without an end of sentence; once the turn is final.

        Before something that takes its time; `committed` and `must_finish` do it by themselves.
        """
        self._check("flush")
        self._gate.flush()

    def end_speech(self) -> None:
        """Say that nothing more will be said: once all of it has been heard, the reply is over, and the floor is free.

        `respond` may work on, as it may in `must_finish`: a later turn does not cancel it, and the end of the call does
        so only after the drain. Its return says the same, so that only who works on has to call this.
        """
        self._check("end_speech")
        self._gate.complete()

    async def heard_so_far(self) -> None:
        """Wait until all that was said so far has been heard: before a transfer or the end of the call.

        Before the commit it waits for that too. When the user takes the floor it is cancelled with `respond`. A voice
        that reports what is heard is believed; one that does not has been heard when it asks for more, and its words
        have had their time, or when it returns.

        Raises:
            LocalProtocolError: if the reply is over and was not heard to its end, whoever waits.
        """
        self._check("heard_so_far")
        await self._gate.all_heard()
        # A cancellation that came meanwhile takes effect here, not after.
        await anyio.lowlevel.checkpoint()
        if self.outcome not in (None, Outcome.FINISHED):
            raise LocalProtocolError(f"reply {self.id} is over ({self.outcome}): not all of it was heard")

    async def committed(self) -> None:
        """Wait until the turn is final: the barrier before a tool call, a write, anything that takes effect.

        A draft that comes to nothing is cancelled here. What was said so far goes to the voice, as with `flush`.

        Raises:
            LocalProtocolError: if the reply is over and did not finish, so that nothing of it takes effect, whoever
                calls.
        """
        self._check("committed")
        self._gate.flush()
        await self._gate.decided()
        # However long ago it was decided: a cancellation that came meanwhile takes effect here, not after.
        await anyio.lowlevel.checkpoint()
        if not self.is_committed or self.outcome not in (None, Outcome.FINISHED):
            how = self.outcome or "not committed"
            raise LocalProtocolError(f"reply {self.id} is over ({how}): nothing of it may take effect any more")

    @asynccontextmanager
    async def must_finish(self, timeout: float = 30.0) -> AsyncIterator[None]:
        """Once committed, finish this block even if the user takes the floor meanwhile.

        Waits for the commit like `committed`. Barge-in then ends the speech and leaves the work alone.

        Args:
            timeout: seconds that the block may take, 30 by default.

        Raises:
            LocalProtocolError: as `committed` does.
            TimeoutError: if the block takes longer; it counts as a failure of `respond`.
        """
        await self.committed()
        self._gate.silence.work(True)
        try:
            with anyio.fail_after(timeout, shield=True):
                yield
        finally:
            self._gate.silence.work(False)
        # A cancellation that came meanwhile takes effect here, with the work done.
        await anyio.lowlevel.checkpoint()


def check_reply(name: str, reply: object) -> None:
    """Check that the host's call `name` is about the number of a reply.

    Raises:
        LocalProtocolError: it is not.
    """
    if type(reply) is not int:
        rule = "must be the number of a reply, such as `commit.reply`; nothing was changed"
        raise LocalProtocolError(f"{name}({type(reply).__name__}): {rule}")


def check_heard(name: str, heard: object) -> None:
    """Check that what the host's call `name` says was heard is text.

    Raises:
        LocalProtocolError: it is not.
    """
    if not isinstance(heard, str):
        raise LocalProtocolError(f"{name}: heard={type(heard).__name__}: must be text; nothing was changed")


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
        self._on_started()
        self.has_started = True

    def advance(self, text: str) -> None:
        """`text` is all that has been heard so far."""
        check_heard("playback.advance", text)
        self._on_advance(text)
        self.has_advanced = True

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


def saying(text: str) -> Respond:
    """A `respond` that says this text."""

    async def say(reply: Reply) -> None:
        await reply.say(text)

    return say
