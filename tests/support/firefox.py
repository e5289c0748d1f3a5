"""A headless Firefox with a fake microphone, driven over WebDriver BiDi; and a sound server of its own to play into."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.support.browser import address_told

FIREFOX = next((path for name in ("firefox-esr", "firefox") if (path := shutil.which(name))), None)
PULSEAUDIO = shutil.which("pulseaudio")  # without a loudspeaker, Firefox lets no AudioContext run
THERE = FIREFOX is not None and PULSEAUDIO is not None
needs_firefox = pytest.mark.slow(
    "browser", missing=None if THERE else "no Firefox, or no PulseAudio for it to play into, on the PATH"
)
BOUND = 180  # seconds after which the browser is taken to hang
_PREFERENCES = {
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
}


class FirefoxPage:
    """One tab; what its console complains of is kept."""

    def __init__(self, socket: ClientConnection) -> None:
        self.complaints: list[str] = []
        self._socket = socket
        self._last = 0
        self._call("session.new", capabilities={})
        self._call("session.subscribe", events=["log.entryAdded"])
        self._tab = self._call("browsingContext.getTree")["contexts"][0]["context"]

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._last += 1
        self._socket.send(json.dumps({"id": self._last, "method": method, "params": params}))
        while True:
            message: dict[str, Any] = json.loads(self._socket.recv(timeout=BOUND))
            if message.get("method") == "log.entryAdded" and message["params"]["level"] in ("error", "warn"):
                self.complaints.append(json.dumps(message["params"]))
            if message.get("id") == self._last:
                assert message["type"] == "success", message
                result: dict[str, Any] = message["result"]
                return result

    def open(self, url: str) -> None:
        self._call("browsingContext.navigate", context=self._tab, url=url, wait="complete")

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression, evaluated as if in a click."""
        answer = self._call(
            "script.evaluate",
            expression=f"(async () => JSON.stringify((await ({expression})) ?? null))()",
            target={"context": self._tab},
            awaitPromise=True,
            userActivation=True,
        )
        assert answer["type"] == "success", answer
        return json.loads(answer["result"]["value"])


@contextmanager
def sound_server(folder: Path) -> Iterator[str]:
    """A PulseAudio whose only loudspeaker makes no sound; gives its address."""
    assert PULSEAUDIO is not None
    socket = folder / "native"
    modules = ["module-null-sink rate=48000", f"module-native-protocol-unix auth-anonymous=1 socket={socket}"]
    command = [PULSEAUDIO, "-n", "--exit-idle-time=-1", "--daemonize=no", "--use-pid-file=no", "--disable-shm=yes"]
    command += [argument for module in modules for argument in ("-L", module)]
    home = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
    with subprocess.Popen(command, env={**os.environ, **home}, stderr=subprocess.DEVNULL) as process:
        try:
            yield f"unix:{socket}"
        finally:
            process.terminate()


@contextmanager
def firefox(folder: Path, **preferences: bool) -> Iterator[FirefoxPage]:
    """A fresh Firefox with one tab, and preferences of its own, with `_` for the dots.

    Its microphone hears a tone; without `media_navigator_streams_fake` it hears what the loudspeaker plays.
    """
    assert FIREFOX is not None
    profile = folder / "profile"
    profile.mkdir()
    settings = {**_PREFERENCES, **{name.replace("_", "."): value for name, value in preferences.items()}}
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in settings.items()]
    (profile / "user.js").write_text("\n".join(lines))
    command = [FIREFOX, "--headless", "--remote-debugging-port", "0", "--no-remote", "--profile", str(profile)]
    with sound_server(folder) as server:
        environment = {**os.environ, "PULSE_SERVER": server, "HOME": str(folder)}
        with subprocess.Popen(
            command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        ) as process:
            assert process.stderr is not None
            try:
                root = address_told(process.stderr, "BiDi listening on")
                with connect(f"{root}/session", max_size=None, open_timeout=BOUND, origin=None) as socket:
                    yield FirefoxPage(socket)
            finally:
                process.kill()
