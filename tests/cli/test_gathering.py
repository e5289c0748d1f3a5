"""What a command makes of the evidence that it has gathered."""

from __future__ import annotations

import pytest

from tests.support.many_calls import call
from turnkit.cli.gathering import Told
from turnkit.evidence import CallEvidence, Evidence, evidence_of
from turnkit.trace import parse


def unnamed(number: int) -> bytes:
    """A call whose recording does not name its thresholds."""
    text = call(number).decode()
    options = text[text.index('"options":') : text.index(',"redacted"')]
    return text.replace(options, '"options":null').encode()


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    """Of four calls, of which two do not name their thresholds; and of one of which nothing is told to the tuner."""
    gathered = Evidence()
    for number in range(4):
        gathered.add(evidence_of(parse(unnamed(number) if number % 2 else call(number))))
    gathered.add(CallEvidence(call="figures only"))
    return gathered


def test_it_unpacks_each_call_once(evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much of it is asked for: unpacking is what takes long."""
    unpacked: list[str] = []
    real = CallEvidence.for_tuner

    def noted(call: CallEvidence) -> object:
        unpacked.append(call.call)
        return real(call)

    monkeypatch.setattr(CallEvidence, "for_tuner", noted)
    told = Told(evidence)
    assert list(told.silences()) == list(evidence.silences())
    assert told.verdicts
    assert sorted(unpacked) == sorted([*evidence.calls] * 2)  # once by each of the two


def test_what_stands_beside_the_silences_is_kept(evidence: Evidence) -> None:
    """The verdicts of the calls that have overlaps, and what was read off those that do not name their thresholds."""
    told = Told(evidence)
    assert len(list(told.silences())) == 4
    assert told.verdicts == [verdicts for verdicts in evidence.verdicts() if verdicts]
    assert told.inferred == [tuning.inferred for tuning in evidence.for_tuner() if tuning.inferred is not None]
    assert len(told.inferred) == 2


def test_it_comes_as_it_is_asked_for(evidence: Evidence) -> None:
    """Nothing is unpacked before, and what is kept grows with what was taken."""
    told = Told(evidence)
    silences = told.silences()
    assert told.inferred == []
    for _ in range(2):
        next(silences)
    assert len(told.inferred) < 2
    list(silences)
    assert len(told.inferred) == 2


def test_of_no_calls_there_is_nothing() -> None:
    """And nothing is raised."""
    told = Told(Evidence())
    assert (list(told.silences()), told.verdicts, told.inferred) == ([], [], [])
