"""The matrix of real clients against the simulator, as a table.

Installs each client in a folder of its own, and takes a minute or two:   python -m tests.interop.client_matrix
With --check it fails if something is missing that is not known to be.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from shutil import which
from typing import Any, NamedTuple

from anyio.from_thread import start_blocking_portal

from turnkit.simulator import Script, Simulator, say, serve

HERE = Path(__file__).parent / "clients"
KEY, TOKEN, WRONG = "a-key-of-fourteen", "a-jwt-of-sixteen", "not-the-key-at-all"
SCRIPT = Script((say("Good morning. I'd like to know (0.9) when you open.", at=1.0),), seed=1)
RAW = {"model": "flux-general-en", "encoding": "linear16", "sample_rate": 16000}
EAGER = {**RAW, "eager_eot_threshold": 0.4}
FIVE = {"StartOfTurn", "Update", "EagerEndOfTurn", "TurnResumed", "EndOfTurn"}
CLOSE = ("close", None)
KNOWN = {  # by the beginning of the client's name: what it has no way to ask for
    "deepgram-sdk 6": {"Configure", "ForceEndTurn", "key as subprotocol"},
    "deepgram-sdk 7": {"key as subprotocol"},
}
SECONDS = 60.0

Step = tuple[str, Any]
Heard = dict[str, Any]


class Client(NamedTuple):
    """A client that is installed: its name with its version, and the command that makes a call of its."""

    name: str
    command: list[str]
    folder: str


class Case(NamedTuple):
    """A column: its name, the call, and whether what was heard is right."""

    name: str
    options: dict[str, Any]
    steps: list[Step]
    right: Callable[[Heard], bool]
    auth: str = "token"
    secret: str = KEY


def audio(frames: int, size: int = 2560) -> Step:
    """Silence in frames; the simulator's clock is its length."""
    return "audio", [size] * frames


def wav() -> Step:
    """The same as a WAV file, in pieces."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16000)
        sound.writeframes(bytes(2560 * 75))
    data = file.getvalue()
    return "audio", [data[:4000].hex(), *[4000] * (len(data) // 4000 - 1)]


def events(heard: Heard) -> set[str]:
    """The events of the turns that were heard."""
    return {message.get("event") for message in heard["messages"] if message.get("type") == "TurnInfo"} - {None}


def ended(heard: Heard) -> bool:
    """A whole turn was heard, and then the connection was closed."""
    return "EndOfTurn" in events(heard) and heard["closed"] and not heard["error"]


def configured(heard: Heard) -> bool:
    """The settings that were asked for are told as those in force."""
    answers = [message for message in heard["messages"] if message.get("type") == "ConfigureSuccess"]
    thresholds = [dict(answer.get("thresholds") or {}) for answer in answers]
    return len(thresholds) == 1 and float(thresholds[0].get("eot_threshold") or 0) == 0.8


def forced(heard: Heard) -> bool:
    """The turn was ended on request."""
    return any(message.get("trigger") == "manual" for message in heard["messages"])


def refused(heard: Heard) -> bool:
    """There was no connection, and the client says so."""
    return bool(heard["error"]) and not heard["messages"]


CONFIGURE = ("configure", {"type": "Configure", "thresholds": {"eot_threshold": 0.8}})
MULTI = {**EAGER, "model": "flux-general-multi", "language_hint": ["en", "de"]}
CASES = (
    Case("five events", EAGER, [audio(75), CLOSE], lambda heard: events(heard) == FIVE),
    Case("Configure", RAW, [audio(5), CONFIGURE, audio(5), CLOSE], configured),
    Case("ForceEndTurn", RAW, [audio(25), ("force", None), audio(10), CLOSE], forced),
    Case("CloseStream", RAW, [audio(75), CLOSE], ended),
    Case("key as Token", RAW, [audio(75), CLOSE], ended),
    Case("token as Bearer", RAW, [audio(75), CLOSE], ended, "bearer", TOKEN),
    Case("key as subprotocol", RAW, [audio(75), CLOSE], ended, "subprotocol"),
    Case("refused: wrong key", RAW, [audio(75), CLOSE], refused, "token", WRONG),
    Case("refused: bad setting", {**RAW, "eot_threshold": 0.2}, [audio(75), CLOSE], refused),
    Case("WAV container", {"model": "flux-general-en"}, [wav(), CLOSE], ended),
    Case("mulaw", {**RAW, "encoding": "mulaw", "sample_rate": 8000}, [audio(75, 640), CLOSE], ended),
    Case("multi with two hints", MULTI, [audio(75), CLOSE], ended),
)


def python_client(where: Path, version: str) -> Client:
    """Deepgram's Python SDK in an environment of its own."""
    folder = where / f"python{version.strip('=<>~')}"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", f"deepgram-sdk{version}"], check=True, capture_output=True)
    asked = "from importlib.metadata import version; print(version('deepgram-sdk'))"
    found = subprocess.run([python, "-c", asked], check=True, capture_output=True, text=True).stdout.strip()
    return Client(f"deepgram-sdk {found} (Python)", [str(python), str(HERE / "python_sdk.py")], str(folder))


