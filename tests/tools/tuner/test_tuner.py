"""What recorded calls say about other thresholds: exactly, roughly, or within bounds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from math import inf, isnan
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from benchmarks.tuning import RECORDED, call, compare, recording
from tests.support.browser import browser, needs_browser
from turnkit import TurnMachine
from turnkit.cli import app
from turnkit.tools.tuner import (
    CallSilences,
    Estimate,
    FluxThresholds,
    Intent,
    Knowledge,
    Setting,
    Worth,
    calibrate,
    call_silences,
    overlaps,
    score_policies,
    start_from,
    tune,
)
from turnkit.tools.tuner.columns import Columns
from turnkit.tools.tuner.crossings import Crossings
from turnkit.tools.tuner.settings import knowledge
from turnkit.tools.tuner.statistics import mean, quantile, share
from turnkit.trace import Fed, Header, Trace, read
from turnkit.turns.events import (
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    Initiate,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    StartOfTurn,
    TimedWord,
    TurnResumed,
    Update,
)

HAD = FluxThresholds(0.7, 0.5, 5.0)
WORDS = (TimedWord("A", 0.0, 0.2), TimedWord("table", 0.2, 0.6), TimedWord("for", 1.4, 1.6), TimedWord("two", 1.6, 2.0))
PAUSED: tuple[tuple[Event, tuple[TimedWord, ...]], ...] = (
    (StartOfTurn(0, "A table", 0.1, 0.56), ()),
    (Update(0, "A table", 0.45, 0.8), ()),
    (EagerEndOfTurn(0, "A table", 0.55, 1.0), ()),
    (Update(0, "A table", 0.62, 1.2), ()),
    (TurnResumed(0, "A table for", 0.1, 1.6), ()),
    (Update(0, "A table for two", 0.42, 2.2), ()),
    (EagerEndOfTurn(0, "A table for two", 0.6, 2.4), ()),
    (Update(0, "A table for two", 0.66, 2.6), ()),
    (EndOfTurn(0, "A table for two", 0.75, 2.8, "model"), WORDS),
)


def trace(events: Iterable[tuple[Event, tuple[TimedWord, ...]]], name: str = "call") -> Trace:
    """A trace of turn events, each received when the audio it covers had been spoken."""
    fed = (msgspec.structs.replace(event, words=words) if words else event for event, words in events)
    records = tuple(Fed(getattr(event, "audio_end", 0.0), event) for event in fed)
    options = {"eot_threshold": HAD.eot, "eager_eot_threshold": HAD.eager, "eot_timeout_ms": 5000}
    return Trace(header=Header(options=options), records=records, name=name, ended="closed")


def paused() -> CallSilences:
    return call_silences(trace(PAUSED))


def test_pauses_are_found_between_words_and_after_them() -> None:
    """Their silences begin where a word ends, on the audio's clock, and hold every report that fell into them."""
    call = paused()
    ((hold, end),) = call.utterances
    assert (call.recorded, call.inferred, call.measured) == (HAD, False, True)
    assert hold.seconds == pytest.approx(0.8)
    assert [round(silence, 2) for silence, _ in hold.samples] == [0.2, 0.4, 0.6]
    assert hold.eager == pytest.approx(0.4)
    assert hold.trigger is None
    assert end.seconds == inf
    assert end.known == pytest.approx(0.8)
    assert end.trigger == "model"
    assert [draft.confirmed for draft in call.drafts] == [False, True]


def test_knowledge_is_the_worst_of_all_calls() -> None:
    """Exact above the eager threshold, rough below, bounds above the end's; by the least that was recorded."""
    known = [HAD, FluxThresholds(0.8, 0.4, 5.0)]
    assert knowledge(Setting(FluxThresholds(0.7, 0.6, 2.0)), [HAD]) is Knowledge.EXACT
    assert knowledge(Setting(FluxThresholds(0.7, 0.45, 5.0)), [HAD]) is Knowledge.ROUGH
    assert knowledge(Setting(FluxThresholds(0.6, None, 5.0)), [HAD]) is Knowledge.ROUGH
    assert knowledge(Setting(FluxThresholds(0.75, 0.6, 5.0)), known) is Knowledge.BOUNDS
    assert knowledge(Setting(FluxThresholds(0.7, 0.6, 6.0)), known) is Knowledge.BOUNDS


