"""A headless Chromium, driven over its DevTools protocol, for tests of pages."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import IO, Any

import pytest
from websockets.sync.client import ClientConnection, connect

CHROMIUM = next((path for name in ("chromium", "google-chrome", "chrome") if (path := shutil.which(name))), None)
needs_browser = pytest.mark.slow(
    "browser", missing=None if CHROMIUM else "no Chromium on the PATH to draw the page with"
)
BOUND = 180  # seconds after which the browser is taken to hang


class Page:
    """One tab; what its console complains of is kept."""

    def __init__(self, socket: ClientConnection) -> None:
        self.complaints: list[str] = []
        self._socket = socket
        self._last = 0
        self._events: list[dict[str, Any]] = []

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._last += 1
        self._socket.send(json.dumps({"id": self._last, "method": method, "params": params}))
        while True:
            message = self._receive()
            if message.get("id") == self._last:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result

    def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._socket.recv(timeout=BOUND))
        method = message.get("method", "")
        if method in ("Runtime.exceptionThrown", "Log.entryAdded") or (
            method == "Runtime.consoleAPICalled" and message["params"]["type"] in ("error", "warning", "assert")
        ):
            self.complaints.append(json.dumps(message["params"]))
        if method:
            self._events.append(message)
        return message

    def open(self, page: Path | str) -> None:
        """Open a file, or an address."""
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self._events.clear()
        self.call("Page.navigate", url=page if isinstance(page, str) else page.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self._events):
            self._receive()
        self.drawn()

    def drawn(self) -> None:
        """Wait until what was asked for has been drawn: two frames later it has."""
        self.ask("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")

    def ask(self, expression: str, *, clicked: bool = False) -> Any:
        """The value of a JavaScript expression; it may do what takes a click if the user is to have `clicked`."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=clicked
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)
        self.drawn()

    def hover(self, selector: str) -> None:
        box = self.ask(
            f"(() => {{ const r = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
            " return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=box[0], y=box[1])
        self.drawn()

    def wheel(self, x: float, y: float, delta: float) -> None:
        self.call("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=delta)
        self.drawn()

    def resize(self, width: int, height: int) -> None:
        phone = width < 600
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        self.drawn()

    def picture(self) -> bytes:
        """A PNG of what is seen."""
        return base64.b64decode(self.call("Page.captureScreenshot")["data"])


def address_told(stderr: IO[str], before: str) -> str:
    """The address that a browser tells of itself as it starts; whatever it says later is read, and thrown away.

    Unread it would fill the pipe, and the browser would stand still.
    """
    told = [""]
    for line in stderr:
        told.append(line)
        if before in line:
            Thread(target=_drain, args=(stderr,), daemon=True).start()
            return line.split()[-1]
    raise AssertionError("the browser has ended as it started: " + "".join(told)[-2000:])


def _drain(pipe: IO[str]) -> None:
    with suppress(ValueError):  # the pipe is closed under it
        for _ in pipe:
            pass


@contextmanager
def browser(profile: Path, *flags: str) -> Iterator[Page]:
    """A fresh browser with one tab, 1280 by 900 pixels."""
    assert CHROMIUM is not None
    command = [CHROMIUM, "--headless", "--disable-gpu", "--remote-debugging-port=0", f"--user-data-dir={profile}"]
    command += ["--window-size=1280,900", "--no-first-run", "--disable-background-networking", *flags, "about:blank"]
    if os.geteuid() == 0:
        command.insert(1, "--no-sandbox")  # Chromium's own sandbox refuses to run as root
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        try:
            root = address_told(process.stderr, "DevTools listening on")
            with connect(root, max_size=None, open_timeout=BOUND) as top:
                target = Page(top).call("Target.getTargets")["targetInfos"]
            tab = next(info["targetId"] for info in target if info["type"] == "page")
            address = f"{root.split('/devtools/')[0]}/devtools/page/{tab}"
            with connect(address, max_size=None, open_timeout=BOUND) as socket:
                yield Page(socket)
        finally:
            process.kill()
