"""Recordings of real sessions as plays of the simulator, without a socket."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from turnkit.errors import ConfigError
from turnkit.simulator import FRAME, Recording, Settings
from turnkit.simulator.player import RecordingPlayer

LINES = [
    '{"type":"Connected","request_id":"r","sequence_id":0}',
    '{"type":"TurnInfo","request_id":"r","event":"Update","turn_index":0,"audio_window_start":0.0,'
    '"audio_window_end":0.24,"transcript":"","words":[],"end_of_turn_confidence":0.4,"sequence_id":1}',
    '{"type":"TurnInfo","request_id":"r","event":"StartOfTurn","turn_index":0,"audio_window_start":0.0,'
    '"audio_window_end":1.6800001,"transcript":"Hi","words":[{"word":"Hi","confidence":1.0}],'
    '"end_of_turn_confidence":0.1,"sequence_id":2}',
    '{"type":"ConfigureSuccess","request_id":"r","thresholds":{"eot_threshold":0.8},"keyterms":[],"sequence_id":3}',
    '{"type":"TurnInfo","request_id":"r","event":"EndOfTurn","turn_index":0,"audio_window_start":0.0,'
    '"audio_window_end":2.4,"transcript":"Hi.","words":[],"end_of_turn_confidence":0.9,"sequence_id":4}',
    '{"type":"TurnInfo","request_id":"r","event":"Update","turn_index":1,"audio_window_start":2.4,'
    '"audio_window_end":2.6399999,"transcript":"","words":[],"end_of_turn_confidence":0.4,"sequence_id":5}',
]


def _recording(path: Path, lines: list[str]) -> Recording:
    file = path / "session.jsonl"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Recording.read(file)


def test_a_recording_plays_in_step_with_the_audio(tmp_path: Path) -> None:
    """A TurnInfo is due with its window, despite float32 noise; anything else with the frame before it."""
    player = RecordingPlayer(_recording(tmp_path, LINES), "r")
    assert player.opening() == LINES[:1]
    assert player.hear(0.16) == []
    assert player.hear(0.24) == LINES[1:2]
    assert player.hear(1.6) == []
    assert player.hear(1.68) == LINES[2:3]
    assert player.configure(Settings()) == LINES[3:4]
    assert player.hear(60.0) == LINES[4:]
    assert player.hear(61.0) == player.finish() == []


def test_the_recorded_session_plays_each_frame_with_its_window(preamble: Path) -> None:
    """No frame of the real session comes before the audio it covers, and none is held back beyond that."""
    recording = Recording.read(preamble)
    player = RecordingPlayer(recording, recording.request_id)
    played = player.opening()
    for frame in range(1, 280):
        due = [json.loads(text).get("audio_window_end", 0.0) for text in player.hear(frame * FRAME)]
        assert all(window <= frame * FRAME + 1e-3 for window in due)
        assert all(window > (frame - 1) * FRAME + 1e-3 for window in due if window)
        played += due
    assert len(played) == 104  # nobody asked for the ConfigureSuccess


def test_a_command_gets_the_answer_that_is_recorded_or_a_live_one(tmp_path: Path) -> None:
    """One recorded ConfigureSuccess serves one Configure; a second is answered at once, and the rest renumbered."""
    player = RecordingPlayer(_recording(tmp_path, LINES), "r")
    texts = player.opening() + player.hear(0.24)
    assert player.configure(Settings(eot_threshold=0.8)) == []
    live = player.configure(Settings(eot_threshold=0.9))
    assert json.loads(live[0])["thresholds"]["eot_threshold"] == 0.9
    texts += live + player.hear(60.0)
    assert [json.loads(text)["sequence_id"] for text in texts] == list(range(7))
    assert '"audio_window_end":1.6800001' in texts[3]


def test_a_turn_ended_by_command_stays_ended(tmp_path: Path) -> None:
    """The rest of the recorded turn is skipped, and no sequence id with it; without a turn there is a Warning."""
    player = RecordingPlayer(_recording(tmp_path, LINES), "r")
    texts = player.opening() + player.hear(0.24) + player.force_end()
    assert json.loads(texts[-1])["code"] == "FORCE_END_TURN_NO_ACTIVE_TURN"
    texts += player.hear(1.68) + player.force_end()
    end = json.loads(texts[-1])
    assert (end["event"], end["trigger"], end["transcript"], end["turn_index"]) == ("EndOfTurn", "manual", "Hi", 0)
    texts += player.hear(60.0)
    assert [json.loads(text)["sequence_id"] for text in texts] == list(range(6))
    assert json.loads(texts[-1])["turn_index"] == 1


def _manual() -> list[str]:
    """The same session, whose turn was ended by ForceEndTurn."""
    return [line.replace('"event":"EndOfTurn"', '"trigger":"manual","event":"EndOfTurn"') for line in LINES]


@pytest.mark.parametrize("early", [True, False])
def test_a_recorded_manual_end_answers_the_command(tmp_path: Path, early: bool) -> None:
    """Asked for before, it plays at its own time; asked for in its gap, at once: verbatim both times."""
    lines = _manual()
    player = RecordingPlayer(_recording(tmp_path, lines), "r")
    texts = player.opening() + player.hear(1.68) + player.configure(Settings())
    if early:
        assert player.force_end() == []
        texts += player.hear(60.0)
    else:
        assert player.hear(2.4) == []
        texts += player.force_end() + player.hear(60.0)
    assert texts == lines


def test_a_manual_end_that_nobody_asks_for_is_the_end_of_its_turn_all_the_same(tmp_path: Path) -> None:
    """Or the next turn would begin in it: it comes as if by timeout, when the next frame is due."""
    player = RecordingPlayer(_recording(tmp_path, _manual()), "r")
    player.opening()
    player.hear(1.68)
    assert player.hear(2.4) == []
    end, update = map(json.loads, player.hear(60.0))
    assert (end["event"], end["trigger"], end["sequence_id"]) == ("EndOfTurn", "timeout", 3)
    assert (update["turn_index"], update["sequence_id"]) == (1, 4)


def test_two_answers_in_one_gap_wait_for_their_own_commands(tmp_path: Path) -> None:
    """In the order recorded both are verbatim; in the other, each command still gets its own, and no number twice."""
    refused = '{"type":"ConfigureFailure","request_id":"r","code":"NO","description":"no","sequence_id":4}'
    warning = (
        LINES[3]
        .replace("ConfigureSuccess", "Warning")
        .replace(
            '"thresholds":{"eot_threshold":0.8},"keyterms":[]',
            '"code":"FORCE_END_TURN_NO_ACTIVE_TURN","description":"none"',
        )
    )
    lines = [*LINES[:2], warning.replace('"sequence_id":3', '"sequence_id":2'), LINES[3], refused]
    lines += [LINES[2].replace('"sequence_id":2', '"sequence_id":5')]
    recording = _recording(tmp_path, lines)
    player = RecordingPlayer(recording, "r")
    texts = player.opening() + player.hear(0.24) + player.force_end() + player.configure(Settings())
    assert texts + player.refuse({"type": "ConfigureFailure"}) + player.hear(60.0) == lines
    other = RecordingPlayer(recording, "r")
    texts = other.opening() + other.hear(0.24) + other.configure(Settings()) + other.force_end() + other.hear(60.0)
    told = [json.loads(text) for text in texts]
    assert [message["type"] for message in told] == [
        "Connected",
        "TurnInfo",
        "ConfigureSuccess",
        "Warning",
        "TurnInfo",
    ]
    assert [message["sequence_id"] for message in told] == list(range(5))


def test_a_command_after_its_gap_is_answered_live(tmp_path: Path) -> None:
    """What was recorded for it is over; nobody gets it out of order."""
    player = RecordingPlayer(_recording(tmp_path, LINES), "r")
    texts = player.opening() + player.hear(2.4) + player.configure(Settings(eot_threshold=0.9)) + player.hear(60.0)
    told = [json.loads(text) for text in texts]
    assert [message["sequence_id"] for message in told] == list(range(6))
    assert told[4]["thresholds"]["eot_threshold"] == 0.9


def test_a_recording_without_connected_gets_one(tmp_path: Path) -> None:
    """Clients wait for it; where its number is free, the rest stays verbatim."""
    player = RecordingPlayer(_recording(tmp_path, LINES[1:]), "r")
    assert json.loads(player.opening()[0]) == {"type": "Connected", "request_id": "r", "sequence_id": 0}
    assert player.hear(1.68) + player.configure(Settings()) + player.hear(60.0) == LINES[1:]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([], "holds no TurnInfo"),
        (LINES[:1], "holds no TurnInfo"),
        ([LINES[0], "not json"], "line 2: not a JSON object"),
        ([LINES[0], "[1]"], "line 2: not a JSON object"),
        ([LINES[0], "", '{"event":"Update"}'], "line 3: not a message of Flux"),
        ([LINES[0], '{"type":"TurnInfo","turn_index":"x"}'], "line 2: not a message of Flux"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, lines: list[str], problem: str) -> None:
    """The error names the file and the line."""
    with pytest.raises(ConfigError, match=f"session.jsonl.*{problem}"):
        _recording(tmp_path, lines)


def test_a_recording_that_is_not_there_is_refused_and_no_repr_quotes_one(tmp_path: Path) -> None:
    """Errors and reprs may be logged; transcripts may not."""
    with pytest.raises(ConfigError, match="cannot be read"):
        Recording.read(tmp_path / "none.jsonl")
    assert "Hi" not in repr(_recording(tmp_path, LINES).frames[2])
