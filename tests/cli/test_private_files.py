"""What holds people's words or voices is for its owner alone, as recordings are, whichever command writes it.

The calls of `play` and `serve` are recorded by sessions as all are: tests/tools/play/test_server.py and
tests/interop/web/test_serve.py hold some on a server, and look at their files.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal
from typer.testing import CliRunner, Result

from tests.support.command_files import FILE_ARGUMENTS, FileArgument, all_files, prepare
from tests.support.many_calls import calls
from turnkit.cli import app
from turnkit.simulator import Script, serve

ON_A_SERVER = {"play", "serve"}
WITHOUT_WORDS = {"soak"}
"""Whose files say nothing of what anybody said: they are as the umask has it, as those of any program."""
WRITTEN = [one for one in FILE_ARGUMENTS if one.writes and one.command not in ON_A_SERVER]
DRAWS = """
path = next(argument for argument in sys.argv if argument.startswith("--screenshot=")).partition("=")[2]
open(path, "wb").write(b"picture")
"""
PRIVATE = 0o600


@pytest.fixture(autouse=True)
def open_handed() -> Iterator[None]:
    """The umask keeps nothing from anybody: what is private is so by itself."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With what is read, and with a browser that is quick."""
    prepare(tmp_path)
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "chromium").write_text(f"#!{sys.executable}\nimport sys\n{DRAWS}\n")
    (tmp_path / "programs" / "chromium").chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def turnkit(*arguments: str) -> Result:
    return CliRunner(env={"DEEPGRAM_API_KEY": ""}).invoke(app, list(arguments))


def made_by(argument: FileArgument, folder: Path, file: str) -> set[Path]:
    """The files that the command makes."""
    before = set(folder.rglob("*"))
    with start_blocking_portal() as portal:
        line = argument.arguments(file)
        if argument.command == "run":
            with portal.wrap_async_context_manager(serve(Script.parse("0.1 Hello."))) as flux:
                done = turnkit(*line, "--url", flux.url)
        else:
            done = turnkit(*line)
    assert done.exit_code == 0, done.output
    return {path for path in set(folder.rglob("*")) - before if path.is_file()}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def needs(argument: FileArgument) -> None:
    if argument.command == "export" and find_spec("pyarrow") is None:
        pytest.skip("needs pyarrow, which is not for development; .ci/interop has it")


def test_every_file_that_is_written_is_walked() -> None:
    """And every one that is read: by type or by name, each is in the table."""
    assert {(one.command, one.parameter) for one in FILE_ARGUMENTS} == all_files()


@pytest.mark.parametrize("argument", WRITTEN, ids=str)
def test_it_is_its_owners_only(argument: FileArgument, folder: Path) -> None:
    """Whatever the umask is; what says nothing of what was said is as any file."""
    needs(argument)
    made = made_by(argument, folder, "made.parquet" if argument.command == "export" else "made.json")
    assert made
    wanted = 0o666 if argument.command in WITHOUT_WORDS else PRIVATE
    assert {path.name: mode(path) for path in made} == {path.name: wanted for path in made}


@pytest.mark.parametrize("argument", [one for one in WRITTEN if one.command not in ("demo", "run", "soak")], ids=str)
def test_it_is_so_over_one_that_others_could_read(argument: FileArgument, folder: Path) -> None:
    """Recordings are never written over; all else is."""
    needs(argument)
    file = "made.parquet" if argument.command == "export" else "made.html"
    made_by(argument, folder, file)
    (folder / file).chmod(0o644)
    if argument.command == "export":
        calls(folder / "more", 3)
        assert turnkit("export", "more", "--words", "--out", file).exit_code == 0
    else:
        made_by(argument, folder, file)
    assert mode(folder / file) == PRIVATE


def test_so_are_tables_in_a_directory(folder: Path) -> None:
    """Each file, also one that an export that was killed has begun; without words they are as any table."""
    pytest.importorskip("pyarrow", reason="needs pyarrow, which is not for development; .ci/interop has it")
    for words, wanted in ((["--words"], PRIVATE), ([], 0o666)):
        out = folder / ("with" if words else "without")
        assert turnkit("export", "call.jsonl", "--out", str(out), *words).exit_code == 0
        made = sorted(out.rglob("*.parquet"))
        assert [mode(path) for path in made] == [wanted] * 3
        for path in made:
            path.rename(f"{path}.partial")
            Path(f"{path}.partial").chmod(0o644)
        assert turnkit("export", "call.jsonl", "--out", str(out), *words).exit_code == 0
        if words:
            assert [mode(path) for path in sorted(out.rglob("*.parquet"))] == [PRIVATE] * 3


def test_so_are_the_pages_of_a_directory(folder: Path) -> None:
    """And the index of them."""
    (folder / "calls").mkdir()
    (folder / "call.jsonl").rename(folder / "calls" / "call.jsonl")
    assert turnkit("view", "calls", "--no-open", "--out", "index.html").exit_code == 0
    pages = [folder / "index.html", *(folder / "index-pages").rglob("*.html")]
    assert [mode(path) for path in pages] == [PRIVATE] * 2


def test_so_is_a_call_that_is_recorded_unasked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the demo, in a directory that nobody else looks into."""
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    assert turnkit("demo", "--speed", "50").exit_code == 0
    (recorded,) = folder.rglob("demo.jsonl")
    assert (mode(recorded), mode(recorded.parent)) == (PRIVATE, 0o700)
