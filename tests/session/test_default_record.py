"""Where sessions are recorded that say nothing of it, and that those that say so are recorded where they say."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from anyio.from_thread import start_blocking_portal
from typer.testing import CliRunner

from tests.support.simulated_call import hold
from tests.support.wav_file import write_wav
from turnkit import Session
from turnkit.cli import app
from turnkit.session.default_record import recorded_in
from turnkit.simulator import Script, serve
from turnkit.trace import Recorder, read

SCRIPT = Script.parse("0.5 Hello.", seed=17)


def recorded(folder: Path) -> list[str]:
    """The sessions that are recorded there."""
    return sorted(read(path).header.session for path in folder.iterdir()) if folder.exists() else []


@pytest.fixture
def default(tmp_path: Path) -> Path:
    return tmp_path / "default"


@pytest.mark.anyio
async def test_who_says_nothing_is_recorded_there(default: Path) -> None:
    """And nobody is who was made before, or afterwards."""
    before = Session(id="before")
    with recorded_in(f"{default}/"):
        session = Session(id="meanwhile")
    for one in (before, session, Session(id="after")):
        await hold(one, SCRIPT)
    assert recorded(default) == ["meanwhile"]


@pytest.mark.anyio
async def test_who_says_where_is_recorded_there(default: Path, tmp_path: Path) -> None:
    """By a path, by a directory, or by a recorder."""
    own = tmp_path / "own"
    own.mkdir()
    with recorded_in(f"{default}/"):
        sessions = [
            Session(id="a", record=own / "a.jsonl"),
            Session(id="b", record=f"{own}/"),
            Session(id="c", record=Recorder(own / "c.jsonl")),
        ]
    for session in sessions:
        await hold(session, SCRIPT)
    assert recorded(own) == ["a", "b", "c"]
    assert recorded(default) == []


@pytest.mark.anyio
async def test_it_is_one_of_a_task(default: Path) -> None:
    """Whoever makes sessions beside it, at the same moment, is not recorded there."""
    inside, made = anyio.Event(), anyio.Event()
    sessions: list[Session] = []

    async def server() -> None:
        with recorded_in(f"{default}/"):
            inside.set()
            await made.wait()
            sessions.append(Session(id="served"))

    async def other() -> None:
        await inside.wait()
        sessions.append(Session(id="other"))
        made.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server)
        tasks.start_soon(other)
    for session in sessions:
        await hold(session, SCRIPT)
    assert recorded(default) == ["served"]


@pytest.mark.anyio
async def test_the_innermost_counts_and_ends_with_what_it_holds(default: Path, tmp_path: Path) -> None:
    """Also where that fails."""
    inner = tmp_path / "inner"

    async def fail() -> None:
        with recorded_in(f"{inner}/"):
            await hold(Session(id="inner"), SCRIPT)
            raise ZeroDivisionError

    with recorded_in(f"{default}/"):
        with pytest.raises(ZeroDivisionError):
            await fail()
        await hold(Session(id="outer"), SCRIPT)
    assert (recorded(inner), recorded(default)) == (["inner"], ["outer"])


@pytest.mark.parametrize("command", ["demo", "run"])
def test_a_command_records_where_it_is_told(command: str, default: Path, tmp_path: Path) -> None:
    """Whoever runs it may have said something else for those who say nothing."""
    own = tmp_path / "own"
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(serve(SCRIPT)) as flux:
        line = ["--speed", "50"] if command == "demo" else [str(write_wav(tmp_path / "a.wav")), "--url", flux.url]
        with recorded_in(f"{default}/"):
            done = CliRunner().invoke(app, [command, *line, "--record", f"{own}/"])
    assert done.exit_code == 0, done.output
    assert len(recorded(own)) == 1
    assert recorded(default) == []
