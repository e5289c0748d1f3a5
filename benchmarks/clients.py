"""What is compared: clients, bare and turnkit's, over websockets and picows, and event loops, uvloop if it is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import TypeAlias

from . import audio, bare_picows
from .answers import Answerer, answer_bare, answer_turnkit
from .listeners import Listener, dispatching, listen, listen_turnkit

Loop: TypeAlias = Callable[[], asyncio.AbstractEventLoop] | None


def _loops() -> dict[str, Loop]:
    loops: dict[str, Loop] = {"asyncio": None}
    with suppress(ImportError):
        loops["uvloop"] = import_module("uvloop").new_event_loop  # not among turnkit's own: where somebody has it
    return loops


FLOOR = "bare websockets"
LOOPS = _loops()
LISTENERS: dict[str, Listener] = {
    FLOOR: partial(listen, dispatching),
    "turnkit websockets": partial(listen_turnkit, "websockets"),
    "bare picows": partial(listen, bare_picows.dispatching),
    "turnkit picows": partial(listen_turnkit, "picows"),
}
ANSWERERS: dict[str, Answerer] = {
    FLOOR: partial(answer_bare, dispatching),
    "turnkit websockets": partial(answer_turnkit, "websockets"),
    "bare picows": partial(answer_bare, bare_picows.dispatching),
    "turnkit picows": partial(answer_turnkit, "picows"),
}
TALKERS: dict[str, audio.Opened] = {
    FLOOR: audio.bare_websockets,
    "turnkit websockets": partial(audio.turnkit, "websockets"),
    "bare picows": bare_picows.talking,
    "turnkit picows": partial(audio.turnkit, "picows"),
}
