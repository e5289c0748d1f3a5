"""The command line, as people and programs meet it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from typer.testing import CliRunner, Result
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect as dial

from tests.support.simulator_client import RAW
from tests.support.wav_file import write_wav
from turnkit import __version__
from turnkit.cli import app
from turnkit.simulator import FAULTS
from turnkit.turns.chart import REPLY_EDGES, USER_EDGES, diagrams

COMMAND = [sys.executable, "-m", "turnkit"]
BOUND = 60  # seconds after which a command is taken to hang


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEEPGRAM_API_KEY", raising=False)


def turnkit(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(*arguments: str | Path) -> str:
    """What a command that fails says: one sentence, no traceback."""
    result = turnkit(*arguments)
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert result.stderr.startswith("error: ")
    return result.stderr


def test_help_teaches() -> None:
    """--help of the whole and of each command; no arguments is help too."""
    for arguments in ([], ["--help"]):
        output = turnkit(*arguments).output
        for command in ("demo", "run", "simulate", "chart"):
            assert command in output
    assert "DEEPGRAM_API_KEY" in turnkit("run", "--help").output
    assert "a table (0.7) for two" in turnkit("simulate", "--help").output
    assert turnkit("--version").output == f"turnkit {__version__}\n"


def test_the_chart_as_tables_pictures_and_rows() -> None:
    """Tables for people, Mermaid for READMEs, JSON for programs."""
    tables = turnkit("chart").output
    assert "EagerEndOfTurn" in tables
    assert "→ pending" in tables
    assert turnkit("chart", "--mermaid", "user").output == diagrams()["user"] + "\n"
    rows = [json.loads(line) for line in turnkit("chart", "--json").output.splitlines()]
    assert len(rows) == len(USER_EDGES) + len(REPLY_EDGES)
    assert rows[3] == {
        "chart": "user",
        "move": "StartOfTurn",
        "source": "listening",
        "dest": "speaking",
        "surprise": None,
    }


def test_the_demo_for_programs_and_for_people() -> None:
    """--json prints the signals and nothing else; otherwise lines and what it came to."""
    began = time.monotonic()
    result = turnkit("demo", "--speed", "30", "--json")
    took = time.monotonic() - began
    signals = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert next(iter(signals[0])) == "signal"
    assert {"TurnStarted", "TurnUpdated", "Speculate", "Commit", "BargeIn", "TurnDropped", "ReplyEnded"} <= {
        entry["signal"] for entry in signals
    }
    # Beside the clock's own second, that of the conversation, which runs as fast as it is asked to.
    for name in ("at", "seconds"):
        assert [entry[name] for entry in signals] == sorted(entry[name] for entry in signals)
    for entry in signals:
        assert entry["seconds"] == pytest.approx(
            30 * (entry["at"] - signals[0]["at"]) + signals[0]["seconds"], abs=0.01
        )
    # On a machine that is late all is later, but never before its time, nor after the command's own.
    assert signals[0]["seconds"] >= 0
    assert 25 < signals[-1]["seconds"] < 30 * took
    text = turnkit("demo", "--speed", "30").stdout
    assert "\x1b" not in text
    assert "barge-ins" in text


def test_wrong_calls_are_usage_errors() -> None:
    """Exit code 2 for what the command line itself can tell."""
    for arguments in (["run"], ["demo", "--speed", "0"], ["simulate", "--port", "70000"], ["nonsense"]):
        assert turnkit(*arguments).exit_code == 2


def test_wrong_settings_and_files_are_told_in_a_sentence(tmp_path: Path) -> None:
    """Each names the thing, its value and the rule."""
    wav = write_wav(tmp_path / "a.wav")
    junk = tmp_path / "junk.jsonl"
    junk.write_text("no json\n")
    assert "missing.wav: cannot be read" in refused("run", tmp_path / "missing.wav")
    assert "is not a WAV file" in refused("run", junk)
    assert "needs a key" in refused("run", wav)
    assert "--eot-threshold 0.4: must be" in refused("run", wav, "--eot-threshold", "0.4")
    assert "--eager-eot-threshold 0.8: must be at most" in refused("run", wav, "--eager-eot-threshold", "0.8")
    assert "--speculation sometimes: must be one of" in refused("run", wav, "--speculation", "sometimes")
    assert "'x' is not a number" in refused("run", wav, "--speculation", "budget:x")
    assert "MinConfidence(confidence=2.0)" in refused("run", wav, "--speculation", "min-confidence:2")
    assert "url" in refused("run", wav, "--url", "http://localhost")
    assert "give one of them" in refused("simulate", "--recording", junk, "--script", junk)
    assert "junk.jsonl" in refused("simulate", "--recording", junk)
    assert "line 1" in refused("simulate", "--script", junk)


def test_a_refused_connection_is_told_in_a_sentence(tmp_path: Path) -> None:
    """Nobody listens there: no traceback, and what to check."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert "could not be reached" in refused("run", write_wav(tmp_path / "a.wav"), "--url", f"ws://127.0.0.1:{port}")


