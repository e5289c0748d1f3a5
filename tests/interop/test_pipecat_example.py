"""The example for Pipecat runs, on the simulator, in a stock pipeline."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from tests.support.examples import load
from turnkit.testing import virtual_time

pytest.importorskip("pipecat", reason="Pipecat has an environment of its own: .ci/interop")


@pytest.fixture(params=["asyncio"])
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Pipecat runs on asyncio; here on a clock that jumps whenever all tasks wait."""
    return virtual_time("asyncio")


@pytest.mark.anyio
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_pipecat_bot(capsys: pytest.CaptureFixture[str]) -> None:
    """A greeting heard to its end, a draft withdrawn, a backchannel, an answer interrupted, one heard to its end."""
    with anyio.fail_after(120):
        await load("pipecat_bot").main()
    lines = [line[5:].strip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "Commit",
        "ReplyEnded  finished",
        "Speculate I'd like a table.",
        "Cancel  resumed",
        "ReplyEnded  cancelled",
        "Speculate I'd like a table. For two please.",
        "Commit I'd like a table. For two please.",
        "TurnDropped Mm-hm. overlap_kept",
        "BargeIn No wait,",
        "ReplyEnded  interrupted",
        "Speculate No wait, for three.",
        "Commit No wait, for three.",
        "ReplyEnded  finished",
    ]
