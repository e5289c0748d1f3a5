"""What becomes of a judge's report, and what it is given: without its packages, and without a sound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.judges.__main__ import figures
from benchmarks.judges.conversation import MAX_STOP_MS, scenario
from benchmarks.judges.probe import script
from benchmarks.judges.sounds import Sounds

SOUNDS = Sounds(*((Path(f"{name}.wav"),) for name in ("question", "interruption", "hum", "cough")))


def turn(name: str, **told: Any) -> dict[str, Any]:
    return {
        "id": name,
        "stopped": None,
        "stop_latency_ms": None,
        "responded": False,
        "response_latency_ms": None,
        "passed": False,
        **told,
    }


def test_what_did_not_stop_in_time_is_no_stop_and_no_figure() -> None:
    """Nor is an interruption of a bot that was silent, of which the judge does not say whether it stopped."""
    told = figures(
        [
            turn("interrupt-0", stopped=True, stop_latency_ms=200.0),
            turn("interrupt-1", stopped=False, stop_latency_ms=4000.0),
            turn("interrupt-2"),
            turn("ask-0", responded=True, response_latency_ms=800.0),
            turn("ask-1"),
            turn("cough-0", passed=True),
            turn("hum-1", passed=True),
            turn("hum-2"),
        ]
    )
    assert (told["stopped"], told["interruptions"], told["stop_ms"]) == (1, 3, [200, 200, 200])
    assert (told["missed"], told["questions"], told["answer_ms"]) == (1, 2, [800, 800, 800])
    assert (told["coughs_ignored"], told["coughs"], told["hums_ignored"], told["hums"]) == (1, 1, 1, 2)


def test_a_call_has_as_many_of_each_as_it_has_rounds() -> None:
    """A question and an interruption each, and a noise over the next answer: coughs and hums in turn."""
    turns = scenario(SOUNDS, 4, seed=1)["turns"]
    assert [one["id"].partition("-")[0] for one in turns[:6]] == [
        "ask",
        "interrupt",
        "hum",
        "ask",
        "interrupt",
        "cough",
    ]
    assert all(one.get("max_stop_ms", MAX_STOP_MS) == MAX_STOP_MS for one in turns)
    assert scenario(SOUNDS, 4, seed=1) == scenario(SOUNDS, 4, seed=1)


def test_the_probe_interrupts_each_answer_and_waits_for_the_one_to_that() -> None:
    """Each step names the one that it follows."""
    steps = script(2)["steps"]
    assert [step["id"] for step in steps] == ["ask0", "stop0", "ask1", "stop1"]
    assert [step["cue"].get("response_to") for step in steps] == [None, "ask0", "stop0", "ask1"]
