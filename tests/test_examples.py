"""The examples run, and show what they say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import anyio
import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_hello_machine(capsys: pytest.CaptureFixture[str]) -> None:
    """One draft withdrawn, one kept, a backchannel, a barge-in, silence."""
    load("hello_machine").main()
    names = [line.split("(")[0] for line in capsys.readouterr().out.splitlines()]
    assert [name for name in names if name not in ("TurnUpdated", "TurnStarted", "")] == [
        "Speculate",
        "Cancel",
        "Speculate",
        "Commit",
        "TurnDropped",
        "BargeIn",
        "Commit",
        "UserIdle",
        "UserIdle",
    ]


@pytest.mark.anyio
async def test_live_bot(capsys: pytest.CaptureFixture[str]) -> None:
    """The parrot drafts, is stopped, and has the last word."""
    with anyio.fail_after(120):
        await load("live_bot").main([])
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("  . thought of") for line in lines)
    assert any(line.startswith("  ! stopped") for line in lines)
    assert lines[-1] == "  > You said: And on Sundays?"
