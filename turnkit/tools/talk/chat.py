"""Chat: an LLM behind any server that speaks OpenAI's chat completions, streamed. Needs `turnkit[llm]`."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import urlsplit

import anyio

from ...checks import shown_path
from ...errors import ConfigError
from ...session import Reply
from .brain import Brain, BrainFailed

try:
    import httpx
except ImportError as missing:
    raise ImportError("an LLM needs httpx: pip install 'turnkit[llm]'") from missing

INSTRUCTIONS = (
    "You are on the phone. Answer in one or two short sentences, in plain words, without lists or markup. "
    "Your own messages show what the caller has heard of you; more was not heard."
)
_OPEN_SECONDS, _SILENT_SECONDS = 5.0, 30.0  # to be connected, and between two pieces
_KEEP_SECONDS, _CLOSE_SECONDS = 120.0, 1.0  # of a connection between two turns, and to close it
_LONGEST_REASON = 200  # characters of what a server says about its failure
_PATH = "/chat/completions"


def completions_url(url: str) -> str:
    """The address of the chat completions, from that or from what stands before it, such as `http://localhost:8080`.

    Raises:
        ConfigError: for what is no address.
    """
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        known = False
    if not known:
        told = shown_path(url).rpartition("@")[2][:80]  # who forgets the scheme may have a password before the @
        raise ConfigError(f"LLM: {told!r} must be an address such as http://localhost:8080")
    if parts.username or parts.password:
        raise ConfigError("LLM: the address must have no user or password in it; a key is taken from LLM_API_KEY")
    path = parts.path.rstrip("/")
    if not path.endswith(_PATH):
        path = f"{path or '/v1'}{_PATH}"
    return parts._replace(path=path).geturl()


class Chat(Brain):
    """An LLM: what was said, and what was heard of the bot, goes there, and its answer is said as it comes.

    When the answer is not wanted any more, its request ends with it. Used as an async context manager, for one call:
    its connection is kept for the next turn.

    Args:
        url: of the server, see `completions_url`.
        model: that it is asked for.
        key: that it is shown; None, the default, for servers that want none. It is in no message and no log.
        instructions: the system message.

    Raises:
        ConfigError: for what is no address, or no key.
    """

    greeting = "Hello, how can I help you?"

    def __init__(self, url: str, *, model: str, key: str | None = None, instructions: str = INSTRUCTIONS) -> None:
        self._url = completions_url(url)
        self._host = urlsplit(self._url).netloc
        self._model = model
        self._instructions = instructions
        if key is not None and not (key and key.isascii() and key.isprintable() and " " not in key):
            raise ConfigError("LLM_API_KEY: is no key: it is empty, or there are spaces, line breaks or the like in it")
        self._key = key
        local = urlsplit(self._url).hostname in ("localhost", "127.0.0.1", "::1")  # no proxy leads there
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(_SILENT_SECONDS, connect=_OPEN_SECONDS),
            limits=httpx.Limits(keepalive_expiry=_KEEP_SECONDS),
            trust_env=not local,
        )

    async def __aenter__(self) -> Chat:
        return self

    async def __aexit__(self, *raised: object) -> None:
        with anyio.CancelScope(shield=True, deadline=anyio.current_time() + _CLOSE_SECONDS):
            await self._http.aclose()

    def __repr__(self) -> str:
        return f"Chat({self._url!r}, model={self._model!r})"

    async def answer(self, reply: Reply) -> AsyncGenerator[str, None]:
        """The answer, in the pieces in which it comes."""
        system = {"role": "system", "content": self._instructions}
        body = {"model": self._model, "stream": True, "messages": [system, *reply.messages]}
        headers = {} if self._key is None else {"Authorization": f"Bearer {self._key}"}
        try:
            async with self._http.stream("POST", self._url, json=body, headers=headers) as response:
                if response.status_code != 200:
                    raise self._failed(f"status {response.status_code}{await _reason(response)}")
                done = False
                async for line in response.aiter_lines():  # to its end, so that the connection may be used again
                    if line.startswith("data:") and not done:
                        done = (data := line.removeprefix("data:").strip()) == "[DONE]"
                        for text in () if done else self._read(data):
                            yield text
                if not done:
                    raise self._failed("the answer broke off")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._failed(f"{_PROBLEMS.get(type(error), type(error).__name__)}") from error

    def _read(self, data: str) -> list[str]:
        """The text in an event."""
        try:
            event = json.loads(data)
            if "error" in event:
                raise self._failed(f"it says {_message(event)}")
            deltas = [choice.get("delta") or {} for choice in event.get("choices", ())]
            return [text for delta in deltas if isinstance(text := delta.get("content"), str) and text]
        except (ValueError, TypeError, AttributeError, RecursionError):
            raise self._failed("it sent what is no event of a chat completion") from None

    def _failed(self, why: str) -> BrainFailed:
        # Some servers say in their error which key it was that they did not like.
        told = why if self._key is None else why.replace(self._key, "(the key)")
        return BrainFailed(f"the LLM at {self._host}: {told}")


_PROBLEMS: dict[type[Exception], str] = {
    httpx.ConnectError: "nobody answers there",
    httpx.ConnectTimeout: f"nobody answers there within {_OPEN_SECONDS:g} s",
    httpx.ReadTimeout: f"said nothing for {_SILENT_SECONDS:g} s",
    httpx.RemoteProtocolError: "the answer broke off",
    httpx.ReadError: "the answer broke off",
}


async def _reason(response: Any) -> str:
    """What a server says about its refusal, if it is short enough to be a sentence."""
    text = ""
    async for piece in response.aiter_text():
        text += piece
        if len(text) > 10_000:
            break
    try:
        return f", {_message(json.loads(text))}"
    except (ValueError, TypeError, AttributeError, RecursionError):
        return ""


def _message(event: Any) -> str:
    error = event["error"] if isinstance(event, dict) and "error" in event else event
    told = error.get("message", "") if isinstance(error, dict) else str(error)
    return repr(str(told)[:_LONGEST_REASON])
