"""A caller who is told what to say on the way: heard as it is said, by the rules that hold for every turn."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.simulator_client import SILENCE, dial
from turnkit import ConfigError, FluxOptions, LocalProtocolError, connect
from turnkit.simulator import FRAME, Detector, LiveCaller, Settings, serve
from turnkit.wire import TurnInfo

EAGER = Settings(eager_eot_threshold=0.3)


class Line:
    """A caller and who hears them, frame by frame; keeps every message."""

    def __init__(self, settings: Settings = EAGER, seed: int = 0) -> None:
        self.caller = LiveCaller(seed=seed)
        self.detector: Detector = self.caller.listen(settings)
        self.messages: list[dict[str, Any]] = []

    def say(self, text: str, seconds: float = 0.4) -> None:
        now = max(self.caller.now, self.caller.last.end if self.caller.last else 0.0)
        self.caller.say(text, start=now, end=now + seconds)

    def wait(self, seconds: float) -> list[dict[str, Any]]:
        messages = self.detector.hear(self.caller.now + seconds)
        self.messages += messages
        return messages

    def until(self, event: str, bound: float = 20.0) -> dict[str, Any]:
        ends = self.caller.now + bound
        while self.caller.now < ends:
            for message in self.wait(FRAME):
                if message["event"] == event:
                    return message
        raise AssertionError(f"no {event} in {bound} s: {[m['event'] for m in self.messages]}")


def test_words_are_heard_as_they_are_said() -> None:
    """Nothing before them; then a start, the words so far, an end; and the next turn has the next words."""
    line = Line()
    assert {message["event"] for message in line.wait(3.0)} == {"Update"}
    line.say("Hello", 0.5)
    line.say("there.")
    started = line.until("StartOfTurn")
    assert started["transcript"] in ("Hello", "Hello there.")
    assert started["words"][0]["start"] == pytest.approx(3.0, abs=FRAME)
    ended = line.until("EndOfTurn")
    assert (ended["turn_index"], ended["transcript"], ended["trigger"]) == (0, "Hello there.", "model")
    line.wait(1.0)
    line.say("And")
    line.say("now?")
    assert line.until("EndOfTurn")["transcript"] == "And now?"


def test_a_pause_may_be_taken_for_an_end_and_going_on_takes_that_back() -> None:
    """As in a script: an eager end on the words so far, and TurnResumed with more of them."""
    line = Line()
    line.say("Tomorrow")
    line.say("evening")
    assert line.until("EagerEndOfTurn")["transcript"] == "Tomorrow evening"
    line.say("at")
    resumed = line.until("TurnResumed")
    assert resumed["transcript"] == "Tomorrow evening at"


def test_a_word_that_grows_is_one_word() -> None:
    """Key by key, and told once it is over; the silence begins where its last key ends."""
    line = Line()
    line.say("t", 0.4)
    for text in ("ta", "tab", "tabl", "table."):
        line.wait(0.2)
        assert line.caller.amend(text, end=line.caller.now + 0.4)
    ended = line.until("EndOfTurn")
    assert ended["transcript"] == "table."
    assert all(m["event"] in ("StartOfTurn", "Update") for m in line.messages if m["audio_window_end"] < 1.04)
    assert {m["transcript"] for m in line.messages} == {"", "table."}
    assert line.caller.last is not None
    readable = min(m["audio_window_end"] for m in line.messages if m["transcript"])
    assert readable == pytest.approx(line.caller.last.end, abs=3 * FRAME)


def test_a_word_amended_after_an_eager_end_takes_it_back() -> None:
    """Its words are others now, though they are as many; the same word again changes nothing."""
    line = Line()
    line.say("for")
    line.say("fro")
    line.until("EagerEndOfTurn")
    assert line.caller.amend("fro", end=line.caller.now)
    assert "TurnResumed" not in [message["event"] for message in line.wait(FRAME)]
    assert line.caller.amend("four", end=line.caller.now + 0.2)
    (resumed,) = line.wait(FRAME)
    assert (resumed["event"], resumed["transcript"]) == ("TurnResumed", "for four")


def test_what_is_over_stays_as_it_was() -> None:
    """A word of an ended turn cannot be amended, nor one that never was; what was heard is not cut off."""
    line = Line()
    assert line.caller.amend("nothing", end=1.0) is False
    line.say("Done.", 1.0)
    line.wait(0.8)
    line.caller.amend("Done.", end=0.1)
    assert line.caller.last is not None
    assert line.caller.last.end == pytest.approx(0.8)
    line.until("EndOfTurn")
    assert line.caller.amend("Undone.", end=line.caller.now + 1) is False
    assert line.caller.last.text == "Done."


def test_thresholds_in_force_decide() -> None:
    """An unfinished word ends by timeout only; a lower threshold ends it by itself."""
    silences = {}
    for threshold in (0.5, 1.0):
        line = Line(Settings(eot_threshold=threshold, eot_timeout_ms=3000), seed=4)
        line.say("well")
        ended = line.until("EndOfTurn")
        silences[threshold] = (ended["trigger"], ended["audio_window_end"])
    assert silences[1.0][0] == "timeout"
    assert silences[1.0][1] == pytest.approx(3.4, abs=FRAME)
    assert silences[0.5] < silences[1.0]


@pytest.mark.parametrize(
    ("text", "start", "end", "problem"),
    [
        ("two words", 1.0, 2.0, "must be one word"),
        ("...", 1.0, 2.0, "must be one word"),
        ("late", 0.2, 2.0, "must not begin before 0.56 s"),
        ("backwards", 2.0, 1.0, "must end after it starts"),
        ("never", float("nan"), 1.0, "must end after it starts"),
    ],
)
def test_what_cannot_be_said(text: str, start: float, end: float, problem: str) -> None:
    """Nothing is, and it is said why."""
    line = Line()
    line.wait(0.56)
    with pytest.raises(ConfigError, match=problem):
        line.caller.say(text, start=start, end=end)
    assert line.caller.last is None


def test_nobody_listens() -> None:
    """Before there is a connection."""
    caller = LiveCaller()
    assert caller.now == 0.0
    with pytest.raises(LocalProtocolError, match="nobody listens"):
        caller.say("Hello", start=0.0, end=1.0)
    with pytest.raises(LocalProtocolError, match="nobody listens"):
        caller.amend("Hello", end=1.0)


_ACTS = st.lists(
    st.tuples(st.sampled_from(["say", "amend", "wait", "force"]), st.sampled_from(["so", "table", "please."]),
              st.floats(0.01, 1.5)),
    max_size=40,
)  # fmt: skip


@given(_ACTS, st.integers(0, 5))
def test_every_promise_about_turns_is_kept(acts: list[tuple[str, str, float]], seed: int) -> None:
    """Whatever is said, amended and ended when: indexes and windows go on, and an eager end is what it was told of."""
    line = Line(seed=seed)
    for act, text, seconds in acts:
        if act == "say":
            line.say(text, seconds)
        elif act == "amend":
            line.caller.amend(text, end=line.caller.now + seconds)
        elif act == "wait":
            line.wait(seconds + FRAME)
        elif (ended := line.detector.force_end()) is not None:
            line.messages.append(ended)
    turn, eager = 0, None
    active = False
    for message in line.messages:
        assert message["turn_index"] == turn
        event, text = message["event"], message["transcript"]
        if event == "StartOfTurn":
            assert not active
            active = True
        elif event != "Update":
            assert active
        if eager is not None and event != "TurnResumed":
            assert text == eager
        assert (event == "TurnResumed") <= (eager is not None and text != eager)
        eager = text if event == "EagerEndOfTurn" else None if event in ("TurnResumed", "EndOfTurn") else eager
        if event == "EndOfTurn":
            turn, active = turn + 1, False


@pytest.mark.anyio
async def test_over_the_wire() -> None:
    """turnkit's own client hears the words; another connection hears only what is said after it."""
    caller = LiveCaller()
    async with serve(caller) as flux:
        for word in ("first.", "second."):
            async with connect(FluxOptions(eager_eot_threshold=0.3), url=flux.url) as stream:
                await stream.send_audio(SILENCE * 5)
                said = False
                async for message in stream:
                    if not isinstance(message, TurnInfo):
                        await stream.send_audio(SILENCE)
                    elif message.event == "EndOfTurn":
                        assert message.transcript == word
                        break
                    else:
                        if not said:
                            said = True
                            caller.say(word, start=caller.now, end=caller.now + 0.6)
                        await stream.send_audio(SILENCE * 3)


@pytest.mark.anyio
async def test_a_live_caller_does_not_go_on_elsewhere() -> None:
    with pytest.raises(ConfigError, match="play must be a Script"):
        async with serve(LiveCaller(), continues=True) as flux, dial(flux):
            pass
