"""What certainly cannot be called as it will be is refused when it is given; what only looks odd is let in."""

from __future__ import annotations

import functools
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from typing import Any
from unittest.mock import AsyncMock, MagicMock, Mock, create_autospec

import pytest

from tests.support.sessions import outcomes, script, turn
from tests.support.voices import Voice, echo
from turnkit.errors import ConfigError, LocalProtocolError
from turnkit.session import Reply, Session
from turnkit.turns.events import Commit, ReplyEnded

pytestmark = pytest.mark.anyio


async def speak(reply: Reply, chunks: AsyncIterator[Any], playback: Any) -> None:
    async for _ in chunks:
        pass


def forgot_async(reply):  # type: ignore[no-untyped-def]
    reply.say("hello")
    if reply.turn:
        return
    reply.say("more")


def says_none(reply: Reply) -> None:
    raise NotImplementedError


async def text(reply: Reply) -> str:
    return "hello"


def plain_text(reply: Reply) -> str:
    return "hello"


async def pieces(reply: Reply) -> AsyncIterator[str]:
    yield "hello"


def plain_pieces(reply: Reply) -> Iterator[str]:
    yield "hello"


async def no_reply() -> None: ...


async def two(reply: object, calendar: object) -> None: ...


class Bot:
    async def respond(self, reply: Reply) -> None:
        await reply.say("yes")

    async def wrong(self) -> None: ...

    def forgot(self, reply: Reply) -> None: ...

    async def stream(self, reply: Reply) -> AsyncIterator[str]:
        yield "yes"

    async def __call__(self, reply: Reply) -> None:
        await reply.say("yes")


class Forgot:
    def __call__(self, reply: Reply) -> None: ...


WRONG: list[tuple[Any, str]] = [
    ("x", "must be an async function"),
    (forgot_async, "write `async def`"),
    (says_none, "write `async def`"),
    (plain_text, "write `async def`"),
    (Bot().forgot, "write `async def`"),
    (Forgot(), "write `async def`"),
    (functools.partial(forgot_async), "write `async def`"),
    (text, "must say the text"),
    (pieces, "await reply.say"),
    (plain_pieces, "await reply.say"),
    (Bot().stream, "await reply.say"),
    (functools.partial(Bot().stream), "await reply.say"),
    (no_reply, r"must take \(reply\)"),
    (two, r"must take \(reply\)"),
    (Bot().wrong, r"must take \(reply\)"),
    (functools.partial(two, None, "calendar"), r"must take \(reply\)"),
    (Bot, "not a class"),
    (lambda: None, "write `async def`"),
]


@pytest.mark.parametrize(("respond", "why"), WRONG)
async def test_a_wrong_respond_is_refused(respond: Any, why: str) -> None:
    """When it is given, to the session or to initiate, with what would be right."""
    with pytest.raises(ConfigError, match=why) as caught:
        Session(respond=respond, speak=speak)
    assert str(caught.value).startswith("respond")
    if respond == "x":
        return
    session = Session(respond=echo, speak=speak)
    refused: list[str] = []

    def initiate() -> None:
        with pytest.raises(ConfigError, match=why) as again:
            session.initiate(respond)
        refused.append(str(again.value))

    await session.run(script(initiate))
    assert refused[0].startswith("what")


async def speak_two(reply: Reply, chunks: object) -> None: ...


def speak_sync(reply: Reply, chunks: object, playback: object) -> None: ...


async def speak_yields(reply: Reply, chunks: object, playback: object) -> AsyncIterator[bytes]:
    yield b"x"


@pytest.mark.parametrize("wrong", ["x", speak_two, speak_sync, speak_yields])
def test_a_wrong_speak_is_refused(wrong: Any) -> None:
    """As a wrong respond is."""
    with pytest.raises(ConfigError, match=r"^speak"):
        Session(respond=echo, speak=wrong)


def signal_sync(signal: object) -> None: ...


async def signal_yields(signal: object) -> AsyncIterator[str]:
    yield "x"


def signal_yields_at_once(signal: object) -> Iterator[str]:
    yield "x"


async def two_signals(signal: object, other: object) -> None: ...


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("x", "callable"),
        (lambda: None, r"must take \(signal\)"),
        (two_signals, r"must take \(signal\)"),
        ([].clear, r"must take \(signal\)"),
        (signal_yields, "generator"),
        (signal_yields_at_once, "generator"),
    ],
)
def test_a_callback_that_cannot_take_its_signal_is_refused(wrong: Any, why: str) -> None:
    """Or that would never do anything when it is called."""
    with pytest.raises(ConfigError, match=why):
        Session().on(Commit, wrong)


# What is let in -----------------------------------------------------------------------------------------------------


