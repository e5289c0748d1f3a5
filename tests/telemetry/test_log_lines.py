"""Log lines: one a turn and one a call, without what was said."""

from __future__ import annotations

import pytest
import structlog

from tests.support.monitored_bot import HEARD, SAID, TALK, bot, conversation
from turnkit.telemetry import log_turns

pytestmark = pytest.mark.anyio


async def test_a_line_a_turn_and_one_a_call() -> None:
    """Each line has the session and what is known of the turn; nothing in it was said by anybody."""
    session = bot()
    with structlog.testing.capture_logs() as lines:
        structlog.configure(processors=structlog.get_config()["processors"])
        log_turns(session)
        await conversation(session, *TALK)
    assert [line["event"] for line in lines] == ["turn_over", "turn_over", "call_over"]
    assert lines[0] == {
        "event": "turn_over",
        "log_level": "info",
        "session": "call-1",
        "turn": 0,
        "trigger": "model",
        "news_to_commit": 0.5,
        "end_to_commit": 0.0,
        "reply": 1,
        "outcome": "interrupted",
        "drafts": 2,
        "wasted": 1,
        "lead": 0.5,
        "first_chunk": 0.25,
        "saved": 0.25,
        "response_gap": 0.5,
        "tokens": 200,
        "wasted_tokens": 100,
    }
    assert lines[1]["false_barge_in"] == "backchannel"
    last = lines[2]
    assert (last["session"], last["turns"], last["wasted"], last["hit_rate"]) == ("call-1", 2, 1, 0.5)
    assert (last["response_gap_median"], last["response_gap_p95"]) == (0.5, 0.75)
    assert "silence_median" not in last
    assert not any(word in repr(lines) for word in (SAID, HEARD, "yeah"))


async def test_silent_until_configured(capsys: pytest.CaptureFixture[str]) -> None:
    """An application that did not configure structlog sees no line for every turn."""
    session = bot()
    log_turns(session)
    await conversation(session, *TALK)
    assert capsys.readouterr() == ("", "")
