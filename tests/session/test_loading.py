"""A bot loads only what runs in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ENGINE = {"turnkit", "checks", "errors", "lazy", "turns", "wire"}
SESSION = ENGINE | {"logs", "printable", "session", "timers"}


def loaded(code: str) -> set[str]:
    """The modules of turnkit that there are in a fresh interpreter after this code."""
    code += "\nimport sys; print(*(name for name in sys.modules if name.split('.')[0] == 'turnkit'))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(run.stdout.split())


def rooms(modules: set[str]) -> set[str]:
    """The rooms that they stand in; `turnkit` for the package itself."""
    return {[*module.split("."), module][1] for module in modules}


def test_a_session_loads_no_room_that_it_does_not_run() -> None:
    """No metrics, trace, speaking, tools, simulator, testing or command line; and nothing that records."""
    modules = loaded("from turnkit import Session\nSession()")
    assert rooms(modules) == SESSION
    assert "turnkit.session.recording" not in modules


def test_a_recorded_session_loads_a_recorder_besides(tmp_path: Path) -> None:
    """Of a trace what writes it, and not what reads and replays it."""
    modules = loaded(f"from turnkit import Session\nSession(record={str(tmp_path / 'call.jsonl')!r})")
    assert rooms(modules) == SESSION | {"trace", "version"}
    assert {module for module in modules if module.startswith("turnkit.trace.")} == {
        f"turnkit.trace.{module}" for module in ("encoding", "lines", "policy_text", "recorder", "records", "redaction")
    }


@pytest.mark.parametrize("module", ["turnkit.session", "turnkit.session.observers"])
def test_an_observer_can_be_written_without_metrics(module: str) -> None:
    """The protocol is the session's, and so are its imports."""
    assert "metrics" not in rooms(loaded(f"from {module} import Observer"))
