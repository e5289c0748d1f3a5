"""A call that was hurried (`demo --speed`): its recording says so, and everybody tells of the call's own seconds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from turnkit import ConfigError
from turnkit.cli import app
from turnkit.evidence import evidence_of
from turnkit.tools.viewer import scene
from turnkit.trace import Recorder, parse, read, replay

SPEED = 10
CALL_SECONDS = 30.0  # and some more: that long the caller of the demo speaks
LLM_AND_TTS = 2.0  # seconds, in the recording below


def turnkit(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo at ten times the speed, with an LLM that takes its time."""
    path = tmp_path_factory.mktemp("hurried") / "call.jsonl"
    told = turnkit("demo", "--speed", SPEED, "--llm", 1.5, "--tts", 0.5, "--json", "--record", path)
    assert told.exit_code == 0
    seconds = [json.loads(line)["seconds"] for line in told.stdout.splitlines()]
    # What is shown and what is recorded count from the same moment.
    signals = read(path).in_call_time()
    assert seconds[-1] == pytest.approx(signals.signals()[-1].at - signals.began_at, abs=0.01)
    return path


def test_the_recording_says_so_and_replays_to_the_last_bit(hurried: Path) -> None:
    """By its own clock; what is told of it are the call's seconds."""
    trace = read(hurried)
    assert trace.header.speed == SPEED
    assert trace.header.settings["hold_timeout"] == pytest.approx(2.0 / SPEED)
    assert trace.in_call_time().header.settings["hold_timeout"] == 2.0
    assert replay(trace).verified
    assert replay(trace, hold_timeout=2.0).verified  # the recorded one, in seconds of the call
    assert trace.seconds < CALL_SECONDS < trace.in_call_time().seconds == pytest.approx(trace.seconds * SPEED)
    (told,) = map(json.loads, turnkit("replay", hurried, "--json").stdout.splitlines())
    assert told["seconds"] == pytest.approx(trace.seconds * SPEED)


def test_metrics_and_the_tuner_tell_of_the_calls_seconds(hurried: Path) -> None:
    """The response of an LLM and a TTS that take two seconds is not a fifth of one."""
    evidence = evidence_of(read(hurried))
    figures = evidence.metrics()
    assert figures is not None
    assert figures.response_gap.median is not None
    assert figures.response_gap.median > LLM_AND_TTS / 2  # drafts save the rest
    assert evidence.seconds > CALL_SECONDS
    learnt = evidence.for_tuner()
    assert learnt is not None
    assert max(ended for ended in _seconds_in(learnt.silences)) > CALL_SECONDS / 2
    calls, seconds, unit = turnkit("metrics", hurried).stdout.splitlines()[0].split()[1:]
    assert (calls, unit) == ("1,", "s")
    assert float(seconds) > CALL_SECONDS


def _seconds_in(value: object) -> list[float]:
    """Every number in it."""
    if isinstance(value, float):
        return [value]
    fields = getattr(value, "__struct_fields__", None)
    if fields is not None:
        return [number for name in fields for number in _seconds_in(getattr(value, name))]
    return [number for one in value for number in _seconds_in(one)] if isinstance(value, (list, tuple)) else []


def test_the_viewer_draws_the_calls_seconds(hurried: Path) -> None:
    """And says that it ran faster."""
    drawn = scene(read(hurried))
    assert drawn.seconds > CALL_SECONDS
    assert "The call ran 10 times as fast as people talk; times are the call's own." in drawn.notices
    assert 0.8 < drawn.pace < 3  # and not the tenth: the audio was late on a busy machine, no more


def test_other_settings_are_seconds_of_the_call(hurried: Path) -> None:
    """And so are the times of turns that come out differently, from the beginning of the call on."""
    (told,) = map(json.loads, turnkit("replay", hurried, "--speculation", "none", "--json").stdout.splitlines())
    turns = told["differing"]
    assert turns
    started = [turn["before"]["started"] for turn in turns]
    assert started == sorted(started)
    assert 0 < started[0] < 20 < started[-1] < 2 * CALL_SECONDS
    assert [turn["before"]["started"] for turn in turns] == [turn["after"]["started"] for turn in turns]


def test_recordings_from_before_are_read_as_before(hurried: Path) -> None:
    """Without the field it is 1, and nothing is touched; one that cannot be is refused."""
    text = hurried.read_bytes()
    old = text.replace(b',"speed":10.0', b"", 1)
    trace = parse(old)
    assert trace.header.speed == 1.0
    assert trace.in_call_time() is trace
    assert replay(trace).verified
    for speed in (b"0", b"-1", b"1e7", b'"10"', b"null"):
        with pytest.raises(ConfigError, match="the header does not have the fields it must have"):
            parse(text.replace(b'"speed":10.0', b'"speed":' + speed, 1))


@pytest.mark.parametrize("speed", [0, -1, float("nan"), float("inf"), "10", True, 1e7])
def test_a_recorder_takes_no_other(speed: float, tmp_path: Path) -> None:
    """It is told which rule is broken."""
    with pytest.raises(ConfigError, match=r"speed=.*: must be above 0, and at most 1e\+06"):
        Recorder(tmp_path / "a.jsonl", speed=speed)
