"""What another setting makes of a pause and an end, worked out by hand from a report a frame."""

from __future__ import annotations

from math import inf
from types import SimpleNamespace

import numpy as np
import pytest

from turnkit.tools.tuner import CallSilences, FluxThresholds, Setting, Silence
from turnkit.tools.tuner.columns import Columns
from turnkit.tools.tuner.crossings import Crossings
from turnkit.tools.tuner.prediction import Predictor

REPLY_SECONDS = 0.7
HAD = FluxThresholds(0.7, 0.5, 5.0)
PAUSE = (0.2, 0.3, 0.4, 0.45, 0.55, 0.58, 0.62, 0.62, 0.6)
END = (0.2, 0.3, 0.42, 0.45, 0.6, 0.62, 0.64, 0.66, 0.66, 0.75)


def samples(confidences: tuple[float, ...], every: int = 1) -> list[tuple[float, float]]:
    """A report of every so manieth frame of 0.08 s, and of the last one."""
    last = len(confidences)
    return [(0.08 * k, c) for k, c in enumerate(confidences, 1) if k % every == 0 or k == last]


def calls(every: int = 1, end: tuple[float, ...] = END) -> list[CallSilences]:
    """Ten calls of one utterance: a pause of 0.8 s with a draft in it, and an end after as many frames as given."""
    pause = Silence(0.8, samples(PAUSE, every), 0.8, eager=0.4)
    last = Silence(inf, samples(end, every), 0.08 * len(end), "model", eager=0.4, sure=2.0)
    return [CallSilences(str(n), HAD, False, [[pause, last]], [], True) for n in range(10)]


def predicted(setting: Setting, recorded: list[CallSilences] | None = None) -> SimpleNamespace:
    """What a setting makes of the first utterance of these calls, at best (`low`) and at worst."""
    columns = Columns.of(calls() if recorded is None else recorded)
    made = Predictor(columns, REPLY_SECONDS).of(setting)
    last = int(np.flatnonzero(columns.last)[0])
    low, high = (
        SimpleNamespace(
            response=float(made.response[side][last]),
            extra=int(made.extra[side][:last].sum()),
            cut_offs=int(made.cut_offs[side][:last].sum()),
        )
        for side in (0, 1)
    )
    return SimpleNamespace(low=low, saved=float(made.saved[last]), **vars(high))


def test_the_recorded_setting_comes_out_as_it_was() -> None:
    """One draft wasted, one kept: 0.4 s of lead saved, the end 0.8 s after the last word."""
    turn = predicted(Setting(HAD))
    assert (turn.extra, turn.cut_offs) == (turn.low.extra, turn.low.cut_offs) == (1, 0)
    assert turn.saved == pytest.approx(0.4)
    assert turn.response == turn.low.response == pytest.approx(0.8 + REPLY_SECONDS - 0.4)


@pytest.mark.parametrize(
    ("eot", "eager", "timeout", "drafts", "extra", "cut_offs", "response"),
    [
        (0.7, 0.63, 5.0, inf, 0, 0, 0.8 + 0.7 - 0.24),  # above the pause's confidence: no wasted draft, less lead
        (0.7, 0.7, 5.0, inf, 0, 0, 0.8 + 0.7),  # so late that the draft comes with the end
        (0.7, None, 5.0, inf, 0, 0, 0.8 + 0.7),
        (0.7, 0.5, 5.0, 1.0, 1, 0, 0.8 + 0.7),  # the budget was spent in the pause
        (0.7, 0.5, 0.7, inf, 1, 1, 0.74 + 0.7 - 0.34),  # half a frame after the timeout, into the pause
        (0.6, 0.5, 5.0, inf, 1, 1, 0.4 + 0.7),  # so does a lower threshold, which then ends the turn sooner
    ],
)
def test_another_setting(
    eot: float, eager: float | None, timeout: float, drafts: float, extra: int, cut_offs: int, response: float
) -> None:
    """Each knob by itself; where every frame is reported, nothing is left open."""
    turn = predicted(Setting(FluxThresholds(eot, eager, timeout), drafts), calls() * 3)
    assert (turn.extra, turn.cut_offs) == (turn.low.extra, turn.low.cut_offs) == (extra, cut_offs)
    assert turn.response == turn.low.response == pytest.approx(response)


def test_above_the_recorded_threshold_only_bounds_are_known() -> None:
    """At best it ends a frame later, at worst with the timeout; so it is for every figure."""
    turn = predicted(Setting(FluxThresholds(0.9, 0.5, 3.0)))
    assert turn.low.response == pytest.approx(0.88 + REPLY_SECONDS - 0.48)
    assert turn.response == pytest.approx(3.04)
    within = predicted(Setting(FluxThresholds(0.74, 0.5, 5.0)))
    assert within.response == within.low.response, "the end's own confidence was above this one too"


def test_a_cut_off_may_not_be_one_at_a_higher_threshold() -> None:
    """A turn that ended in a pause of 2 s: at 0.9 it may have, and may not; with a timeout of 1 s it would have."""
    cut = Silence(2.0, samples(END), 0.8, "model", sure=inf)
    last = Silence(inf, samples(END), 0.8, "model")
    had = FluxThresholds(0.7, None, 5.0)
    recorded = [CallSilences(str(n), had, False, [[cut, last]], [], True) for n in range(10)]
    for timeout, least in ((5.0, 0), (1.0, 1)):
        turn = predicted(Setting(FluxThresholds(0.9, None, timeout)), recorded)
        assert (turn.low.cut_offs, turn.cut_offs) == (turn.low.extra, turn.extra) == (least, 1)


def test_what_was_not_reported_is_left_open() -> None:
    """One report in three frames: a lower level was reached between two reports, nobody knows when."""
    turn = predicted(Setting(FluxThresholds(0.6, None, 5.0)), calls(every=3) * 3)
    assert turn.low.response < 0.4 + REPLY_SECONDS < turn.response


def test_an_end_after_two_frames_is_read_off_the_frame_before() -> None:
    """Where Flux waits for a second frame over the threshold, so does the prediction for a lower one."""
    columns = Columns.of(calls(end=(*END, 0.75)) * 3)
    assert Crossings(columns).gate.frames == 2
    assert Crossings(Columns.of(calls() * 3)).gate.frames == 1
    early, late = Crossings(columns).at(0.6)
    assert early[1] == late[1] == pytest.approx(0.48)
