"""Calls of Deepgram's Python SDK, as its quick start makes one; told what to do, and tells, in JSON, a line a call.

Knows nothing of turnkit: it runs where only the SDK is installed.
"""

import inspect
import json
import sys
import threading
import warnings
from typing import Any

warnings.simplefilter("ignore")

from deepgram import DeepgramClient  # noqa: E402
from deepgram.core.events import EventType  # noqa: E402
from deepgram.environment import DeepgramClientEnvironment  # noqa: E402


def fields(message: Any) -> dict[str, Any]:
    """A message of whatever kind the version makes, as a dict."""
    if isinstance(message, dict):
        return message
    found: dict[str, Any] = {} if message is None else message.model_dump()
    return found


def carry_out(connection: Any, steps: list[tuple[str, Any]]) -> None:
    """The steps of the call: audio and commands in their order."""
    for step, value in steps:
        if step == "audio":
            for piece in value:
                connection.send_media(bytes.fromhex(piece) if isinstance(piece, str) else bytes(piece))
        elif step == "configure":
            connection.send_configure(value)
        elif step == "force":
            connection.send_force_end_turn()
        else:
            connection.send_close_stream()


def call(job: dict[str, Any]) -> dict[str, Any]:
    """Hold the call; what was heard, and how it ended."""
    heard: dict[str, Any] = {"messages": [], "error": None, "closed": False}
    names = inspect.signature(DeepgramClientEnvironment).parameters
    environment = DeepgramClientEnvironment(**dict.fromkeys(names, job["url"]))
    if job["auth"].endswith("subprotocol"):
        return {**heard, "error": "no way to ask for a subprotocol"}
    secret = {"access_token": job["secret"]} if job["auth"] == "bearer" else {"api_key": job["secret"]}
    client = DeepgramClient(environment=environment, **secret)
    options = job["options"]
    known = inspect.signature(client.listen.v2.connect).parameters
    more = {name: value for name, value in options.items() if name not in known}
    named = {name: value for name, value in options.items() if name in known}
    try:
        with client.listen.v2.connect(**named, request_options={"additional_query_parameters": more}) as connection:
            connection.on(EventType.MESSAGE, lambda message: heard["messages"].append(fields(message)))
            connection.on(EventType.ERROR, lambda error: heard.update(error=type(error).__name__))
            connection.on(EventType.CLOSE, lambda _: heard.update(closed=True))
            listener = threading.Thread(target=connection.start_listening, daemon=True)
            listener.start()
            carry_out(connection, job["steps"])
            listener.join(50)
    except Exception as error:
        status = getattr(error, "status_code", None) or getattr(getattr(error, "response", None), "status_code", "")
        heard["error"] = f"{type(error).__name__} {status}".strip()
    return heard


for line in sys.stdin:
    print(json.dumps(call(json.loads(line)), default=str), flush=True)
