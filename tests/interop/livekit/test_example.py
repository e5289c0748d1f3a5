"""The example for LiveKit runs as it stands, without a key and without a server."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.examples import load
from turnkit.testing import virtual_time

pytest.importorskip("livekit.agents", reason="LiveKit Agents is tested in an environment of its own: .ci/interop")

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """LiveKit runs on asyncio only; on a clock that jumps here too."""
    return virtual_time("asyncio")


async def test_livekit_bot(capsys: pytest.CaptureFixture[str]) -> None:
    """A greeting, a backchannel that stops nothing, an interruption, an answer heard to its end."""
    await load("livekit_bot").main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["bot: Hello!", "caller: I'd like a table for two, please."]
    assert lines[2].startswith("bot: Very well, you said: I'd like a table")
    assert lines[2].endswith("(interrupted)")
    assert lines[3:] == [
        "caller: Sorry, make that three.",
        "bot: Very well, you said: Sorry, make that three. Shall I book that for you?",
    ]