def test_a_user_who_goes_on_at_once_was_cut_off() -> None:
    """An end of turn after which the user speaks again within a second is a pause of the same utterance."""
    again = (
        (StartOfTurn(1, "please", 0.1, 3.2), ()),
        (EndOfTurn(1, "please", 0.8, 3.8, "model"), (TimedWord("please", 2.7, 3.2),)),
    )
    ((_, cut, end),) = call_silences(trace((*PAUSED, *again))).utterances
    assert cut.trigger == "model"
    assert cut.seconds == pytest.approx(0.9)
    assert end.seconds == inf
    (forecast,) = tune([call_silences(trace((*PAUSED, *again)))] * 2, settings=[Setting(HAD)]).forecasts
    assert (forecast.cut_offs.value, forecast.best_cut_offs) == (1, 1)


def test_without_times_of_words_a_pause_is_where_they_do_not_change() -> None:
    """It says so, and finds the same drafts."""
    bare = call_silences(trace((event, ()) for event, _ in PAUSED))
    assert not bare.measured
    assert [len(utterance) for utterance in bare.utterances] == [3]
    assert [draft.confirmed for draft in bare.drafts] == [False, True]


def test_thresholds_are_read_off_a_recording_that_does_not_name_them(preamble: Path) -> None:
    """The least confidence that was acted on stands for the threshold."""
    call = call_silences(read(preamble))
    assert call.inferred
    assert call.recorded.eager == pytest.approx(0.7925, abs=1e-3)
    assert call.recorded.eot == pytest.approx(0.9136, abs=1e-3)
    assert [draft.confirmed for draft in call.drafts] == [True]
    assert call.utterances[0][-1].known == pytest.approx(20.0 - 18.4, abs=0.05)


def test_the_gate_is_what_flux_asks_for_beyond_the_number() -> None:
    """A number that was let pass in a short pause, and acted on in longer ones, tells where the gate is."""
    passed = (
        (StartOfTurn(0, "We", 0.1, 0.3), ()),
        (Update(0, "We", 0.77, 0.46), ()),  # 0.16 s into the pause, above the threshold, and nothing came
        (Update(0, "We the", 0.1, 0.8), ()),
        (EagerEndOfTurn(0, "We the people", 0.6, 2.0), ()),
        (
            EndOfTurn(0, "We the people", 0.75, 2.2, "model"),
            (TimedWord("We", 0.1, 0.3), TimedWord("the", 0.6, 0.9), TimedWord("people", 0.9, 1.5)),
        ),
    )
    found = Crossings(Columns.of([call_silences(trace(passed))] * 6)).gate
    assert 0.16 < found.seconds <= 0.5
    assert found.explained == 1.0


def test_calibration_counts_what_became_of_each_draft() -> None:
    """One of two was the end; few calls make wide intervals, many narrow ones."""
    few, many = calibrate([paused()] * 2), calibrate([paused()] * 50)
    assert few.drafts == 4
    assert few.confirmed.value == pytest.approx(0.5)
    low, high = few.bins
    assert (low.low, high.low) == (0.55, 0.6)
    assert low.confirmed == Estimate(0.0, 0.0, low.confirmed.high, 0, 2)
    assert low.rising <= high.rising
    assert many.confirmed.high - many.confirmed.low < few.confirmed.high - few.confirmed.low
    assert many.brier is not None
    assert many.brier < 0.01


def test_calls_are_drawn_and_not_turns() -> None:
    """Calls that differ from each other are worth less than as many turns that agree."""
    alike = share([(5, 10)] * 10)
    apart = share([(10, 10), (0, 10)] * 5)
    assert apart.high - apart.low > 2 * (alike.high - alike.low)
    assert mean([[1.0, 1.0], [1.0]]) == Estimate(1.0, 1.0, 1.0)
    assert mean([[1.0, 2.0]]).high == inf, "one call says nothing about others"
    assert mean([]).low == -inf
    assert isnan(share([]).value)
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([], 0.5) is None