def node_client(where: Path) -> Client:
    """@deepgram/sdk on Node."""
    folder = where / "node"
    folder.mkdir()
    subprocess.run(["npm", "install", "--silent", "--prefix", folder, "@deepgram/sdk"], check=True, capture_output=True)
    package = json.loads((folder / "node_modules" / "@deepgram" / "sdk" / "package.json").read_text())
    script = folder / "call.cjs"
    script.write_text((HERE / "node_sdk.cjs").read_text())  # where its imports are found
    return Client(f"@deepgram/sdk {package['version']} (Node)", ["node", str(script)], str(folder))


@contextmanager
def simulated() -> Iterator[Simulator]:
    """The simulator, in a thread of its own."""

    async def opening() -> Any:
        return serve(SCRIPT, api_key=KEY, token=TOKEN)

    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(portal.call(partial(opening))) as flux,
    ):
        yield flux


def outcome(client: Client, case: Case, url: str) -> tuple[bool, str]:
    """Make one call; whether it went right, and what the client says if not."""
    job = {"url": url, "auth": case.auth, "secret": case.secret, "options": case.options, "steps": case.steps}
    command = [*client.command, json.dumps(job)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, cwd=client.folder)
    if done.returncode or not done.stdout.strip():
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        return False, last[:100]
    heard: Heard = json.loads(done.stdout.splitlines()[-1])
    return case.right(heard), str(heard["error"] or "")


def main() -> None:
    """Print the table, a row a client, and what the clients say where something is missing."""
    with tempfile.TemporaryDirectory() as folder, simulated() as flux:
        where = Path(folder)
        clients = [python_client(where, "==6.1.1"), python_client(where, ">=7")]
        if which("npm"):
            clients.append(node_client(where))
        remarks, unknown = [], []
        print("| |", " | ".join(client.name for client in clients), "|")
        print("| --- |", " | ".join("---" for _ in clients), "|")
        for case in CASES:
            row = []
            for client in clients:
                right, said = outcome(client, case, flux.url)
                row.append("yes" if right else "no")
                if not right:
                    remarks.append(f"- {client.name}, {case.name}: {said or 'came to nothing'}")
                    if not any(client.name.startswith(name) and case.name in cases for name, cases in KNOWN.items()):
                        unknown.append(f"{client.name}, {case.name}")
            print(f"| {case.name} |", " | ".join(row), "|", flush=True)
        print("", *remarks, sep="\n")
        if unknown and "--check" in sys.argv[1:]:
            raise SystemExit(f"\nmissing, and not known to be: {'; '.join(unknown)}")


if __name__ == "__main__":
    main()
