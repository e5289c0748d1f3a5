"""A page with turnkit's script, served from a thread of its own, for a real browser with a fake microphone."""

from __future__ import annotations

import math
import wave
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import monotonic, sleep
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from turnkit.interop import browser

MICROPHONE_HZ = 1000  # what the fake microphone hears
PATIENCE = 120.0  # seconds: a machine may be very busy

PAGE = """<!doctype html><title>A call</title><link rel="icon" href="data:,"><script type="module">
import * as turnkit from "/turnkit.js";
window.turnkit = turnkit;
window.log = [];
window.begin = (url = "/call", options = {}) => {
  const raw = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  window.call = new turnkit.TurnkitCall(url, { constraints: raw, ...options });
  const names = ["state", "speaking", "message", "notice", "ended"];
  for (const name of names) call.on(name, (data) => log.push([name, data]));
  return call.start();
};
window.codes = (name) => log.filter((entry) => entry[0] === name).map((entry) => entry[1].code ?? entry[1]);
</script>"""


@asynccontextmanager
async def _serving(talk: Callable[[ServerConnection], Awaitable[None]], more: str) -> AsyncIterator[str]:
    pages = {"/": ("text/html", PAGE + more), "/turnkit.js": ("text/javascript", browser.script())}

    def page(connection: ServerConnection, request: Request) -> Response | None:
        if request.path == "/call":
            return None
        kind, text = pages.get(request.path, ("text/plain", "nothing"))
        return Response(200, "OK", Headers({"Content-Type": kind, "Content-Length": str(len(text))}), text.encode())

    async with serve(talk, "127.0.0.1", 0, process_request=page, max_size=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"http://127.0.0.1:{port}/"


@contextmanager
def served(talk: Callable[[ServerConnection], Awaitable[None]], more: str = "") -> Iterator[tuple[str, BlockingPortal]]:
    """Serve the page, whose calls `talk` holds; gives its address and what reaches the thread of its loop."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(_serving(talk, more)) as url:
        yield url, portal


def eventually(condition: Callable[[], Any]) -> Any:
    """Wait in real time until it holds: what a browser does is told by nobody. Gives what it came to."""
    ends = monotonic() + PATIENCE
    while not (found := condition()):
        assert monotonic() < ends, "what was waited for never came"
        sleep(0.02)
    return found


def microphone_flags(folder: Path) -> list[str]:
    """What has Chromium hear a tone, over and over, and allow the microphone without asking."""
    path = folder / "microphone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48000)
        tone = (round(10000 * math.sin(2 * math.pi * MICROPHONE_HZ * i / 48000)) for i in range(48000))
        file.writeframes(array("h", tone).tobytes())
    return [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={path}",
    ]


def pitch(audio: bytes) -> float:
    """In Hz, of a tone at 16 kHz: how often it crosses zero upwards, leaving out what a busy machine tears apart."""
    samples = array("h", audio)
    crossings = [at + a / (a - b) for at, (a, b) in enumerate(pairwise(samples)) if a < 0 <= b]
    return 16000 / median(after - before for before, after in pairwise(crossings))
