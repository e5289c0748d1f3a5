"""The simulator's figures are Flux's: how fast turns end, how far ahead drafts are, how often a pause is an end."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

from tests.support.hearing import hear, of
from turnkit.simulator import FRAME, Pace, Script, Settings, Utterance, say

FINISHED = (
    "I'd like a table for two, please.",
    "Could you tell me when you open tomorrow?",
    "No, that is all for today, thanks.",
    "My number is on the booking.",
    "Is there any parking near the hotel?",
)


def _conversation(count: int, line: Callable[[int], str], pace: Pace = "talk") -> Script:
    utterances: list[Utterance] = []
    for number in range(count):
        # Not a multiple of the frame, so that ends fall anywhere within one.
        at = utterances[-1].end + 3.513 + number * 0.013 % FRAME if utterances else 1.0
        utterances.append(say(line(number), at=at, pace=pace))
    return Script(tuple(utterances), seed=7)


def _latencies(script: Script, messages: list[dict[str, Any]]) -> list[float]:
    ends = [utterance.end for utterance in script.utterances]
    return sorted(m["audio_window_end"] - ends[m["turn_index"]] for m in messages if m.get("trigger") == "model")


def _leads(messages: list[dict[str, Any]]) -> list[float]:
    leads = []
    eager: dict[str, Any] = {}
    for message in messages:
        if message["event"] == "EagerEndOfTurn":
            eager = message
        elif message.get("trigger") == "model":
            leads.append(message["audio_window_end"] - eager["audio_window_end"])
    return leads


def test_finished_turns_end_as_fast_as_flux_says_and_fall_off_the_cliff() -> None:
    """At 0.70: median 0.26 to 0.30 s, p95 about 1.5 s, nearly all by the model; at 0.79 and 0.80 about half."""
    script = _conversation(400, lambda number: FINISHED[number % len(FINISHED)])
    messages = hear(script, Settings(eager_eot_threshold=0.4, eot_timeout_ms=3000))
    ends = of(messages, "EndOfTurn")
    assert len(ends) == 400
    latencies = _latencies(script, messages)
    assert 0.24 <= median(latencies) <= 0.31
    assert 1.1 <= latencies[int(0.95 * len(latencies))] <= 1.9
    assert 0.97 <= len(latencies) / 400 <= 0.998
    leads = _leads(messages)
    assert 0.12 <= median(leads) <= 0.26
    assert sum(lead < 0.01 for lead in leads) > 20
    assert 4 <= sum(lead > 1.0 for lead in leads) <= 60
    for threshold in (0.79, 0.80):
        model = _latencies(script, hear(script, Settings(eot_threshold=threshold, eot_timeout_ms=3000)))
        assert 0.40 <= len(model) / 400 <= 0.62


def test_pauses_in_mid_sentence_are_sometimes_taken_for_ends() -> None:
    """Of pauses from 0.3 s, about 10 to 13 % end a turn at 0.70 and about 5 % at 0.79."""
    script = _conversation(
        400, lambda number: f"I would like a table ({0.3 + number % 40 * 0.03:.2f}) for two, please."
    )
    shares = {}
    for threshold in (0.70, 0.79):
        ends = of(hear(script, Settings(eot_threshold=threshold, eot_timeout_ms=3000)), "EndOfTurn")
        shares[threshold] = sum(message["transcript"].endswith("table") for message in ends) / 400
    assert 0.08 <= shares[0.70] <= 0.16
    assert 0.025 <= shares[0.79] <= 0.08


def test_speech_read_aloud_ends_as_late_as_in_the_recorded_session() -> None:
    """Eager (0.5) about 1.28 s and the end (0.8) about 1.44 s after the last sound, and no bluff in between."""
    script = _conversation(60, lambda _: "We the people of the United States of America.", pace="read")
    messages = hear(script, Settings(eot_threshold=0.8, eager_eot_threshold=0.5))
    ends = [utterance.end for utterance in script.utterances]
    eager = [m["audio_window_end"] - ends[m["turn_index"]] for m in of(messages, "EagerEndOfTurn")]
    final = _latencies(script, messages)
    assert len(eager) == len(final) == 60
    assert 1.24 <= median(eager) <= 1.32
    assert 1.40 <= median(final) <= 1.48
    assert final[-1] - final[0] < 0.3