def test_a_draft_pays_from_the_chance_that_its_cost_asks_for() -> None:
    """p > c / (c + v·S): free calls always pay, dear ones only where the confidence is worth it, or never."""
    calibration = calibrate([paused()] * 50)
    assert start_from(calibration, 0.0, 0.01, 0.4) == 0.0
    assert start_from(calibration, 0.004, 0.01, 0.4) == 0.6  # a chance of a half is needed
    assert start_from(calibration, 10.0, 0.01, 0.4) is None


@pytest.fixture(scope="module")
def calls() -> list[CallSilences]:
    return [call_silences(recording(call(seed), RECORDED, f"call {seed}"), RECORDED) for seed in range(30)]


def test_predictions_hold_when_the_simulator_is_run_at_other_settings(calls: list[CallSilences]) -> None:
    """Recorded at one setting, asked about others: within 0.1 s and 0.06 calls and cut-offs a turn of the real run."""
    asked = [
        Setting(FluxThresholds(0.7, 0.6, 5.0)),
        Setting(FluxThresholds(0.7, 0.5, 1.5)),
        Setting(FluxThresholds(0.6, 0.4, 5.0)),
        Setting(FluxThresholds(0.75, 0.5, 5.0)),
    ]
    for row in compare([call(seed) for seed in range(30)], calls, asked):
        wait, really = row["mean"]
        if row["knowledge"] == "bounds":
            assert row["interval"][0] <= really <= row["interval"][1], row
            assert row["extra_interval"][0] <= row["extra"][1] <= row["extra_interval"][1], row
            assert row["cut_offs_interval"][0] <= row["cut_offs"][1] <= row["cut_offs_interval"][1], row
            continue
        assert wait == pytest.approx(really, abs=0.1), row
        assert row["median"][0] == pytest.approx(row["median"][1], abs=0.1), row
        assert row["extra"][0] == pytest.approx(row["extra"][1], abs=0.06), row
        assert row["cut_offs"][0] == pytest.approx(row["cut_offs"][1], abs=0.06), row


def test_the_recommendation_follows_what_things_are_worth(calls: list[CallSilences]) -> None:
    """Dear calls: drafts are off. Free calls: they begin early. It is judged on calls that had no say in it."""
    dear = tune(calls, worth=Worth(call=1.0)).recommendation
    free = tune(calls, worth=Worth(call=0.0)).recommendation
    assert dear is not None
    assert free is not None
    assert dear.setting.thresholds.eager is None or dear.setting.thresholds.eager >= 0.7
    assert free.setting.thresholds.eager is not None
    assert free.setting.thresholds.eager <= 0.4
    assert free.shown
    assert free.gain.low > 0


def test_nothing_on_the_front_is_beaten(calls: list[CallSilences]) -> None:
    """No setting waits, calls and cuts off less than one of the front; what was never recorded is not on it."""
    tuning = tune(calls)
    known = [one for one in tuning.forecasts if knowledge(one.setting, [RECORDED]) is not Knowledge.BOUNDS]
    points = [(o.response.value, o.extra.value, o.cut_offs.value) for o in known]
    for one in tuning.front:
        mine = (one.response.value - 2e-3, one.extra.value - 2e-3, one.cut_offs.value - 2e-3)
        assert not any(all(a < b for a, b in zip(other, mine, strict=True)) for other in points)
        assert one in known
    assert [one.setting for one in tuning.forecasts if one.running] == [tuning.current.setting]


def test_few_calls_recommend_nothing() -> None:
    """Two utterances are no ground to change a setting on; the reason is told."""
    tuning = tune([paused()] * 2)
    assert tuning.recommendation is None
    assert any("too few" in caveat for caveat in tuning.caveats)


