"""URLs of recordings may carry a password, or a signature: no command shows or writes it, whatever happens."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import fsspec
import pytest
from typer.testing import CliRunner, Result

from tests.support.command_files import FILE_ARGUMENTS, MISSING, FileArgument, prepare
from tests.support.many_calls import call
from turnkit.cli import app
from turnkit.cli.export import _lost as lost_to_tables
from turnkit.cli.gathering import _lost as lost_to_evidence
from turnkit.cli.processes import DIED
from turnkit.cli.replay import _lost as lost_to_replay
from turnkit.errors import ConfigError
from turnkit.evidence import CallEvidence, Evidence, evidence_of, gather, gather_all
from turnkit.trace import Recorder, parse, read

SECRET = "hunter2"
URL = f"memory://me:{SECRET}@store/calls/none.jsonl"
SHOWN = "memory://store/calls/none.jsonl"
URLS = [
    URL,
    f"s3://me:{SECRET}/{SECRET}@bucket/a.jsonl",
    f"https://me:{SECRET}@127.0.0.1:9/a.jsonl?token={SECRET}",
    f"https://127.0.0.1:9/a.jsonl?X-Amz-Signature={SECRET}#{SECRET}",
    f"simplecache::https://me:{SECRET}@127.0.0.1:9/a.jsonl?token={SECRET}",
    f"nosuch://me:{SECRET}@store/a.jsonl?{SECRET}",
    f"https://[me:{SECRET}@store/a.jsonl",
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def turnkit(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "400", "DEEPGRAM_API_KEY": ""}).invoke(app, list(arguments))


def written_in(folder: Path) -> str:
    """Names and contents of all that is there."""
    files = sorted(path for path in folder.rglob("*") if path.name not in ("call.jsonl", "call.wav"))
    return "\n".join(str(path) + (path.read_text(errors="replace") if path.is_file() else "") for path in files)


@pytest.mark.parametrize("argument", FILE_ARGUMENTS, ids=str)
@pytest.mark.parametrize("url", URLS)
@pytest.mark.sampled(10)
def test_no_command_shows_it(url: str, argument: FileArgument, folder: Path) -> None:
    """Of each of its files: one that cannot be had is told without, whatever the store is, or if none is meant."""
    done = turnkit(*argument.arguments(url))
    assert done.exit_code == 1 or (argument.writes and url.startswith("memory:")), done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert SECRET not in done.output + written_in(folder)


@pytest.mark.parametrize("as_json", [False, True])
def test_of_a_file_that_killed_its_worker(as_json: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said names it without."""

    def all_lost(
        work: object, paths: list[str], *_: object, lost: Callable[[str, str], object], **__: object
    ) -> Iterator[object]:
        return (lost(path, DIED) for path in paths)

    monkeypatch.setattr("turnkit.cli.replay.each", all_lost)
    done = CliRunner().invoke(app, ["replay", URL, *["--json"] * as_json])
    assert done.exit_code == 1
    assert SECRET not in done.output
    assert f"trace '{SHOWN}': {DIED}" in done.output
    if as_json:
        assert json.loads(done.stdout)["trace"] == SHOWN


def test_of_a_file_that_cannot_be_read() -> None:
    """Nor in the field that names the file for programs."""
    done = CliRunner().invoke(app, ["replay", URL, "--json"])
    assert done.exit_code == 1
    assert SECRET not in done.output
    assert json.loads(done.stdout)["trace"] == SHOWN


def test_of_those_of_other_commands() -> None:
    """The same is said by each that works on many, under the same name."""
    told = {SHOWN: f"trace '{SHOWN}': {DIED}"}
    assert lost_to_evidence(URL, DIED).problems == told
    assert lost_to_replay(URL, DIED).problem == told[SHOWN]
    if find_spec("pyarrow") is not None:
        assert lost_to_tables(URL, DIED).problems == told


@pytest.mark.parametrize("command", ["metrics", "tune"])
def test_of_one_of_many(command: str, folder: Path) -> None:
    """What is left out is named without: for people, for programs, and on the page."""
    line = [command, "call.jsonl", URL]
    page = ["--html", "page.html"] if command == "tune" else []
    told = turnkit(*line, *page)
    as_json = turnkit(*line, "--json")
    assert f"left out trace '{SHOWN}'" in told.stdout
    assert SHOWN in json.loads(as_json.stdout)["unreadable"][0]
    assert SECRET not in told.output + as_json.output + written_in(folder)


@pytest.mark.parametrize("command", ["view", "export"])
def test_of_one_that_is_read(command: str, folder: Path) -> None:
    """Pages and tables name where it was read from, without."""
    fsspec.filesystem("memory").pipe(f"/me:{SECRET}@store/seen/call.jsonl", call(0))
    url = f"memory://me:{SECRET}@store/seen"
    for trace in (f"{url}/call.jsonl", url):
        done = turnkit(command, trace, "--out", "made.html", *["--no-open"] * (command == "view"))
        assert done.exit_code == 0 or MISSING in done.output, done.output
        assert SECRET not in done.output + written_in(folder)


@pytest.mark.parametrize("url", URLS)
def test_evidence_holds_none(url: str) -> None:
    """Neither as it is kept, nor packed, nor put together, nor as it is shown."""
    evidence = gather(url) | gather_all([url])
    evidence.add_problem(url, f"{url}: is odd")
    (name,) = evidence.problems
    assert SECRET not in f"{name} {evidence.problems} {evidence!r}"
    assert SECRET.encode() not in zlib.decompress(evidence.pack())
    assert Evidence.unpack(evidence.pack()) == evidence


def test_evidence_of_what_was_read_under_such_a_name_holds_none() -> None:
    """However it came by that name."""
    trace = parse(call(0), URL)
    assert trace.name == evidence_of(trace).name == SHOWN


def test_packed_evidence_of_before_is_cleaned() -> None:
    """A pack of an older turnkit may hold it: it is not handed on."""
    older = Evidence()
    older.problems[URL] = f"trace '{SHOWN}': is empty"
    older.add(CallEvidence(call="a"))
    assert Evidence.unpack(older.pack()).problems == {SHOWN: f"trace '{SHOWN}': is empty"}
    assert SECRET.encode() not in zlib.decompress((Evidence() | older).pack())


@pytest.mark.parametrize("url", URLS)
def test_tables_hold_none(url: str) -> None:
    """A part travels between processes, and ends in a log."""
    pytest.importorskip("pyarrow", reason="needs pyarrow, which is not for development; .ci/interop has it")
    from turnkit.tables import part_of

    part = part_of([url])
    assert len(part.problems) == 1
    assert SECRET not in repr(part)


@pytest.mark.parametrize("url", URLS)
def test_a_traceback_shows_none(url: str) -> None:
    """What the store's library said is in no chain that a traceback follows."""
    for work in (lambda: read(url), lambda: Recorder(url), lambda: Recorder(f"{url}/")):
        with pytest.raises(ConfigError) as caught:
            work()
        error: BaseException | None = caught.value
        while error is not None:
            assert SECRET not in f"{error} {error!r} {error.__notes__ if hasattr(error, '__notes__') else ''}"
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_a_session_is_recorded_in_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store takes whole files; the parts of the URL, its password among them, were once made into folders here."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"^record='s3://bucket/calls/': must be a path of this machine"):
        Recorder(f"s3://me:{SECRET}@bucket/calls/")
    assert list(tmp_path.iterdir()) == []
