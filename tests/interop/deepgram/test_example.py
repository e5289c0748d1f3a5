"""The example for Deepgram's SDK runs as it stands, over both of its clients."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.examples import EXAMPLES

pytest.importorskip("deepgram", reason="Deepgram's SDK is tested in an environment of its own: .ci/interop")

CALL = [
    "bot cancelled: ",
    "caller: Good morning. I'd like to know when you open.",
    "bot finished: You said: Good morning. I'd like to know when you open.",
]


def test_deepgram_sdk_bot() -> None:
    """A draft withdrawn in the pause, and an answer heard to its end; twice the same."""
    # In a process of its own: it has event loops of its own, and its threads need real seconds.
    example = str(EXAMPLES / "deepgram_sdk_bot.py")  # what load("deepgram_sdk_bot") would load
    done = subprocess.run(
        [sys.executable, "-W", "ignore", example], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.splitlines() == ["asynchronous", *CALL, "with threads", *CALL]
