"""The matrix of real clients against the simulator, as a table.

Installs each client in a folder of its own, and takes less than a minute:   python -m tests.interop.client_matrix
With --check it fails if something is missing that is not known to be, or is told otherwise by docs/client-matrix.md.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import wave
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from pathlib import Path
from shutil import which
from typing import Any, NamedTuple

from anyio.from_thread import start_blocking_portal

from tests.support.opus_streams import PACKET, ogg_stream, webm_stream
from turnkit.simulator import Script, Simulator, say, serve

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent / "clients"
KEY, TOKEN, WRONG = "a-key-of-fourteen", "a-jwt-of-sixteen", "not-the-key-at-all"
SCRIPT = Script((say("Good morning. I'd like to know (0.9) when you open.", at=1.0),), seed=1)
RAW = {"model": "flux-general-en", "encoding": "linear16", "sample_rate": 16000}
EAGER = {**RAW, "eager_eot_threshold": 0.4}
CONTAINER = {"model": "flux-general-en"}
FIVE = {"StartOfTurn", "Update", "EagerEndOfTurn", "TurnResumed", "EndOfTurn"}
CLOSE = ("close", None)
SUBPROTOCOLS = {"key as subprotocol", "token as subprotocol"}
KNOWN = {  # by the beginning of the client's name: what it has no way to ask for
    "deepgram-sdk 6": {"Configure", "ForceEndTurn", *SUBPROTOCOLS},
    "deepgram-sdk 7": SUBPROTOCOLS,
    "Chromium": {"key as Token", "token as Bearer"},
}
SECONDS = 120.0  # that all calls of a client may take

Step = tuple[str, Any]
Heard = dict[str, Any]


class Client(NamedTuple):
    """A client that is installed: its name with its version, the command that makes its calls, and where."""

    name: str
    command: list[str]
    folder: str
    own_way: str = "token"  # to give a credential


class Case(NamedTuple):
    """A row: its name, the call, and whether what was heard is right."""

    name: str
    options: dict[str, Any]
    steps: list[Step]
    right: Callable[[Heard], bool]
    auth: str | None = None  # the client's own way
    secret: str = KEY


def audio(frames: int, size: int = 2560) -> Step:
    """Silence in frames; the simulator's clock is its length."""
    return "audio", [size] * frames


def pieces(data: bytes, size: int = 4000) -> Step:
    """Bytes of a container, cut anywhere."""
    return "audio", [data[at : at + size].hex() for at in range(0, len(data), size)]


def wav() -> Step:
    """The same as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16000)
        sound.writeframes(bytes(2560 * 75))
    return pieces(file.getvalue())


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
OGG = pieces(ogg_stream(300))
CASES = (
    Case("five events", EAGER, [audio(75), CLOSE], lambda heard: events(heard) == FIVE),
    Case("Configure", RAW, [audio(5), CONFIGURE, audio(5), CLOSE], configured),
    Case("ForceEndTurn", RAW, [audio(25), ("force", None), audio(10), CLOSE], forced),
    Case("CloseStream", RAW, [audio(75), CLOSE], ended),
    Case("key as Token", RAW, [audio(75), CLOSE], ended, "token"),
    Case("token as Bearer", RAW, [audio(75), CLOSE], ended, "bearer", TOKEN),
    Case("key as subprotocol", RAW, [audio(75), CLOSE], ended, "token as subprotocol"),
    Case("token as subprotocol", RAW, [audio(75), CLOSE], ended, "bearer as subprotocol", TOKEN),
    Case("refused: wrong key", RAW, [audio(75), CLOSE], refused, None, WRONG),
    Case("refused: bad setting", {**RAW, "eot_threshold": 0.2}, [audio(75), CLOSE], refused),
    Case("refused: no such model", {**RAW, "model": "nova-3"}, [audio(75), CLOSE], refused),
    Case("WAV container", CONTAINER, [wav(), CLOSE], ended),
    Case("WebM with Opus", CONTAINER, [pieces(webm_stream(300)), CLOSE], ended),
    Case("Ogg with Opus", CONTAINER, [OGG, CLOSE], ended),
    Case("Ogg with Opus, declared", {**RAW, "encoding": "ogg-opus"}, [OGG, CLOSE], ended),
    Case("Opus packets", {**RAW, "encoding": "opus"}, [("audio", [PACKET.hex()] * 300), CLOSE], ended),
    Case("mulaw", {**RAW, "encoding": "mulaw", "sample_rate": 8000}, [audio(75, 640), CLOSE], ended),
    Case("multi with two hints", MULTI, [audio(75), CLOSE], ended),
)
RECORDED = ("record", 6.0)  # in a browser: what its MediaRecorder makes, instead of the WebM above


def python_client(where: Path, version: str) -> Client:
    """Deepgram's Python SDK in an environment of its own."""
    folder = where / f"python{version.strip('=<>~')}"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", f"deepgram-sdk{version}"], check=True, capture_output=True)
    found = version_of("deepgram-sdk", str(python))
    return Client(f"deepgram-sdk {found} (Python)", [str(python), str(HERE / "python_sdk.py")], str(folder))


