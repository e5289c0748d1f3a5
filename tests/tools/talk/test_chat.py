"""The LLM of a call: streamed, broken off, and failing in every way that a server has."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import anyio
import pytest

from tests.support.voice_services import Api, Broken, Refused, Request, chat, event
from turnkit import ConfigError
from turnkit.tools.talk.brain import BrainFailed
from turnkit.tools.talk.chat import Chat, completions_url
from turnkit.tools.talk.choosing import Choice, check, llm_key

pytestmark = pytest.mark.anyio
KEY = "sk-very-secret"
HELLO: list[dict[str, Any]] = [{"role": "user", "content": "When do you open on a Sunday?"}]


@pytest.fixture
def anyio_backend() -> str:
    """On real sockets. On asyncio, where the commands run: trio complains of httpx's generators that are broken off."""
    return "asyncio"


class Reply:
    """As much of a reply as a brain asks for."""

    messages = HELLO


async def answer(api: Api, **settings: Any) -> str:
    async with api.serve() as url, Chat(url, **{"model": "small", **settings}) as llm:
        return await whole(llm)


async def whole(llm: Chat) -> str:
    return "".join([text async for text in llm.answer(Reply())])  # type: ignore[arg-type]


def api(answer: Callable[[Request], AsyncGenerator[bytes, None]] = chat) -> Api:
    return Api(answer, "/v1/chat/completions", "text/event-stream")


async def test_an_answer() -> None:
    """Comes in pieces; what was asked is what was said in the call, after the instructions."""
    server = api()
    assert await answer(server, key=KEY, instructions="Be brief.") == "On Sundays we are closed."
    (asked,) = server.requests
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.body["messages"] == [{"role": "system", "content": "Be brief."}, *HELLO]
    assert (asked.body["model"], asked.body["stream"]) == ("small", True)


async def test_without_a_key() -> None:
    """None is sent."""
    server = api()
    await answer(server)
    assert "authorization" not in server.requests[0].headers


async def test_one_that_is_not_wanted_any_more() -> None:
    """Its request ends with it."""
    server = api()
    async with server.serve() as url, Chat(url, model="small") as llm:
        async with aclosing(llm.answer(Reply())) as pieces:  # type: ignore[arg-type]
            await anext(pieces)
        with anyio.fail_after(20):
            while not server.abandoned:  # noqa: ASYNC110
                await anyio.sleep(0.01)
    assert not server.finished


def refusing(status: int, body: object) -> Callable[[Request], AsyncGenerator[bytes, None]]:
    async def refuse(request: Request) -> AsyncGenerator[bytes, None]:
        for nothing in list[bytes]():
            yield nothing
        raise Refused(status, body if isinstance(body, str) else json.dumps(body))

    return refuse


def sending(*data: bytes, broken: bool = False) -> Callable[[Request], AsyncGenerator[bytes, None]]:
    async def send(request: Request) -> AsyncGenerator[bytes, None]:
        for piece in data:
            yield piece
        if broken:
            raise Broken

    return send


@pytest.mark.parametrize(
    ("server", "told"),
    [
        (
            refusing(401, {"error": {"message": f"Incorrect API key: {KEY}"}}),
            "status 401, 'Incorrect API key: (the key)'",
        ),
        (refusing(404, {"error": "no such model"}), "status 404, 'no such model'"),
        (refusing(500, "<html>oops</html>"), "status 500"),
        (refusing(429, [1, 2]), "status 429, '[1, 2]'"),
        (sending(event(content="Well"), broken=True), "the answer broke off"),
        (sending(event(content="Well")), "the answer broke off"),
        (sending(b"data: nonsense\n\n"), "it sent what is no event of a chat completion"),
        (sending(b"data: [1]\n\n"), "it sent what is no event of a chat completion"),
        (sending(b'data: {"choices": 5}\n\n'), "it sent what is no event of a chat completion"),
        (sending(b'data: {"error": {"message": "overloaded"}}\n\n'), "it says 'overloaded'"),
    ],
)
async def test_failures(server: Callable[[Request], AsyncGenerator[bytes, None]], told: str) -> None:
    """Each says where it was, and what was wrong; the key is never told."""
    async with api(server).serve() as url, Chat(url, model="small", key=KEY) as llm:
        with pytest.raises(BrainFailed) as raised:
            await whole(llm)
    assert str(raised.value).startswith("the LLM at 127.0.0.1:")
    assert str(raised.value).endswith(told)
    assert KEY not in str(raised.value)


async def test_nobody_there() -> None:
    """It says so."""
    async with api().serve() as url:
        pass
    async with Chat(url, model="small") as llm:
        with pytest.raises(BrainFailed, match="nobody answers there"):
            await anext(llm.answer(Reply()))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("http://localhost:8080", "http://localhost:8080/v1/chat/completions"),
        ("http://localhost:8080/v1/", "http://localhost:8080/v1/chat/completions"),
        ("https://x.example/openai/v1", "https://x.example/openai/v1/chat/completions"),
        ("https://x.example/v1/chat/completions", "https://x.example/v1/chat/completions"),
        ("https://x.example/v1?api-version=2", "https://x.example/v1/chat/completions?api-version=2"),
    ],
)
def test_addresses(given: str, asked: str) -> None:
    """Whatever stands before the path is taken."""
    assert completions_url(given) == asked


@pytest.mark.parametrize(
    "url", ["localhost:8080", "ftp://x", "http://", "http://x:99999", "", "http://[", "http://u:p@x"]
)
def test_what_is_no_address(url: str) -> None:
    """Is refused before there is a call, without what may be a password."""
    with pytest.raises(ConfigError, match="LLM: ") as raised:
        check(Choice(llm=url))
    assert "u:p" not in str(raised.value)


@pytest.mark.parametrize("key", ["", "two words", "né", "line\n"])
def test_what_is_no_key(key: str) -> None:
    """Is refused, and not quoted."""
    with pytest.raises(ConfigError, match="LLM_API_KEY") as raised:
        Chat("http://localhost", model="small", key=key)
    assert not key or key not in str(raised.value)


def test_whose_key_goes_where() -> None:
    """OpenAI's goes to OpenAI; a local server gets what was meant for it, or nothing."""
    both = {"OPENAI_API_KEY": "openai", "LLM_API_KEY": "other"}
    assert llm_key("http://localhost:8080/v1", {"OPENAI_API_KEY": "openai"}) is None
    assert llm_key("https://api.openai.com.evil.example/v1", {"OPENAI_API_KEY": "openai"}) is None
    assert llm_key("https://api.openai.com/v1", {"OPENAI_API_KEY": "openai"}) == "openai"
    assert llm_key("http://localhost:8080/v1", both) == "other"


def test_a_key_is_not_shown() -> None:
    """By whoever prints it."""
    assert KEY not in repr(Chat("http://localhost", model="small", key=KEY))


def test_a_bot_that_there_is_not() -> None:
    """The message says which there are."""
    with pytest.raises(ConfigError, match="bot='poet': must be one of booking, echo"):
        check(Choice(bot="poet"))
