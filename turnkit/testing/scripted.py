"""Stand-ins for what a bot depends on: an LLM, a voice and a tool, as slow as wanted, failing when wanted.

All of them remember their calls, and tell the conversation that is being rehearsed.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import isawaitable
from math import isfinite
from typing import Any, TypeAlias

import anyio

from ..errors import ConfigError
from ..session import Reply
from ..speaking import Playback
from ..turns.events import Outcome
from ..turns.words import fold
from .rehearsal_context import current_reply, witness

Answer: TypeAlias = str | Sequence[Any]
Answers: TypeAlias = Answer | Mapping[str, Answer] | Callable[[Sequence[Mapping[str, Any]]], Answer]


class ScriptedFailure(ConnectionError):
    """What a stand-in raises where its pace says so: it stands for the failures of a network."""


@dataclass(frozen=True)
class Pace:
    """How a call goes: seconds to its first token, word or result, seconds a token or word, and what goes wrong.

    `fails_at` and `hangs_at` count the tokens or words that come before it raises ScriptedFailure, a ConnectionError,
    or never goes on; a tool has none, so that only 0 makes sense. Raises ConfigError for what is no number of seconds,
    or of tokens.
    """

    first: float = 0.3
    between: float = 0.05
    fails_at: int | None = None
    hangs_at: int | None = None

    def __post_init__(self) -> None:
        for name in ("first", "between"):
            seconds = getattr(self, name)
            if not (isfinite(seconds) and seconds >= 0):
                raise ConfigError(f"{name}={seconds!r}: must be a number of seconds, 0 or more")
        for name in ("fails_at", "hangs_at"):
            count = getattr(self, name)
            if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 0):
                raise ConfigError(f"{name}={count!r}: must be a whole number, 0 or more, or None")

    async def step(self, count: int, who: str) -> None:
        """Let pass what comes before token `count`, or go wrong."""
        await anyio.sleep(self.between if count else self.first)
        if count == self.fails_at:
            raise ScriptedFailure(f"the scripted {who} fails at {count}, as it was told to")
        if count == self.hangs_at:
            await anyio.sleep_forever()


@dataclass
class StandInCall:
    """One call of a stand-in: when, with what, by which reply, what it gave, and how it went.

    `asked` is the messages, the words, or the tool's details; `reply` is None where it is not known; `at` and `ended`
    are seconds on the loop's clock, `ended` None while it is under way.
    """

    at: float
    asked: Any = field(repr=False)
    reply: Reply | None
    gave: list[Any] = field(default_factory=list, repr=False)
    ended: float | None = None
    failed: bool = False
    stopped: bool = False
    key: str | None = None

    @property
    def outcome(self) -> str:
        """`finished`, `failed`, `cancelled` or `under way`; what a reply left behind when it ended is cancelled."""
        if self.failed:
            return "failed"
        left = self.ended is None and self.reply is not None and self.reply.outcome not in (None, Outcome.FINISHED)
        if self.stopped or left:
            return "cancelled"
        return "under way" if self.ended is None else "finished"

    def end(self, error: BaseException | None = None) -> None:
        """It is over, by this error if any."""
        if self.ended is None:
            self.ended = anyio.current_time()
            self.failed = isinstance(error, Exception)
            self.stopped = error is not None and not self.failed


class _Paces:
    """The n-th call goes at the n-th pace, and all further ones at the last."""

    def __init__(self, paces: Pace | Sequence[Pace]) -> None:
        self._paces = [paces] if isinstance(paces, Pace) else list(paces)
        if not self._paces or not all(isinstance(pace, Pace) for pace in self._paces):
            raise ConfigError(f"pace={paces!r}: must be a Pace, or at least one in a list")

    def of(self, count: int) -> Pace:
        return self._paces[min(count, len(self._paces) - 1)]


class ScriptedLLM:
    """An LLM that gives prepared answers, token by token.

    `answers`: one answer; or answers by words of the user, the first that are in what was said last (`otherwise` if
    none are); or a function of the messages. An answer is text, whose words are the tokens, or a list of whatever your
    bot takes for tokens. `pace`: of all calls, or a list of the paces of the first, the second ... and all others.
    """

    def __init__(
        self, answers: Answers, *, otherwise: Answer = "Pardon?", pace: Pace | Sequence[Pace] = Pace(0.3, 0.05)
    ) -> None:
        self.calls: list[StandInCall] = []
        self._answers = answers
        self._otherwise = otherwise
        self._paces = _Paces(pace)

    def stream(self, messages: Sequence[Mapping[str, Any]]) -> AsyncIterator[Any]:
        """The answer to the conversation so far, token by token."""
        call = StandInCall(anyio.current_time(), [dict(message) for message in messages], current_reply())
        self.calls.append(call)
        witness("llm", f"asked “{_last(messages)}”")
        answer = self._answer(messages)
        return _Tokens(call, _tokens(answer), self._paces.of(len(self.calls) - 1))

    async def respond(self, reply: Reply) -> None:
        """The smallest bot: says the answer to the conversation so far."""
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
            return next((answer for words, answer in self._answers.items() if says(said, words)), self._otherwise)
        return self._answers


def says(text: str, words: str) -> bool:
    """Whether the words are in the text, in a row; case and punctuation aside."""
    return b" %b " % fold(words) in b" %b " % fold(text)


def _last(messages: Sequence[Mapping[str, Any]]) -> str:
    said = [str(message["content"]) for message in messages if message.get("role") == "user"]
    return said[-1] if said else ""


def _tokens(answer: Answer) -> list[Any]:
    return re.findall(r"\s*\S+\s*", answer) if isinstance(answer, str) else list(answer)


class _Tokens:
    """Not a generator: one that is left half-way would have to be closed by whoever leaves it."""

    def __init__(self, call: StandInCall, tokens: list[Any], pace: Pace) -> None:
        self._call = call
        self._tokens = tokens
        self._pace = pace

    def __aiter__(self) -> _Tokens:
        return self

    async def __anext__(self) -> Any:
        count = len(self._call.gave)
        try:
            await self._pace.step(count, "LLM")
        except BaseException as error:
            self._call.end(error)
            witness("llm", self._call.outcome)
            raise
        if count == len(self._tokens):
            if self._call.ended is None:
                self._call.end()
                witness("llm", f"done after {count} tokens")
            raise StopAsyncIteration
        self._call.gave.append(self._tokens[count])
        return self._tokens[count]


class ScriptedVoice:
    """A `speak` whose sound takes time: `pace.first` to the first sound, `pace.between` a word. Pauses while held.

    `sounds` is what was audible: (second on the loop's clock, reply, word), a word at its beginning.
    """

    def __init__(self, *, pace: Pace | Sequence[Pace] = Pace(0.2, 0.3)) -> None:
        self.calls: list[StandInCall] = []
        self.sounds: list[tuple[float, int, str]] = []
        self._paces = _Paces(pace)

    async def __call__(self, reply: Any, chunks: AsyncIterable[str | bytes], playback: Playback, /) -> None:
        """Say one reply; see `turnkit.speaking.Speak`."""
        call = StandInCall(anyio.current_time(), None, reply)
        self.calls.append(call)
        try:
            await self._speak(call, reply, chunks, playback, self._paces.of(len(self.calls) - 1))
        except BaseException as error:
            call.end(error)
            raise
        call.end()

    async def _speak(
        self, call: StandInCall, reply: Any, chunks: AsyncIterable[str | bytes], playback: Playback, pace: Pace
    ) -> None:
        heard = ""
        async for chunk in chunks:
            for word in _tokens(chunk) if isinstance(chunk, str) else [""]:
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
                if len(call.gave) == pace.fails_at:
                    raise ScriptedFailure(f"the scripted voice fails at {len(call.gave)}, as it was told to")
                if len(call.gave) == pace.hangs_at:
                    await anyio.sleep_forever()


class ScriptedTool:
    """A tool that takes effect, such as a booking system. Each call, with its key, is an effect of the conversation.

    `name` is how failing assertions call it; `result` what it gives, or a function of the details that makes it, sync
    or async; `pace.first` the seconds it takes.
    """

    def __init__(self, name: str, result: Any = None, *, pace: Pace | Sequence[Pace] = Pace(0.5)) -> None:
        self.name = name
        self.calls: list[StandInCall] = []
        self._result = result
        self._paces = _Paces(pace)

    async def __call__(self, *, key: str | None = None, **details: Any) -> Any:
        """Take effect, under this key; calls under one key are one effect, however often they are made."""
        call = StandInCall(anyio.current_time(), details, current_reply(), key=key)
        self.calls.append(call)
        witness("tool", f"{self.name} begins", tool=self.name, call=call)
        try:
            await self._paces.of(len(self.calls) - 1).step(0, f"tool {self.name}")
            result = self._result(**details) if callable(self._result) else self._result
            if isawaitable(result):
                result = await result
        except BaseException as error:
            call.end(error)
            witness("tool", f"{self.name} {'fails' if call.failed else 'is cut off'}")
            raise
        call.end()
        call.gave.append(result)
        witness("tool", f"{self.name} done")
        return result
