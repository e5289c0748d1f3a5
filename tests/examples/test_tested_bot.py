"""The example tested_bot: its own tests pass, and fail when the bot has a mistake."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.support.examples import EXAMPLES


def test_tested_bot() -> None:
    """Its test-suite passes; and with the mistake in the bot it fails, and says in the caller's words what is wrong."""
    suites = {
        bot: subprocess.Popen(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-n",
                "0",
                "-p",
                "no:cacheprovider",
                "--hypothesis-seed=1",
                str(EXAMPLES / "tested_bot"),
            ],
            stdout=subprocess.PIPE,
            text=True,
            cwd=EXAMPLES.parent,
            env={**os.environ, "BOT": bot},
        )
        for bot in ("BookingLine", "Careless")
    }
    told = {bot: suite.communicate(timeout=120)[0] for bot, suite in suites.items()}
    assert suites["BookingLine"].returncode == 0, told["BookingLine"]
    assert "14 passed" in told["BookingLine"]
    assert suites["Careless"].returncode == 1
    failed = [
        line.split("::")[-1].split(" - ")[0] for line in told["Careless"].splitlines() if line.startswith("FAILED")
    ]
    assert failed == [
        "test_who_thinks_better_of_it_in_the_same_breath_keeps_the_booking",
        "test_a_cancellation_is_finished_though_the_caller_interrupts",
        "test_the_rules_hold_whoever_calls_and_whatever_fails",
    ]
    assert "cancel booking was called at 2.81 s, before the caller's turn was final" in told["Careless"]
    assert "caller   goes on  “Cancel my booking?”" in told["Careless"]