def overlap(text: str, *, heard: str = "Certainly, for how many people shall it be", at: float = 10.0) -> Trace:
    """A call in which the user says `text` while the agent is heard."""
    machine = TurnMachine()
    records: list[Any] = []
    steps: list[tuple[float, Event]] = [
        (at, Initiate()),
        (at + 0.1, PlaybackStarted(0)),
        (at + 1.0, PlaybackAdvanced(0, heard)),
        (at + 2.0, StartOfTurn(0, text.split()[0])),
        (at + 2.5, Update(0, text)),
        (at + 3.0, EndOfTurn(0, text, 0.8, trigger="model")),
        (at + 5.0, PlaybackFinished(0)),
    ]
    for when, event in steps:
        records += [Fed(when, event), *machine.feed(event, when)]
    return Trace(header=Header(), records=tuple(records), name="overlap", ended="closed")


def test_barge_in_policies_are_judged_by_what_was_meant() -> None:
    """A backchannel and an echo stop the eager policy for nothing; a real objection is missed by the deaf one."""
    said = ["Mm-hm.", "for how many people shall it be", "No, wait, I meant Friday."]
    found = [overlaps(overlap(text)) for text in said]
    assert [spoken.meant for (spoken,) in found] == [Intent.BACKCHANNEL, Intent.ECHO, Intent.FLOOR]
    judged = {one.policy: one for one in score_policies(found)}
    assert judged["immediate"].false_stops.high == 1.0
    assert judged["immediate"].reaction == 0.0
    assert judged["never"].missed.value > judged["immediate"].missed.value
    guarded = judged["echo-guard+ignore-backchannels"]
    assert guarded.false_stops.value < judged["immediate"].false_stops.value
    assert guarded.reaction is not None
    assert judged["hold-then-decide"].pauses > 0


def test_raw_frames_have_no_overlaps(preamble: Path) -> None:
    assert overlaps(read(preamble)) == []


def written(folder: Path, count: int) -> Path:
    for seed in range(count):
        lines = [json.dumps(frame) for frame in _frames(seed)]
        (folder / f"{seed}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def _frames(seed: int) -> list[dict[str, Any]]:
    from benchmarks.tuning import frames

    return frames(call(seed), RECORDED)


def turnkit(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_command_tells_people_and_programs(tmp_path: Path) -> None:
    """The answer first, then the front, the calibration and what to beware of; --json has all of it."""
    folder = written(tmp_path, 6)
    told = turnkit("tune", folder, "--eot-threshold", "0.7", "--eager-eot-threshold", "0.4", "--jobs", "1")
    assert told.exit_code == 0, told.output
    assert "recommended" in told.output
    assert "Eager ends that were the end" in told.output
    assert "6 calls only" in told.output
    given = turnkit("tune", folder, "--eot-threshold", "0.7", "--eager-eot-threshold", "0.4", "--json")
    fields = json.loads(given.output)
    assert fields["tuning"]["current"]["name"] == "eot 0.70, eager 0.40, timeout 5 s"
    assert fields["tuning"]["outcomes"][0]["setting"]["thresholds"]["eot"]
    refused = turnkit("tune", tmp_path / "none.jsonl")
    assert refused.exit_code == 1
    assert "cannot be read" in refused.stderr


@needs_browser
def test_the_plots_are_drawn(tmp_path: Path) -> None:
    """A page that stands alone: points, a front, a calibration, no complaint."""
    folder = written(tmp_path, 6)
    html = tmp_path / "plots.html"
    assert (
        turnkit("tune", folder, "--html", html, "--eot-threshold", "0.7", "--eager-eot-threshold", "0.4").exit_code == 0
    )
    with browser(tmp_path / "profile") as tab:
        tab.open(html)
        assert tab.ask("document.querySelectorAll('#cuts circle, #cuts .box').length") > 5
        assert tab.ask("document.querySelectorAll('#reliability circle').length") > 2
        assert tab.ask("document.getElementById('overlaps').hidden") is True
        assert tab.complaints == []
        tab.resize(390, 844)
        assert tab.ask("document.documentElement.scrollWidth") <= 390