def bare(function: Callable[..., Awaitable[object]]) -> Callable[..., Any]:
    """A decorator that hands out a plain function, and what the other looks like."""

    @functools.wraps(function)
    def wrapper(*given: Any) -> Any:
        return function(*given)

    return wrapper


def injects(function: Callable[..., Awaitable[object]]) -> Callable[..., Any]:
    """A decorator that gives one thing more than its caller does."""

    @functools.wraps(function)
    async def wrapper(reply: Reply) -> object:
        return await function(reply, "calendar")

    return wrapper


async def say_yes(reply: Reply) -> None:
    await reply.say("yes")


def delegates(reply: Reply) -> Awaitable[object]:
    return say_yes(reply)


def delegates_unannotated(reply):  # type: ignore[no-untyped-def]
    return say_yes(reply)


def may_delegate(reply):  # type: ignore[no-untyped-def]
    if reply is None:
        return None
    return say_yes(reply)


@injects
async def with_calendar(reply: Reply, calendar: str) -> None:
    await reply.say("yes" if calendar else "no")


@types.coroutine
def old_style(reply: Reply) -> Generator[Any, Any, None]:
    yield from say_yes(reply).__await__()


async def with_default(reply: Reply, more: str = "yes") -> None:
    await reply.say(more)


async def any_number(*given: Any, **named: Any) -> None:
    await given[0].say("yes")


async def text_too(reply: Reply) -> object:
    await reply.say("yes")
    return "yes"


RIGHT: list[Any] = [
    say_yes,
    delegates,
    delegates_unannotated,
    may_delegate,
    with_calendar,
    bare(say_yes),
    old_style,
    with_default,
    any_number,
    text_too,
    Bot().respond,
    Bot(),
    functools.partial(with_default, more="yes"),
    functools.partial(functools.partial(with_default), more="yes"),
    lambda reply: say_yes(reply),
    Mock(side_effect=say_yes),
    MagicMock(side_effect=say_yes),
    AsyncMock(side_effect=say_yes),
    create_autospec(say_yes, side_effect=say_yes),
]


@pytest.mark.parametrize("respond", RIGHT)
async def test_what_can_be_awaited_is_let_in_and_runs(respond: Any) -> None:
    """Partials, methods, objects, decorated functions, lambdas, mocks; also in initiate."""
    voice = Voice()
    session = Session(respond=respond, speak=voice.speak)
    ends = outcomes(session)
    await session.run(script(*turn(0, "a"), 1.0, lambda: session.initiate(respond), 1.0))
    assert ends == [(0, "finished", "yes"), (1, "finished", "yes")]


@pytest.mark.parametrize("callback", [print, [].append, signal_sync, Mock(), AsyncMock(), dict])
def test_what_can_take_a_signal_is_let_in(callback: Any) -> None:
    """Also what is written in C and tells nobody what it takes."""
    assert Session().on(Commit, callback) is callback


# At run -------------------------------------------------------------------------------------------------------------


async def returns_text(reply: Reply) -> object:
    return "our words"


@pytest.mark.parametrize(
    ("respond", "why"),
    [
        (returns_text, "returned text and said nothing: use `await reply.say(...)`"),
        (Mock(return_value=None), "must be an async function, and returned NoneType, which cannot be awaited"),
        (lambda reply: "our words", "must be an async function, and returned str, which cannot be awaited"),
        (lambda reply: pieces(reply), "says each piece with `await reply.say(...)`, and yields"),
    ],
)
@pytest.mark.parametrize("eager", [True, False])
async def test_what_turns_out_wrong_fails_the_reply_and_says_what_to_do(respond: Any, why: str, eager: bool) -> None:
    """As a draft, as an answer, and for initiate; nothing of what was to be said is in the error."""
    session = Session(respond=respond, speak=Voice().speak)
    ends: list[ReplyEnded] = []
    session.on(ReplyEnded, ends.append)
    await session.run(script(*turn(0, "a", eager=eager), 1.0, lambda: session.initiate(respond), 1.0))
    assert {end.outcome for end in ends} == {"failed"}
    for end in ends:
        assert type(end.error) is LocalProtocolError
        assert why in str(end.error)
        assert "our words" not in str(end.error)


async def test_a_speak_that_cannot_be_awaited_fails_the_reply() -> None:
    """It says so, and not that nothing was heard."""
    session = Session(respond=say_yes, speak=Mock(return_value=None))
    ends: list[ReplyEnded] = []
    session.on(ReplyEnded, ends.append)
    await session.run(script(*turn(0, "a"), 1.0))
    assert [end.outcome for end in ends] == ["failed"]
    assert "returned NoneType, which cannot be awaited" in str(ends[0].error)
