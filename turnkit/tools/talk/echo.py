"""Echo: a bot that says back what it heard, and what turnkit decided about it."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from ...session import Reply
from .brain import Brain, counted, understood, words_of
from .stopwatch import Stopwatch


class Echo(Brain):
    """Says how many words it heard, which, and when it was sure that they were all.

    The first sentence is there before the turn is final; the second one is not begun before that.

    Args:
        stopwatch: knows how long the turn's end was waited for.
    """

    greeting = "Hello. I say back what I hear, and how I knew that you were done. Interrupt me whenever you like."

    def __init__(self, stopwatch: Stopwatch) -> None:
        self._stopwatch = stopwatch

    async def answer(self, reply: Reply) -> AsyncGenerator[str, None]:
        """What was heard, and then what was decided."""
        words = words_of(reply.transcript)
        known = understood(words)
        if not words:
            yield "I heard nothing."
            return
        yield f"You said {counted(len(words), 'word')}" if known else f"I heard {counted(len(words), 'syllable')}"
        yield f": {' '.join(known)}." if known else ", and know no words."
        await reply.committed()
        waited = self._stopwatch.waited(reply.id)
        if waited is not None:
            yield f" I waited {waited:.1f} seconds after the last one"
            yield ", and had begun before I was sure." if reply.speculative else ", and then began."
