"""Files and places that cannot be had: of every command one line on standard error says which, and what is wrong."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.support.command_files import FILE_ARGUMENTS, MISSING, FileArgument, prepare
from turnkit.cli import app

LONG = "n" * 300
READ = {
    "nope": "No such file or directory",
    "file/inside": "Not a directory",
    LONG: "File name too long",
    "empty": "is empty|holds no TurnInfo|nothing is said in it",
    "bytes": "is no JSON object|is not a WAV file|must be text in UTF-8",
    "directory": "Is a directory|there are no recordings in",
}
"""What a file to be read is, and what is said of it."""
WRITTEN = {
    "file/inside": "Not a directory|is no directory|must be a directory",
    LONG: "File name too long",
    "missing/inside": "No such file or directory|is no directory|must be a directory",
    "directory": "is a directory|Is a directory",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    prepare(tmp_path)
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").write_text("text")
    (tmp_path / "empty").touch()
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00\x01" * 100)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def turnkit(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "80", "DEEPGRAM_API_KEY": ""}).invoke(app, list(arguments))


def one_line(done: Result) -> str:
    """The line on standard error that is all that is said; "" where what the command works with is not installed."""
    assert isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == 1, done.output
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "Errno" not in done.stderr
    return "" if MISSING in done.stderr else done.stderr


@pytest.mark.parametrize("file", READ, ids=lambda file: file[:12])
@pytest.mark.parametrize("argument", [one for one in FILE_ARGUMENTS if not one.writes], ids=str)
def test_what_cannot_be_read(argument: FileArgument, file: str, folder: Path) -> None:
    """Is named, with the reason, and nothing else is said."""
    done = turnkit(*argument.arguments(file))
    line = one_line(done)
    if line:
        assert file in line
        assert any(said in line for said in READ[file].split("|")), line
        assert done.stdout == ""


INTO_DIRECTORIES = {("export", "--out"), ("play", "--record"), ("serve", "--record")}
"""What is a directory, and made if it is not there; recordings of one call go into one that is there."""
UNWRITABLE = [
    (argument, file)
    for argument in FILE_ARGUMENTS
    for file in WRITTEN
    if argument.writes
    and not (file == "directory" and (argument.name == "--record" or argument.command == "export"))
    and not (file == "missing/inside" and (argument.command, argument.name) in INTO_DIRECTORIES)
]


@pytest.mark.parametrize(("argument", "file"), UNWRITABLE, ids=lambda one: str(one)[:16])
def test_what_cannot_be_written(argument: FileArgument, file: str, folder: Path) -> None:
    """Is named with its option, before anything that takes long is done."""
    done = turnkit(*argument.arguments(file))
    line = one_line(done)
    if line:
        assert argument.name.strip("-") in line
        assert file in line
        assert any(said in line for said in WRITTEN[file].split("|")), line
        assert done.stdout in ("", "wrote page.html\n")


LISTENING = {
    "simulate": ["simulate"],
    "serve": ["serve", "bot_of_tests:session", "--simulate"],
    "play": ["play", "--no-open"],
}


@pytest.fixture
def taken() -> Iterator[int]:
    """A port at which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.mark.parametrize("command", LISTENING)
def test_a_port_that_is_taken(command: str, taken: int, folder: Path) -> None:
    """With the way out."""
    line = one_line(turnkit(*LISTENING[command], "--port", str(taken)))
    told = f"error: host='127.0.0.1', port={taken}: cannot listen there: somebody else does already; end that, or take"
    assert not line or line.startswith(told)


@pytest.mark.parametrize("command", LISTENING)
@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("192.0.2.1", "this machine has no such address; 127.0.0.1 is for itself alone, 0.0.0.0 for all that reach it"),
        ("no.such.machine.invalid", "no machine of that name is known here; 127.0.0.1 is this one"),
        ("", "must be an address; 127.0.0.1 is for this machine alone, 0.0.0.0 for all that reach it"),
    ],
)
def test_an_address_that_is_none_here(command: str, host: str, said: str, folder: Path) -> None:
    """Likewise; an empty one would be every network."""
    line = one_line(turnkit(*LISTENING[command], "--port", "0", "--host", host))
    assert not line or (said in line and f"host={host!r}" in line)


@pytest.mark.parametrize("command", LISTENING)
def test_a_port_that_is_not_for_everybody(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below 1024, where the system keeps those for itself: here it is told so, as who runs the tests may have them."""

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("socket.socket.bind", refuse)
    line = one_line(turnkit(*LISTENING[command], "--port", "1"))
    assert not line or "port=1: cannot listen there: this user may not; take a port from 1024 on" in line


@pytest.mark.parametrize("command", LISTENING)
def test_a_port_that_is_none(command: str, folder: Path) -> None:
    """The command was called wrongly."""
    done = turnkit(*LISTENING[command], "--port", "99999")
    assert done.exit_code == 2
    assert "'--port'" in done.stderr
    assert "65535" in done.stderr


def test_nobody_who_listens(folder: Path) -> None:
    """Is told in the system's words, without its numbers."""
    line = one_line(turnkit("run", "call.wav", "--url", "ws://127.0.0.1:9"))
    assert line == "error: 127.0.0.1:9 could not be reached (Connection refused); check host, port and network\n"
