"""Whether a turn that ended was a pause: what the recording is sure of, what it is not, and what that leaves open."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from tests.support.cut_offs import HAD, hesitant, set_of
from tests.support.heard import heard_call
from turnkit.tools.tuner import CallSilences, Knowledge, Setting, call_silences, tune
from turnkit.tools.tuner.doubts import Doubts


def lengths(call: CallSilences) -> list[list[float]]:
    return [[silence.seconds for silence in utterance] for utterance in call.utterances]


def test_who_speaks_before_the_reply_is_heard_had_only_paused() -> None:
    """However long that took: the agent was slow, and nobody waits in vain for an answer by answering it."""
    call = call_silences(heard_call(gap=2.4, heard=None))
    assert lengths(call) == [[pytest.approx(2.4), inf]]


def test_who_speaks_faster_than_anyone_reacts_had_only_paused() -> None:
    """The reply had begun 0.2 s before: it is not what they speak about. Half a second later it may be."""
    at_once = call_silences(heard_call(gap=2.0, heard=1.3))
    assert lengths(at_once) == [[pytest.approx(2.0), inf]]
    later = call_silences(heard_call(gap=2.5, heard=1.3))
    assert lengths(later) == [[inf], [inf]]
    end = later.utterances[0][-1]
    assert end.gap == pytest.approx(2.5)
    assert end.answered is False
    assert end.sure == pytest.approx(0.5 + 1.3 + 0.3)


def test_who_let_the_reply_end_had_likely_finished() -> None:
    """Likely: a pause may outlast a short reply, and the bounds allow for it."""
    call = call_silences(heard_call(gap=4.0, heard=1.0, finished=2.5))
    assert lengths(call) == [[inf], [inf]]
    assert call.utterances[0][-1].answered is True


def test_bare_frames_are_sure_for_as_long_as_no_bot_answers() -> None:
    """The end came 0.5 s into the silence: 0.6 s later somebody might have heard an answer."""
    assert lengths(call_silences(heard_call(gap=1.05, heard=None, bare=True))) == [[pytest.approx(1.05), inf]]
    unsure = call_silences(heard_call(gap=1.5, heard=None, bare=True))
    assert lengths(unsure) == [[inf], [inf]]
    assert unsure.utterances[0][-1].answered is None


def test_words_that_do_not_end_a_sentence_are_told_from_those_that_do() -> None:
    """Whether they join what follows is evidence, kept without the words."""
    call = call_silences(heard_call(gap=5.0, heard=1.0, finished=2.0, first="I would like", second="Yes."))
    assert [utterance[-1].joins for utterance in call.utterances] == [True, False]


def test_what_may_have_been_pauses_is_bounded_and_called_so() -> None:
    """Users who spoke from 1.7 s on, where the sure ones stop: had they been cut off? Any of them may have been."""
    forecast = tune(hesitant((1.7, 1.9, 2.1, 2.4, 2.8, 3.2, 3.6, 4.0)), settings=[Setting(HAD)]).current
    assert forecast.cut_offs_knowledge is Knowledge.BOUNDS
    assert forecast.cut_offs.low < 120 / 440
    assert forecast.cut_offs.high > 1
    assert forecast.response_knowledge is Knowledge.EXACT, "whoever paused: each of them waited as long"


def test_who_let_the_reply_end_is_counted_as_one_who_had_finished() -> None:
    """Those who had heard the reply to its end had likely finished, and none of them is counted as cut off."""
    heard = tune(set_of([[1.7, 1.8, 1.9, 4.0, 5.0]] * 40, answered=True), settings=[Setting(HAD)]).current
    assert heard.cut_offs.value == 0
    assert heard.cut_offs.high > 0


def test_none_of_many_is_none_with_an_interval() -> None:
    """No cut-off in 240 turns is 0, and may be 2 %."""
    forecast = tune(set_of([[4.0] * 5] * 40, answered=True), settings=[Setting(HAD)]).current
    assert forecast.cut_offs.value == 0
    assert 0.005 < forecast.cut_offs.high < 0.2


@pytest.mark.parametrize("total", [0.4, 3.5, 40.25, 700.0, 5000.0])
@pytest.mark.parametrize("levels", [2, 7, 10**6])
def test_weight_on_the_largest_is_that_of_all_put_in_order(total: float, levels: int) -> None:
    """However few are looked at, and however many are equal."""
    values = np.random.default_rng(levels).integers(-levels // 2, levels, 3000) / levels
    doubts = Doubts(np.zeros(3000), np.full(3000, total / 3000), np.arange(3000), None)
    places, weights = doubts.on_largest(values)
    room = min(total, float((values > 0).sum()))
    assert weights.sum() == pytest.approx(room)
    best = np.sort(values)[::-1]
    whole = int(room)
    assert (weights * values[places]).sum() == pytest.approx(best[:whole].sum() + (room - whole) * max(best[whole], 0))
