"""The gate of a reply: it holds back what a draft says until the commit, and shuts when the reply is over."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from math import inf
from typing import TypeAlias

import anyio

from ..timers import now
from ..turns.events import Outcome
from ..turns.words import has_words, words_of
from .silence import CHARACTERS, Silence

Chunk: TypeAlias = str | bytes
"""What a reply says: text for a TTS, or audio."""

HELD_BACK = 256
"""Chunks that a draft may say before its commit until it has to wait: more than an LLM gives in the time of a turn's
end, and a bound for one that talks on."""

_QUIET = 1.0  # seconds without a report after which a voice that asks for more has said what it was given


class Mark:
    """A place in what a reply says: all before it is to be said now, and somebody may wait until it was heard."""

    __slots__ = ("_gate", "place", "text")

    def __init__(self, gate: Gate, place: int, text: str) -> None:
        self._gate = gate
        self.place = place  # the chunks before it
        self.text = text

    def heard(self) -> None:
        """Report that all before it has been heard."""
        self._gate.reached(self)


class Gate:
    """The gate between what `respond` says and what `speak` gets; the session holds it, and the `Reply` asks it.

    Attributes:
        is_committed: whether the turn is final, and this reply its answer.
        is_complete: whether nothing more will be said.
        has_said: whether anything was said that makes a sound.
        outcome: how the reply ended, None while it has not.
        heard: what of the reply has been heard so far.
        silence: how long the reply has been silent.
    """

    __slots__ = (
        "_asked",
        "_changed",
        "_decided",
        "_held_back",
        "_is_shut",
        "_items",
        "_mark",
        "_more",
        "_on_first_words",
        "_reached",
        "_room",
        "_said",
        "_sign",
        "_taken",
        "_text",
        "has_said",
        "heard",
        "is_committed",
        "is_complete",
        "outcome",
        "silence",
    )

    def __init__(self, silence: Silence) -> None:
        self.is_committed = self.is_complete = self.has_said = False
        self.outcome: Outcome | None = None
        self.heard = ""
        self.silence = silence
        self._decided: anyio.Event | None = None  # for whoever waits until it is committed, or over without
        self._changed: anyio.Event | None = None  # for whoever waits until it is heard
        self._room: anyio.Event | None = None  # for whoever waits until there is room
        self._on_first_words: Callable[[], object] | None = None
        # What there is only where somebody says something here, once it is open.
        self._said: Callable[[str], None]
        self._items: deque[Chunk | Mark]
        self._text: list[str]
        self._more: anyio.Event | None = None  # for whoever waits for an item, or that no more will come
        self._is_shut = False  # whether nothing is given any more
        self._held_back = 0  # chunks in it, those on their way among them
        self._taken = 0  # chunks that were ever taken
        self._mark: Mark | None = None  # the last one
        self._reached: Mark | None = None  # up to where it was heard
        self._asked: Mark | None = None  # up to where a voice that sees no marks has asked for more
        self._sign = -inf  # when the voice last gave a sign

    def open(self, said: Callable[[str], None], on_first_words: Callable[[], object] | None = None) -> None:
        """Somebody here will say something.

        Args:
            said: is told each text that was taken.
            on_first_words: is called when they first say something that is no blank. Default None.
        """
        self._items = deque()
        self._said = said
        self._text = []
        self._on_first_words = on_first_words

    def commit(self) -> None:
        """The turn is final: what was held back may be heard."""
        self.is_committed = True
        self._decide()

    def end(self, outcome: Outcome) -> None:
        """The reply is over, in this way."""
        self.outcome = outcome
        self.silence.stop()
        self._decide()
        self._make_room()
        self.stir()

    def complete(self) -> None:
        """All is said: nothing more is taken, and what is there may still be given."""
        if not self.is_complete:
            self.is_complete = True
            self._tell_taker()
            self._make_room()
            self.silence.complete()

    def discard(self) -> None:
        """Nobody listens any more: nothing is given, nor taken."""
        self._is_shut = True
        self._tell_taker()
        self._make_room()

    # What is said -------------------------------------------------------------------------------------------------

    async def put(self, chunk: Chunk) -> bool:
        """Take a chunk, as soon as there is room; False if nobody will hear it."""
        if self.outcome is not None or self.is_complete:
            await anyio.lowlevel.checkpoint()
            return False
        is_sound = _is_sound(chunk)
        if is_sound:
            if self._on_first_words is not None:
                self._on_first_words()
                self._on_first_words = None
            self.silence.said(chunk)
        while self._held_back >= HELD_BACK and self.outcome is None and not self.is_complete:
            self._room = self._room or anyio.Event()
            await self._room.wait()
        self._held_back += 1
        try:
            await anyio.lowlevel.checkpoint()
        except BaseException:
            self._held_back -= 1
            raise
        if self.is_complete or self._is_shut:
            self._held_back -= 1
            return False
        self._pass_on(chunk)
        self._taken += 1
        if is_sound:
            self.has_said, self._mark = True, None
        if isinstance(chunk, str):
            self._text.append(chunk)
            self._said(chunk)
        return self.outcome is None

    def flush(self) -> Mark | None:
        """Put a mark behind what was said, unless there is one; None if nothing was said yet, or nobody listens."""
        if self._mark is None and self.has_said and self.outcome is None and not self.is_complete:
            if self._is_shut:
                return None
            self._mark = Mark(self, self._taken, self.text)
            self._pass_on(self._mark)
        return self._mark

    def _pass_on(self, item: Chunk | Mark) -> None:
        self._items.append(item)
        self._tell_taker()

    def _tell_taker(self) -> None:
        if self._more is not None:
            self._more.set()
            self._more = None

    @property
    def text(self) -> str:
        """The text that was said so far."""
        return "".join(self._text)

    # What is given to the voice -----------------------------------------------------------------------------------

    async def get(self) -> Chunk | Mark | None:
        """The next chunk or mark, as soon as there is one; None if no more will come."""
        await anyio.lowlevel.checkpoint()
        while not self._is_shut and not self._items and not self.is_complete:
            self._more = self._more or anyio.Event()
            await self._more.wait()
        if self._is_shut or not self._items:
            return None
        item = self._items.popleft()
        if not isinstance(item, Mark):
            self._held_back -= 1
            self._make_room()
            self._sign = now()
        return item

    async def first(self) -> list[Chunk]:
        """What is said up to the first chunk that makes a sound; empty if none will come."""
        chunks: list[Chunk] = []
        while (item := await self.get()) is not None:
            if not isinstance(item, Mark):
                chunks.append(item)
                if _is_sound(item):
                    return chunks
        return []

    def asked(self, mark: Mark) -> None:
        """The voice, which sees no marks, asks for what comes behind this one."""
        self._asked = mark
        self.stir()

    # What is heard ------------------------------------------------------------------------------------------------

    def advance(self, heard: str) -> None:
        """This much has been heard so far."""
        self.heard = heard
        self.sign()

    def sign(self) -> None:
        """The voice gave a sign of life."""
        self._sign = now()
        self.stir()

    def reached(self, mark: Mark) -> None:
        """All before this mark has been heard."""
        if self._reached is None or mark.place > self._reached.place:
            self._reached = mark
            self.silence.caught_up()
            self.stir()

    def stir(self) -> None:
        """Let whoever waits until something is heard look again."""
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    async def all_heard(self) -> None:
        """Wait until all that was said so far has been heard, or the reply is over."""
        if not self.has_said:
            return
        mark = self.flush()
        while self.outcome is None and not self._was_heard(mark):
            self._changed = self._changed or anyio.Event()
            with anyio.CancelScope(deadline=self._quiet_at(mark)):
                await self._changed.wait()
                continue
            if mark is not None:
                self.reached(mark)

    def _was_heard(self, mark: Mark | None) -> bool:
        if mark is None:
            return False  # nobody takes marks any more: the end tells
        if self._reached is not None and self._reached.place >= mark.place:
            return True
        said = "".join(words_of(mark.text))
        return bool(said) and "".join(words_of(self.heard)).startswith(said)

    def _quiet_at(self, mark: Mark | None) -> float:
        """When a voice has had its time to say what is before the mark, unless it gives another sign.

        One that sees no marks tells by asking for more that it has said all, or that it reads ahead.
        """
        if mark is None or self._asked is None or self._asked.place < mark.place or self.silence.is_held:
            return inf
        known = max(len(self.heard), 0 if self._reached is None else len(self._reached.text))
        return self._sign + max(len(mark.text) - known, 0) / CHARACTERS + _QUIET

    # Before the commit --------------------------------------------------------------------------------------------

    async def decided(self) -> None:
        """Wait until the reply is committed, or over without."""
        if not self.is_committed and self.outcome is None:
            self._decided = self._decided or anyio.Event()
            await self._decided.wait()

    def _decide(self) -> None:
        if self._decided is not None:
            self._decided.set()

    def _make_room(self) -> None:
        if self._room is not None:
            self._room.set()
            self._room = None


def _is_sound(chunk: Chunk) -> bool:
    """Whether there is something to hear in it: blanks are no words."""
    return has_words(chunk) if isinstance(chunk, str) else bool(chunk)


class Chunks:
    """What a committed reply says, in order; an async iterator that ends when the reply says no more.

    Args:
        gate: the reply's.
        first: what has come out of it already.
    """

    __slots__ = ("_first", "_gate", "_said")

    def __init__(self, gate: Gate, first: Iterable[Chunk]) -> None:
        self._gate = gate
        self._first = deque(first)
        self._said: list[str] = []

    @property
    def said(self) -> str:
        """The text that has been handed out so far."""
        return "".join(self._said)

    def with_marks(self) -> MarkedChunks:
        """The same with its marks: behind one, all before it is to be said now, also without an end of sentence.

        Call `mark.heard()` once all before it has been heard. Whatever is neither text nor bytes is a mark.
        """
        return MarkedChunks(self)

    def __aiter__(self) -> Chunks:
        return self

    async def __anext__(self) -> Chunk:
        while isinstance(item := await self.next(), Mark):
            self._gate.asked(item)
        return item

    async def next(self) -> Chunk | Mark:
        """The next chunk or mark.

        Raises:
            StopAsyncIteration: if there is none.
        """
        item = self._first.popleft() if self._first else await self._gate.get()
        if item is None:
            raise StopAsyncIteration
        if self._gate.outcome is not None:
            # It was on its way when the reply ended: a cancellation takes effect here, and nobody hears it.
            await anyio.lowlevel.checkpoint()
            raise StopAsyncIteration
        if isinstance(item, str):
            self._said.append(item)
        return item


class MarkedChunks:
    """The same chunks, with the marks among them."""

    __slots__ = ("_chunks",)

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks

    def __aiter__(self) -> MarkedChunks:
        return self

    async def __anext__(self) -> Chunk | Mark:
        return await self._chunks.next()
