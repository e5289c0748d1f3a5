"""Without Pipecat, and without a pipeline: what is loaded, what is said, and where turnkit's log goes."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest
import structlog

from turnkit import logs


def test_without_pipecat_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, and as turnkit's own."""
    monkeypatch.setitem(sys.modules, "loguru", None)
    monkeypatch.setitem(sys.modules, "pipecat", None)
    monkeypatch.delitem(sys.modules, "turnkit.interop.pipecat", raising=False)
    with pytest.raises(ImportError, match=r"pip install 'turnkit\[pipecat\]'"):
        importlib.import_module("turnkit.interop.pipecat")


def test_turnkit_loads_no_framework() -> None:
    """Nor does the package that the adapters are in."""
    code = "import sys, turnkit, turnkit.interop; print(*sorted({'pipecat', 'loguru'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == ""


def test_a_log_that_was_handed_over_goes_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each line with its level; structlog stays as it is, and nothing is printed."""
    lines: list[tuple[str, str]] = []
    monkeypatch.setattr(logs, "_given", None)
    logs.hand_over(lambda level, line: lines.append((level, line)))
    logs.logger(session="s1").warning("callback_failed", error="ValueError")
    logs.logger(session="s1").debug("flux_connected", request_id="r\x1b1")
    assert [level for level, _ in lines] == ["warning", "debug"]
    assert lines[0][1].split() == ["callback_failed", "error=ValueError", "session=s1"]
    assert "\x1b" not in lines[1][1]
    assert not structlog.is_configured()
    assert capsys.readouterr() == ("", "")


def test_an_application_that_has_configured_structlog_keeps_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has chosen goes before what a framework does."""
    given: list[str] = []
    entries: list[structlog.typing.EventDict] = []

    def keep(_: object, __: str, event: structlog.typing.EventDict) -> str:
        entries.append(event)
        raise structlog.DropEvent

    monkeypatch.setattr(logs, "_given", None)
    logs.hand_over(lambda _, line: given.append(line))
    structlog.configure(processors=[keep])
    logs.logger().info("hello")
    assert [entry["event"] for entry in entries] == ["hello"]
    assert given == []
