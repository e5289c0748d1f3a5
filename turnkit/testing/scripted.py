"""Stand-ins for what a bot depends on: an LLM, a voice and a tool, as slow as wanted, failing when wanted.

All of them remember their calls, and write them down in the conversation that is being rehearsed.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from inspect import isawaitable
from typing import Any, TypeAlias

import anyio

from ..session import Reply
from ..speaking import Playback
from .matching import contains_words
from .pace import Pace, Paces, ScriptedFailure
from .rehearsal_context import current_reply, goes_wrong, note
from .scripted_call import ScriptedCall

Answer: TypeAlias = str | Sequence[Any]
Answers: TypeAlias = Answer | Mapping[str, Answer] | Callable[[Sequence[Mapping[str, Any]]], Answer]


class ScriptedLLM:
    """An LLM that gives prepared answers, token by token.

    An answer is text, whose words are the tokens, or a list of whatever your bot takes for tokens.

    Args:
        answers: One answer; or answers by words of the user, the first that are in what was said last; or a function
            of the messages that gives the answer.
        otherwise: The answer if none of the words were said. Default `Pardon?`.
        pace: The pace of all calls, or a list of the paces of the first, the second ... and all others. Default
            0.3 s to the first token and 0.05 s a token.

    Attributes:
        calls: Every call, as a ScriptedCall.

    Raises:
        ConfigError: The pace is no Pace, nor a list of at least one.
    """

    def __init__(
        self, answers: Answers, *, otherwise: Answer = "Pardon?", pace: Pace | Sequence[Pace] = Pace(0.3, 0.05)
    ) -> None:
        self.calls: list[ScriptedCall] = []
        self._answers = answers
        self._otherwise = otherwise
        self._paces = Paces(pace)

    def stream(self, messages: Sequence[Mapping[str, Any]]) -> AsyncIterator[Any]:
        """The answer to the conversation so far, token by token."""
        call = ScriptedCall(anyio.current_time(), [dict(message) for message in messages], current_reply())
        self.calls.append(call)
        note("llm", f"asked “{_last(messages)}”")
        answer = self._answer(messages)
        return _Tokens(call, _tokens(answer), self._paces.of(len(self.calls) - 1))

    async def respond(self, reply: Reply) -> None:
        """Say the answer to the conversation so far: the smallest bot."""
        async for token in self.stream(reply.messages):
            await reply.say(token)

    @property
    def wasted(self) -> int:
        """The tokens of calls that were cancelled, failed, or whose reply was never heard."""
        heard = (call for call in self.calls if call.outcome in ("finished", "under way"))
        useful = (call for call in heard if call.reply is None or call.reply.heard or call.reply.outcome is None)
        return sum(len(call.gave) for call in self.calls) - sum(len(call.gave) for call in useful)

    def _answer(self, messages: Sequence[Mapping[str, Any]]) -> Answer:
        if callable(self._answers):
            return self._answers(messages)
        if isinstance(self._answers, Mapping):
            said = _last(messages)
            return next(
                (answer for words, answer in self._answers.items() if contains_words(said, words)), self._otherwise
            )
        return self._answers


def _last(messages: Sequence[Mapping[str, Any]]) -> str:
    said = [str(message["content"]) for message in messages if message.get("role") == "user"]
    return said[-1] if said else ""


def _tokens(answer: Answer) -> list[Any]:
    return re.findall(r"\s*\S+\s*", answer) if isinstance(answer, str) else list(answer)


class _Tokens:
    """The tokens of an answer; no generator, as one left half-way would have to be closed by whoever leaves it."""

    def __init__(self, call: ScriptedCall, tokens: list[Any], pace: Pace) -> None:
        self._call = call
        self._tokens = tokens
        self._pace = pace

    def __aiter__(self) -> _Tokens:
        return self

    async def __anext__(self) -> Any:
        count = len(self._call.gave)
        if self._pace.goes_wrong_at(count):
            goes_wrong(self._call.reply)
        try:
            await self._pace.step(count, "LLM")
        except BaseException as error:
            self._call.end(error)
            note("llm", self._call.outcome)
            raise
        if count == len(self._tokens):
            if self._call.ended is None:
                self._call.end()
                note("llm", f"done after {count} tokens")
            raise StopAsyncIteration
        self._call.gave.append(self._tokens[count])
        return self._tokens[count]


class ScriptedVoice:
    """A `speak` whose sound takes time, and pauses while it is held.

    Args:
        pace: `first` is the seconds to the first sound, `between` the seconds a word; of all calls, or a list of the
            paces of the first, the second ... and all others. Default 0.2 s and 0.3 s.

    Attributes:
        calls: Every call, as a ScriptedCall.
        sounds: What was audible: (second on the loop's clock, reply, word), a word at its beginning.

    Raises:
        ConfigError: The pace is no Pace, nor a list of at least one.
    """

    def __init__(self, *, pace: Pace | Sequence[Pace] = Pace(0.2, 0.3)) -> None:
        self.calls: list[ScriptedCall] = []
        self.sounds: list[tuple[float, int, str]] = []
        self._paces = Paces(pace)

    async def __call__(self, reply: Any, chunks: AsyncIterable[str | bytes], playback: Playback, /) -> None:
        """Say one reply; see `turnkit.speaking.Speak`."""
        call = ScriptedCall(anyio.current_time(), None, reply)
        self.calls.append(call)
        try:
            await self._speak(call, reply, chunks, playback, self._paces.of(len(self.calls) - 1))
        except BaseException as error:
            call.end(error)
            raise
        call.end()

    async def _speak(
        self, call: ScriptedCall, reply: Any, chunks: AsyncIterable[str | bytes], playback: Playback, pace: Pace
    ) -> None:
        heard = ""
        async for chunk in chunks:
            for word in _tokens(chunk) if isinstance(chunk, str) else [""]:
                if pace.goes_wrong_at(len(call.gave)):
                    goes_wrong(reply)
                if not call.gave:
                    await pace.step(0, "voice")
                await playback.wait_resumed()
                if not call.gave:
                    playback.started()
                call.gave.append(word)
                self.sounds.append((anyio.current_time(), reply.id, word))
                await anyio.sleep(pace.between)
                heard += word
                playback.advance(heard)
                if pace.goes_wrong_at(len(call.gave)):
                    goes_wrong(reply)
                if len(call.gave) == pace.fails_at:
                    raise ScriptedFailure(f"the scripted voice fails at {len(call.gave)}, as it was told to")
                if len(call.gave) == pace.hangs_at:
                    await anyio.sleep_forever()


class ScriptedTool:
    """A tool that takes effect, such as a booking system; each call, with its key, is an effect of the conversation.

    Args:
        name: What failing assertions call it.
        result: What it gives, or a function of the details that makes it, sync or async. Default None.
        pace: `first` is the seconds it takes; of all calls, or a list of the paces of the first, the second ... and
            all others. Default 0.5 s.

    Attributes:
        calls: Every call, as a ScriptedCall.

    Raises:
        ConfigError: The pace is no Pace, nor a list of at least one.
    """

    def __init__(self, name: str, result: Any = None, *, pace: Pace | Sequence[Pace] = Pace(0.5)) -> None:
        self.name = name
        self.calls: list[ScriptedCall] = []
        self._result = result
        self._paces = Paces(pace)

    async def __call__(self, *, key: str | None = None, **details: Any) -> Any:
        """Take effect, under this key; calls under one key are one effect, however often they are made."""
        call = ScriptedCall(anyio.current_time(), details, current_reply(), key=key)
        self.calls.append(call)
        note("tool", f"{self.name} begins", tool=self.name, call=call)
        pace = self._paces.of(len(self.calls) - 1)
        if pace.goes_wrong_at(0):
            goes_wrong(call.reply)
        try:
            await pace.step(0, f"tool {self.name}")
            result = self._result(**details) if callable(self._result) else self._result
            if isawaitable(result):
                result = await result
        except BaseException as error:
            call.end(error)
            note("tool", f"{self.name} {'fails' if call.failed else 'is cut off'}")
            raise
        call.end()
        call.gave.append(result)
        note("tool", f"{self.name} done")
        return result
