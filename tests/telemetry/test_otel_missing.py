"""Without OpenTelemetry, or with its API alone: nothing breaks, and what to install is said."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.monitored_bot import TALK, bot, conversation
from turnkit import ConfigError
from turnkit.metrics import Metrics, TurnMetrics
from turnkit.telemetry import instrument, log_turns

pytestmark = pytest.mark.anyio


async def test_without_an_sdk_nothing_happens() -> None:
    """With only the API, or no SDK configured, `instrument` measures and reports to nobody."""
    session = bot()
    turns: list[TurnMetrics] = []
    seen = instrument(session, on_turn=turns.append)
    await conversation(session, *TALK)
    assert seen.metrics.call.turns == len(turns) == 2


def test_only_the_api_is_needed() -> None:
    """`instrument` imports nothing of the SDK, and `telemetry` nothing of OpenTelemetry until it is called."""
    code = """
import sys
from turnkit.telemetry import instrument
assert "opentelemetry" not in sys.modules
sys.modules["opentelemetry.sdk"] = None
class Observed:
    id = "call-1"
    def observe(self, observer): self.observer = observer
session = Observed()
instrument(session)
from turnkit import EndOfTurn, TurnMachine
machine = TurnMachine()
session.observer.fed(0.0, EndOfTurn(0, "tea"), machine.feed(EndOfTurn(0, "tea"), 0.0))
session.observer.end()
print("nothing happened")
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (run.stdout, run.stderr) == ("nothing happened\n", "")


def test_a_missing_extra_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without OpenTelemetry the error says what to install; log lines do not need it."""
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    session = bot()
    with pytest.raises(ConfigError, match=r"not installed; install turnkit\[otel\]"):
        instrument(session)
    assert isinstance(log_turns(session), Metrics)
