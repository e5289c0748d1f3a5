"""What must hold for every ordering of events: legal or not, duplicated, reordered, dropped, cut off.

The rules and who deals the events are `turnkit.testing.MachineRules`; here they meet every policy there is, moody and
broken ones too.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

from tests.support.policies import machine_settings
from turnkit.testing import MachineRules


class TestAnyOrdering(MachineRules):
    """The machine with any policy."""

    machine_settings = machine_settings
    policies_may_fail = True


def test_pytest_collects_and_runs_a_subclass(tmp_path: Path) -> None:
    """Written as one of `BotRules` is: no more than a class; and what is wrong with the policy is told."""
    (tmp_path / "test_polite.py").write_text(
        textwrap.dedent("""
            from turnkit import Verdict
            from turnkit.testing import MachineRules, strategies

            def polite(overlap):
                return Verdict.YIELD if overlap.elapsed > 0.5 else Verdict.WAIT

            def broken(overlap):
                raise LookupError("no verdict")

            class TestPolite(MachineRules):
                machine_settings = strategies.machine_settings(barge_in=polite)
                examples = steps = 10

            class TestBroken(TestPolite):
                machine_settings = strategies.machine_settings(barge_in=broken)
                examples, steps = 50, 30
        """)
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_polite.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert "1 failed, 1 passed" in done.stdout, done.stdout
    assert "a policy failed: " in done.stdout
    assert "warning" not in done.stdout
