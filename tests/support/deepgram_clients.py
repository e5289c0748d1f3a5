"""The clients of Deepgram's SDK, pointed at a simulator."""

from __future__ import annotations

import inspect
from typing import Any

from turnkit.simulator import Simulator

KEY = "a-key-of-fourteen"

NOISE = (
    # The SDK's asynchronous client stands on the older half of websockets.
    "ignore:websockets.legacy is deprecated:DeprecationWarning",
    "ignore:websockets.exceptions.InvalidStatusCode is deprecated:DeprecationWarning",
    # And makes text of its commands in pydantic's older way.
    "ignore:The `dict` method is deprecated",
)
"""The SDK's own warnings, as filters."""


def async_client(flux: Simulator, key: str = KEY, **settings: Any) -> Any:
    """An asynchronous client of the simulator."""
    from deepgram import AsyncDeepgramClient

    return AsyncDeepgramClient(api_key=key, environment=_environment(flux), **settings)


def sync_client(flux: Simulator, key: str = KEY, **settings: Any) -> Any:
    """A synchronous one."""
    from deepgram import DeepgramClient

    return DeepgramClient(api_key=key, environment=_environment(flux), **settings)


def _environment(flux: Simulator) -> Any:
    from deepgram.environment import DeepgramClientEnvironment

    # Which addresses there are differs from version to version.
    names = inspect.signature(DeepgramClientEnvironment).parameters
    return DeepgramClientEnvironment(**{name: flux.url.replace("ws", "http", name == "base") for name in names})
