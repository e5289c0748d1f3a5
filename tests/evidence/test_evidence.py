"""Evidence adds up: in any order, however often, and to what its calls say one by one."""

from __future__ import annotations

import pickle
from functools import cache, reduce
from operator import or_

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.many_calls import call
from turnkit.errors import ConfigError
from turnkit.evidence import CallEvidence, Evidence, evidence_of
from turnkit.metrics import measure, summary
from turnkit.tools.tuner import call_silences, overlaps, score_policies, score_verdicts, tune
from turnkit.trace import parse


@cache
def real() -> tuple[CallEvidence, ...]:
    """The evidence of a few calls, whole and cut off."""
    whole = [evidence_of(parse(call(number), f"{number}.jsonl")) for number in range(4)]
    cut = [evidence_of(parse(call(number)[:60_000], f"cut {number}.jsonl")) for number in range(2)]
    parts = [evidence_of(parse(call(number)), figures=number % 2 == 0, tuning=number % 2 == 1) for number in range(2)]
    return (*whole, *cut, *parts)


made = st.builds(
    CallEvidence,
    call=st.sampled_from(["a", "b", "c", "d", "e", "\ud800"]),
    name=st.sampled_from(["", "x", "y"]),
    seconds=st.sampled_from([0.0, 1.0, 2.5]),
    records=st.integers(0, 2),
    complete=st.booleans(),
    tags=st.sampled_from([(), ("t",)]),
    figures=st.sampled_from([b"", b"1", b"2"]),
    tuning=st.sampled_from([b"", b"1", b"2"]),
)


@st.composite
def evidences(draw: st.DrawFn) -> Evidence:
    evidence = Evidence(most=draw(st.sampled_from([None, 1, 2, 3])))
    for one in draw(st.lists(made | st.sampled_from(real()), max_size=6)):
        evidence.add(one)
    for name in draw(st.lists(st.sampled_from(["p", "q"]), max_size=2)):
        evidence.add_problem(name, draw(st.sampled_from(["is empty", "is no JSON"])))
    return evidence


@settings(deadline=None)
@given(evidences(), evidences(), evidences())
def test_it_is_a_set(a: Evidence, b: Evidence, c: Evidence) -> None:
    """Associative, commutative, idempotent; nothing is changed by it, and nothing is the neutral element."""
    before = [Evidence.unpack(one.pack()) if "\ud800" not in one.calls else one for one in (a, b, c)]
    assert (a | b) | c == a | (b | c)
    assert a | b == b | a
    assert a | a == a
    assert (a | b) | a == a | b
    assert a | Evidence() == a
    assert [a, b, c] == before


@settings(deadline=None)
@given(st.lists(st.sampled_from(real()), max_size=8), st.randoms())
def test_the_same_evidence_is_the_same_bytes(found: list[CallEvidence], random: object) -> None:
    """However it came together; and it comes back from them, also as a pickle."""
    one, other = Evidence(), Evidence()
    for evidence in found:
        one.add(evidence)
    for evidence in [*reversed(found), *found]:
        other.add(evidence)
    assert one.pack() == other.pack()
    assert Evidence.unpack(one.pack()) == one
    assert pickle.loads(pickle.dumps(one)) == one


def test_the_same_call_twice_counts_once() -> None:
    """And of two recordings of it, the one that goes further: a file that was still being written is no other call."""
    whole, cut = real()[0], real()[4]
    assert (whole.call, cut.complete, whole.complete) == (cut.call, False, True)
    assert cut | whole == whole | cut == whole
    evidence = Evidence()
    for one in (cut, whole, whole, cut):
        evidence.add(one)
    assert (len(evidence), evidence.unfinished) == (1, 0)
    assert evidence.metrics() == whole.metrics()


def test_what_was_gathered_apart_is_put_together() -> None:
    """Figures by one job, silences by another, of the same files."""
    trace = parse(call(0))
    figures, tuning = evidence_of(trace, tuning=False), evidence_of(trace, figures=False)
    assert figures.for_tuner() is None
    assert tuning.metrics() is None
    assert figures | tuning == tuning | figures == evidence_of(trace)


def test_it_says_what_the_calls_say_one_by_one() -> None:
    """The metrics, the forecasts and the scores of barge-in policies are those of the traces themselves."""
    traces = [parse(call(number)) for number in range(4)]
    evidence = reduce(or_, [_alone(evidence_of(trace)) for trace in traces])
    assert evidence.metrics() == summary(measure(trace.records)[0] for trace in traces)
    in_order = sorted(traces, key=lambda trace: evidence_of(trace).call)
    silences = [call_silences(trace) for trace in in_order]
    assert list(evidence.silences()) == silences
    assert tune(evidence.silences()) == tune(silences)
    assert score_verdicts(evidence.verdicts()) == score_policies(map(overlaps, in_order))
    assert sum(map(len, evidence.verdicts())) > 3


def _alone(one: CallEvidence) -> Evidence:
    evidence = Evidence()
    evidence.add(one)
    return evidence


def test_no_words_are_in_it() -> None:
    """It may go where recordings may not."""
    evidence = evidence_of(parse(call(1)))
    packed = msgspec.msgpack.encode(evidence.for_tuner()) + msgspec.msgpack.encode(evidence.metrics())
    assert b"call 1" in evidence.call.encode()
    for word in (b"table", b"mm-hm", b"Of course", b"booking", b"invoice"):
        assert word not in packed
    assert len(_alone(evidence).pack()) < 4000


def test_of_many_a_sample_is_kept_for_the_tuner() -> None:
    """The same of whatever order and parts; the figures are of all."""
    body = evidence_of(parse(call(0)))
    found = [msgspec.structs.replace(body, call=f"call {number}") for number in range(300)]
    whole = Evidence(most=20)
    for one in found:
        whole.add(one)
    left, right = Evidence(most=20), Evidence(most=25)
    for place, one in enumerate(reversed(found)):
        (left if place % 3 else right).add(one)
    assert left | right == whole
    assert (len(whole), len(list(whole.silences())), whole.sampled) == (300, 20, True)
    assert whole.metrics().calls == 300
    kept = {name for name, one in whole.calls.items() if one.tuning}
    assert kept != {f"call {number}" for number in range(20)}


@pytest.mark.parametrize("most", [0, -1, True, 2.0])
def test_a_bound_is_a_number_of_calls(most: object) -> None:
    """One or more."""
    with pytest.raises(ConfigError, match="most="):
        Evidence(most=most)  # type: ignore[arg-type]


def test_what_is_no_evidence_is_told() -> None:
    """In a sentence."""
    for data in (b"", b"x", Evidence().pack()[:-3]):
        with pytest.raises(ConfigError, match="is no evidence"):
            Evidence.unpack(data)
