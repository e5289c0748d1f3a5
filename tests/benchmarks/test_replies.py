"""The benchmark of the drafts measures what it says it does; what the numbers are is not asked here."""

from __future__ import annotations

import json

import pytest
import trio
from trio.testing import MockClock

from benchmarks import replies
from turnkit.turns.policy import NoSpeculation, OnEager


def test_the_gap_is_the_llms_time_less_the_lead_where_there_was_a_draft() -> None:
    """On the virtual clock each gap is what arithmetic says, withdrawn drafts or not; and every draft has an end."""
    turns = replies.scripted(30)
    clock = MockClock(autojump_threshold=0)
    given = trio.run(replies.hold_conversation, turns, OnEager(), clock=clock)
    assert given.gaps == pytest.approx([max(0.0, turn.first_token - turn.lead) for turn in turns], abs=1e-6)
    withdrawn = sum(turn.withdrawn_after is not None for turn in turns)
    assert withdrawn > 0
    assert given.drafts == {"started": 30 + withdrawn, "kept": 30, "wasted": withdrawn}
    without = trio.run(replies.hold_conversation, turns, NoSpeculation(), clock=MockClock(autojump_threshold=0))
    assert without.gaps == pytest.approx([turn.first_token for turn in turns], abs=1e-6)
    assert without.drafts["started"] == 0


def test_json_is_one_object_a_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A program may read it, the environment first."""
    monkeypatch.setattr(
        replies, "measure_gap", lambda count: [{"name": "gap", "unit": "ms"}, {"name": "drafts wasted"}]
    )
    assert replies.main(["--quick", "--json"]) == 0
    about, *rows = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert "python" in about["environment"]
    assert [row["name"] for row in rows] == ["gap", "drafts wasted"]