def test_a_port_that_is_taken_is_told() -> None:
    """simulate where somebody listens already."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "cannot listen" in refused("simulate", "--port", str(taken.getsockname()[1]))


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`turnkit simulate` as its own process, on a free port, hearing one short utterance."""
    script = tmp_path / "short.txt"
    script.write_text("0.3  Hello there. \n")
    command = [*COMMAND, "simulate", "--script", str(script), "--port", "0", "--seed", "3", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["listening"], process
        finally:
            process.kill()


def test_run_against_a_simulator_in_real_time(simulator: tuple[str, subprocess.Popen[str]], tmp_path: Path) -> None:
    """Two processes and a socket; real seconds, because this is what a newcomer does."""
    url, process = simulator
    wav = write_wav(tmp_path / "silence.wav", frames=16000)
    command = [*COMMAND, "run", str(wav), "--url", url, "--json", "--eager-eot-threshold", "0.4"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=BOUND, check=True)
    signals = [json.loads(line) for line in result.stdout.splitlines()]
    assert [entry["signal"] for entry in signals if entry["signal"] != "TurnUpdated"] == [
        "TurnStarted",
        "Speculate",
        "Commit",
    ]
    assert list(signals[-1])[-1] == "audio_end"
    assert 0.3 < signals[0]["seconds"] < signals[-1]["seconds"] < BOUND
    ends = [entry["audio_end"] for entry in signals]
    assert ends == sorted(ends)
    assert 0.3 < ends[0] < ends[-1] < 4
    assert process.stdout is not None
    assert process.stderr is not None
    assert [json.loads(process.stdout.readline())["state"] for _ in range(2)] == ["opened", "closed"]
    process.send_signal(signal.SIGINT)
    assert process.wait(BOUND) == 130
    assert process.stderr.read() == ""


def test_the_simulator_lists_its_faults() -> None:
    """Each fault and moment for people, each fault for programs; --help shows how to ask for one."""
    people = turnkit("simulate", "--list-faults").stdout
    rows = [json.loads(line) for line in turnkit("simulate", "--list-faults", "--json").stdout.splitlines()]
    assert [row["fault"] for row in rows] == list(FAULTS)
    assert rows[3] == {
        "fault": "stall",
        "summary": FAULTS["stall"].summary,
        "value": None,
        "rule": "",
        "moment": "turn1.mid",
    }
    assert all(name in people for name in FAULTS)
    assert "turn2.before" in people
    assert "--fault drop@12.5s" in turnkit("simulate", "--help").output


def test_a_fault_that_does_not_exist_is_told_in_a_sentence() -> None:
    """With what there is; nothing listens."""
    assert "fault 'stal': no such fault; there are refuse, " in refused("simulate", "--fault", "stal")
    assert "moment '5': must be connect, " in refused("simulate", "--fault", "stall@5")


@pytest.mark.parametrize("as_json", [True, False])
def test_a_simulator_says_which_faults_struck(tmp_path: Path, as_json: bool) -> None:
    """When, where, and on which connection; a refused attempt has none."""
    script = tmp_path / "short.txt"
    script.write_text("0.3  Hello there. \n")
    faults = ["--fault", "refuse:429/1", "--fault", "close:1008@message2/2", "--fault", "random:0"]
    command = [*COMMAND, "simulate", "--script", str(script), "--port", "0", *faults, *["--json"] * as_json]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        url = json.loads(first)["listening"] if as_json else first.split()[5]
        if not as_json:
            process.stdout.readline()

        async def ring() -> None:
            with pytest.raises(InvalidStatus):
                await connect(f"{url}/v2/listen?{RAW}", proxy=None)
            async with connect(f"{url}/v2/listen?{RAW}", proxy=None) as socket:
                await socket.send(bytes(16000))
                await socket.wait_closed()

        anyio.run(ring)
        lines: list[str] = []
        while not lines or "closed" not in lines[-1]:
            lines.append(process.stdout.readline())
        process.kill()
    if as_json:
        rows = [json.loads(line) for line in lines]
        struck = [row for row in rows if "fault" in row]
        assert [row["fault"] for row in struck] == ["refuse:429@connect/1", "close:1008@message2/2"]
        assert struck[0] | {"number": 1, "connection": ""} == struck[0]
        assert struck[1] | {"audio_seconds": 0.24, "after": 2, "number": 2} == struck[1]
        assert struck[1]["connection"] == rows[-1]["connection"]
        assert {"refused": 429, "code": "TOO_MANY_REQUESTS"} in rows
    else:
        text = "".join(lines)
        assert "fault    attempt 1  refuse:429@connect/1  at connect" in text
        assert "close:1008@message2/2  at 0.24 s of audio, after 2 messages" in text


def test_a_reader_that_leaves_ends_the_command_quietly() -> None:
    """`turnkit demo --json | head -1`: no traceback, no log."""
    with subprocess.Popen(
        [*COMMAND, "demo", "--speed", "30", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(BOUND) == 1


def test_a_key_never_shows(tmp_path: Path) -> None:
    """The key from the environment is in no message, also when Flux refuses it."""
    with subprocess.Popen(
        [*COMMAND, "simulate", "--port", "0", "--api-key", "the-good-key", "--json"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["listening"]
        result = subprocess.run(
            [*COMMAND, "run", str(write_wav(tmp_path / "a.wav")), "--url", url],
            env={**os.environ, "DEEPGRAM_API_KEY": "the-bad-secret"},
            capture_output=True,
            text=True,
            timeout=BOUND,
            check=False,
        )
        process.kill()
    assert result.returncode == 1
    assert "INVALID_AUTH" in result.stderr
    assert "secret" not in result.stdout + result.stderr


def test_simulate_takes_an_unsettled_field_where_told_to() -> None:
    """`simulate --configurable profanity_filter`; there is no other."""
    assert "must be one of profanity_filter" in refused("simulate", "--configurable", "redact", "--port", "0")
    command = [*COMMAND, "simulate", "--port", "0", "--configurable", "profanity_filter", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = f"{json.loads(process.stdout.readline())['listening']}/v2/listen?model=flux-general-en"
        with dial(url, proxy=None) as socket:
            socket.recv(BOUND)
            socket.send('{"type":"Configure","profanity_filter":true}')
            assert json.loads(socket.recv(BOUND))["profanity_filter"] is True
        process.kill()


def test_a_token_is_asked_for() -> None:
    """`simulate --token` takes that one, as Bearer, and no other."""
    with subprocess.Popen(
        [*COMMAND, "simulate", "--port", "0", "--token", "the.good.token", "--json"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        url = f"{json.loads(process.stdout.readline())['listening']}/v2/listen?model=flux-general-en"
        with dial(url, additional_headers={"Authorization": "Bearer the.good.token"}, proxy=None) as socket:
            assert json.loads(socket.recv(BOUND))["type"] == "Connected"
        with pytest.raises(InvalidStatus, match="401"):
            dial(url, additional_headers={"Authorization": "Token the.good.token"}, proxy=None)
        process.kill()
