"""`turnkit serve`, as it is called."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from typer.testing import CliRunner

from tests.support.package_source import ROOT
from tests.support.web_server import Address, heard
from turnkit.cli import app
from turnkit.testing import FakePhone
from turnkit.trace import read
from turnkit.turns.events import Speculate

pytest.importorskip("starlette", reason="needs Starlette, which is not for development; .ci/interop has it")
uvicorn = pytest.importorskip("uvicorn", reason="needs uvicorn, which is not for development; .ci/interop has it")

BOT = "tests.support.web_bot:session"
STAY = " s at most; Ctrl-C again ends it now"
"""What is said of calls that go on: in these tests one may have been hung up so late that it does."""


def turnkit(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if name != "DEEPGRAM_API_KEY"}
    return subprocess.Popen(
        [sys.executable, "-m", "turnkit", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env={**kept, "PYTHONPATH": str(ROOT), **environment},
    )


@pytest.mark.parametrize("workers", ["1", "2"])
def test_without_a_key(tmp_path: Path, workers: str) -> None:
    """With the simulator: one line says where the page is, a phone is answered, and Ctrl-C ends it."""
    arguments = (
        "serve",
        BOT,
        "--simulate",
        "--port",
        "0",
        "--workers",
        workers,
        "--drain",
        "2",
        "--max-lag",
        "30",
        "--max-calls",
        "1",
    )
    process = turnkit(*arguments, TURNKIT_TEST_RECORDINGS=str(tmp_path))
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(
        r"Talk to it at http://127\.0\.0\.1:(\d+)/ \(Ctrl-C ends it .*, in 2 s at most; again: at once\)\n", line
    )
    assert found, line

    async def call() -> None:
        address = Address(int(found[1]))
        await address.until(calls=0)
        assert "Talk to the bot" in (await address.get("/"))[1]
        phone = FakePhone(parameters={"number": "0"})
        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(address.dial, phone)
                await heard([phone])
                if workers == "1":  # else the other one has room
                    assert (await address.refused())[0] == 503
                phone.hang_up()

    try:
        anyio.run(call)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode in (0, 130)
    assert out == ""
    assert [line for line in err.splitlines() if "call_refused" not in line and STAY not in line] == []


def two_calls(*arguments: str, own: str = "") -> None:
    """Serve two calls, by two processes, until they are heard and hung up; `own`: where the bot records them."""
    settings = ("--simulate", "--port", "0", "--workers", "2", "--drain", "2", "--max-lag", "30")
    line = ("serve", BOT, *settings, *arguments)
    process = turnkit(*line, TURNKIT_TEST_RECORDINGS=own) if own else turnkit(*line)
    assert process.stdout is not None
    found = re.search(r":(\d+)/", process.stdout.readline())
    assert found

    async def call() -> None:
        address = Address(int(found[1]))
        await address.until(calls=0)
        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                phones = [FakePhone(parameters={"number": str(number)}) for number in range(2)]
                for phone in phones:
                    tasks.start_soon(address.dial, phone)
                await heard(phones)
                for phone in phones:
                    phone.hang_up()

    try:
        anyio.run(call)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert [line for line in err.splitlines() if STAY not in line] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_ends_it_is_told_what_it_waits_for(number: signal.Signals) -> None:
    """One line while a call goes on; a Ctrl-C after it does not wait, though the caller never hangs up."""
    process = turnkit("serve", BOT, "--simulate", "--port", "0", "--drain", "300", "--max-lag", "30")
    assert process.stdout is not None
    assert process.stderr is not None
    errors = process.stderr
    found = re.search(r":(\d+)/ .* in 300 s at most", process.stdout.readline())
    assert found
    said: list[str] = []

    async def call() -> None:
        address = Address(int(found[1]))
        await address.until(calls=0)
        phone = FakePhone(parameters={"number": "0"})
        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(address.dial, phone)
                await heard([phone])
                process.send_signal(number)
                said.append(await anyio.to_thread.run_sync(errors.readline))
                process.send_signal(signal.SIGINT)

    try:
        anyio.run(call)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert said == ["1 call goes on, for 300 s at most; Ctrl-C again ends it now\n"]
    assert err == ""


def test_calls_are_recorded_where_the_command_line_says(tmp_path: Path) -> None:
    """Those of a bot that says nothing of it, whichever process holds them: a file a call, for its owner only."""
    two_calls("--record", str(tmp_path / "new" / "calls"))
    recorded = list((tmp_path / "new" / "calls").iterdir())
    assert {read(path).ended for path in recorded} == {"closed"}
    assert {path.stat().st_mode & 0o777 for path in recorded} == {0o600}
    assert len({read(path).header.session for path in recorded}) == len(recorded) == 2


@pytest.mark.parametrize(("settings", "drafts"), [((), True), (("--eager-eot-threshold", "0"), False)])
def test_drafts_are_made_unless_told_otherwise(tmp_path: Path, settings: tuple[str, ...], drafts: bool) -> None:
    """In each process: Flux is asked for early ends of turn, or is not."""
    two_calls("--record", str(tmp_path), *settings)
    made = [{type(signal) for signal in read(path).signals()} for path in tmp_path.iterdir()]
    assert [Speculate in kinds for kinds in made] == [drafts] * 2


def test_calls_are_recorded_where_their_session_says(tmp_path: Path) -> None:
    """Whatever the command line says: --record is for those that say nothing."""
    own, told = tmp_path / "own", tmp_path / "told"
    two_calls("--record", str(told), own=str(own))
    assert sorted(path.name for path in own.rglob("*.jsonl")) == ["0.jsonl", "1.jsonl"]
    assert {read(path).ended for path in own.rglob("*.jsonl")} == {"closed"}
    assert list(told.iterdir()) == []


@pytest.mark.parametrize("command", ["play --no-open", f"serve {BOT} --simulate"])
def test_ctrl_c_before_the_server_heeds_it(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It starts, sees that it is to end, and ends as after any Ctrl-C, without a word."""
    run = uvicorn.Server.run

    def interrupted(server: Any, **settings: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        run(server, **settings)

    monkeypatch.setattr(uvicorn.Server, "run", interrupted)
    done = CliRunner().invoke(app, [*command.split(), "--port", "0"])
    assert (done.exit_code, done.stderr) == (130, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((BOT,), "DEEPGRAM_API_KEY: is not set; --simulate needs no key"),
        (("nobody:session", "--simulate"), "bot='nobody:session': there is no module nobody here"),
        ((BOT[:-8],), "must be MODULE:FUNCTION, such as mybot:session"),
        ((f"{BOT}s", "--simulate"), "tests.support.web_bot has no function sessions"),
        ((BOT, "--simulate", "--host", "256.0.0.1"), "host='256.0.0.1', port=8000: cannot listen there"),
        ((BOT, "--simulate", "--record", "README.md"), "record='README.md': must be a directory, and cannot be made"),
        ((BOT, "--simulate", "--public-url", "bot"), "public_url='bot': must be https://host"),
        ((BOT, "--simulate", "--eager-eot-threshold", "0.8"), "--eager-eot-threshold"),
    ],
)
def test_what_cannot_be_served(arguments: tuple[str, ...], said: str) -> None:
    """One line, and exit code 1."""
    _, err = turnkit("serve", *arguments).communicate(timeout=60)
    assert err.startswith("error: ")
    assert said in err
    assert err.count("\n") == 1


def test_the_key_is_never_said() -> None:
    """Nor what Flux makes of it: here nobody answers."""
    process = turnkit("--log-level", "debug", "serve", BOT, "--port", "0", DEEPGRAM_API_KEY="topsecret-key")
    assert process.stdout is not None
    found = re.search(r":(\d+)/", process.stdout.readline())
    assert found

    async def call() -> None:
        address = Address(int(found[1]))
        await address.until(calls=0)

    try:
        anyio.run(call)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert "topsecret" not in out + err