def version_of(package: str, python: str = sys.executable) -> str:
    """The version of a package that is installed there."""
    asked = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([python, "-c", asked], check=True, capture_output=True, text=True).stdout.strip()


def node_client(where: Path) -> Client:
    """@deepgram/sdk on Node."""
    folder = where / "node"
    folder.mkdir()
    subprocess.run(["npm", "install", "--silent", "--prefix", folder, "@deepgram/sdk"], check=True, capture_output=True)
    package = json.loads((folder / "node_modules" / "@deepgram" / "sdk" / "package.json").read_text())
    script = folder / "call.cjs"
    script.write_text((HERE / "node_sdk.cjs").read_text())  # where its imports are found
    return Client(f"@deepgram/sdk {package['version']} (Node)", ["node", str(script)], str(folder))


def websockets_client() -> Client:
    """The package by itself, as it is installed for turnkit."""
    return Client(
        f"websockets {version_of('websockets')} (Python)", [sys.executable, str(HERE / "bare_websockets.py")], str(ROOT)
    )


def chromium_client(program: str) -> Client:
    """A page in it, which can give no header."""
    said = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
    number = next((word.split(".")[0] for word in said.split() if word[0].isdigit()), "")
    command = [sys.executable, "-m", "tests.interop.clients.chromium_page"]
    return Client(f"Chromium {number} (a page)", command, str(ROOT), "token as subprotocol")


def installed(where: Path) -> list[Client]:
    """All clients that there can be here."""
    with ThreadPoolExecutor(3) as threads:
        coming = [threads.submit(python_client, where, version) for version in ("==6.1.1", ">=7")]
        coming += [threads.submit(node_client, where)] if which("npm") else []
        clients = [one.result() for one in coming]
    clients.append(websockets_client())
    chromium = which("chromium") or which("google-chrome")
    return clients + ([chromium_client(chromium)] if chromium else [])


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


def job(client: Client, case: Case, url: str) -> dict[str, Any]:
    """A call as the client is told of it."""
    steps = case.steps
    if client.name.startswith("Chromium") and case.name.startswith("WebM"):
        steps = [RECORDED, CLOSE]
    auth = case.auth or client.own_way
    return {"url": url, "auth": auth, "secret": case.secret, "options": case.options, "steps": steps}


def outcomes(client: Client, url: str) -> dict[str, tuple[bool, str]]:
    """Make all calls of a client; of each whether it went right, and what the client says if not."""
    found: dict[str, tuple[bool, str]] = {}
    # What a page does is another process than what a server does: the SDK for both decides once which it is in.
    by_kind = sorted(CASES, key=lambda case: "subprotocol" in (case.auth or ""))
    for _, cases in groupby(by_kind, key=lambda case: "subprotocol" in (case.auth or "")):
        todo = list(cases)
        lines = "".join(f"{json.dumps(job(client, case, url))}\n" for case in todo)
        done = subprocess.run(
            client.command, input=lines, capture_output=True, text=True, timeout=SECONDS, cwd=client.folder
        )
        told = done.stdout.splitlines()
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1][:100]
        for case in todo:
            heard: Heard = json.loads(told.pop(0)) if told else {"messages": [], "closed": False, "error": last}
            found[case.name] = case.right(heard), str(heard["error"] or "came to nothing")
    return found


def table(results: dict[str, dict[str, tuple[bool, str]]]) -> list[str]:
    """The lines of the table, a column a client."""
    lines = [f"| | {' | '.join(results)} |", f"| --- | {' | '.join('---' for _ in results)} |"]
    for case in CASES:
        row = ("yes" if found[case.name][0] else "no" for found in results.values())
        lines.append(f"| {case.name} | {' | '.join(row)} |")
    return lines


def faults(results: dict[str, dict[str, tuple[bool, str]]]) -> list[str]:
    """What is not as it is known to be: missing, or there though it is said to be missing."""
    found = []
    for client, cases in results.items():
        known = next((names for name, names in KNOWN.items() if client.startswith(name)), set())
        found += [f"{client}, {case}: {said}" for case, (right, said) in cases.items() if right == (case in known)]
    return found


def main() -> None:
    """Print the table, and what the clients say where something is missing."""
    with tempfile.TemporaryDirectory() as folder, simulated() as flux:
        clients = installed(Path(folder))
        with ThreadPoolExecutor(3) as threads:
            found = list(threads.map(lambda client: outcomes(client, flux.url), clients))
    results = dict(zip((client.name for client in clients), found, strict=True))
    print(*table(results), "", sep="\n")
    for client, cases in results.items():
        print(*(f"- {client}, {case}: {said}" for case, (right, said) in cases.items() if not right), sep="\n")
    if "--check" not in sys.argv[1:]:
        return
    page = (ROOT / "docs" / "client-matrix.md").read_text("utf-8")
    unsaid = [case.name for case in CASES if f"| {case.name} |" not in page]
    if wrong := [*faults(results), *(f"docs/client-matrix.md has no row {name}" for name in unsaid)]:
        raise SystemExit("\nnot as it is known to be:\n" + "\n".join(wrong))


if __name__ == "__main__":
    main()
