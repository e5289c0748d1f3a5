"""The choice of a brain for a call, from what a command line says."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from ...errors import ConfigError
from .booking import Booking
from .brain import Brain
from .echo import Echo
from .stopwatch import Stopwatch

if TYPE_CHECKING:
    from .chat import Chat

BOTS = ("booking", "echo")
"""The bots by rule, by name."""
_OPENAI = "api.openai.com"


class Choice(msgspec.Struct, frozen=True):
    """Who answers.

    Attributes:
        bot: one of `BOTS`. Default "booking".
        llm: the address of a server of chat completions, which answers instead; None, the default, for none.
        model: that the server is asked for.
    """

    bot: str = "booking"
    llm: str | None = None
    model: str = "gpt-4o-mini"


def check(choice: Choice) -> None:
    """Find out whether it can be had.

    Raises:
        ConfigError: there is no such bot, or the address or the key is none.
        ImportError: there is no httpx for an LLM; the message says how to get it.
    """
    if choice.bot not in BOTS:
        raise ConfigError(f"bot={choice.bot[:40]!r}: must be one of {', '.join(BOTS)}")
    if choice.llm is not None:
        _chat(choice)


@asynccontextmanager
async def opened(choice: Choice, stopwatch: Stopwatch) -> AsyncIterator[Brain]:
    """The brain for one call. Raises what `check` does."""
    check(choice)
    if choice.llm is not None:
        async with _chat(choice) as chat:
            yield chat
    else:
        yield Echo(stopwatch) if choice.bot == "echo" else Booking()


def llm_key(url: str, environment: Mapping[str, str] | None = None) -> str | None:
    """The key for a server: LLM_API_KEY, or for OpenAI's own OPENAI_API_KEY, which goes nowhere else.

    Args:
        url: of the server.
        environment: where it is looked for. Default None: that of the process.
    """
    environment = os.environ if environment is None else environment
    key = environment.get("LLM_API_KEY") or None
    if key is None and urlsplit(url).hostname == _OPENAI:
        key = environment.get("OPENAI_API_KEY") or None
    return key


def _chat(choice: Choice) -> Chat:
    from .chat import Chat, completions_url

    assert choice.llm is not None
    return Chat(choice.llm, model=choice.model, key=llm_key(completions_url(choice.llm)))
