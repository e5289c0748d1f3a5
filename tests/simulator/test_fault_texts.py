"""Faults as texts: what is read, what is refused and how it is told."""

from __future__ import annotations

import pytest

from turnkit.errors import ConfigError
from turnkit.simulator import FAULTS, MOMENTS, Fault, Moment, RandomFaults, parse_fault


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("stall", "stall@turn1.mid"),
        ("stall@turn2", "stall@turn2.mid"),
        ("drop@12.50s", "drop@12.5s"),
        ("close:1011@eager", "close:1011@eager1"),
        ("close:none@end*/3", "close:none@end*/3"),
        ("refuse/1", "refuse:503@connect/1"),
        ("delay:2@resumed2/*", "delay:2@resumed2"),
        ("random:.05", "random:0.05"),
        ("random:0.1:stall,close:1001", "random:0.1:stall,close:1001"),
    ],
)
def test_texts_are_read_and_written(text: str, canonical: str) -> None:
    """What is written reads the same."""
    assert str(parse_fault(text)) == canonical
    assert str(parse_fault(canonical)) == canonical


def test_every_usual_form_reads_back() -> None:
    """Each name, and each example of a moment."""
    for name in FAULTS:
        assert parse_fault(str(Fault(name))).__class__ is Fault
        assert str(parse_fault(str(Fault(name)))) == str(Fault(name))
    for example in " ".join(MOMENTS).split():
        assert str(Moment.parse(example)) == example


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stal", r"fault 'stal': no such fault; there are refuse, .*stall, .*random:RATE"),
        ("", r"fault '': no such fault"),
        ("stall@5", r"fault 'stall', moment '5': must be connect, .*12.5s.*turn2.mid"),
        ("stall@turn0.mid", "moment 'turn0.mid'"),
        ("stall@turn1.middle", "moment 'turn1.middle'.*of before start mid eager end after"),
        ("stall@", "a moment must follow the @"),
        ("stall:3", "fault 'stall', value '3': takes no value"),
        ("close:", "a value must follow the colon"),
        ("close:1006", "fault 'close', value '1006': must be none, 1000 to 1014 .*`drop`"),
        ("close:99", "value '99'"),
        ("refuse:418", "fault 'refuse', value '418': must be one of 400 401"),
        ("refuse@5s", "fault 'refuse', moment '5s': must be connect"),
        ("lose@connect", "fault 'lose', moment 'connect': must be after connect; at connect there are refuse"),
        ("configure_fatal@force1", "fault 'configure_fatal', moment 'force1': must be configure1"),
        ("force_end_fatal@2s", "must be force1"),
        ("delay:0", "fault 'delay', value '0': must be seconds above 0"),
        ("delay:1e5", "value '1e5'"),
        ("split:1", "must be 2 to 1000"),
        ("malformed:mildly", "must be one of text cut array"),
        ("stall/0", "connection '0': must be a number from 1"),
        ("stall/x", "connection 'x'"),
        ("random", "rate ''"),
        ("random:2", "rate=2.0: must be a chance from 0 to 1"),
        ("random:nan", "rate 'nan'"),
        ("random:0.1:", "fault '': no such fault"),
        ("random:0.1:stall@5s", "kind 'stall@5s': must be a name or name:value"),
    ],
)
def test_a_fault_that_does_not_exist_is_refused(text: str, said: str) -> None:
    """The error names the fault, the value and the rule, and lists what there is."""
    with pytest.raises(ConfigError, match=said):
        parse_fault(text)


def test_typed_faults_are_checked_alike() -> None:
    """Values may be numbers."""
    assert str(Fault("close", 1001, at="eager1", connection=2)) == "close:1001@eager1/2"
    assert Fault("delay", 2).amount == 2.0
    with pytest.raises(ConfigError, match=r"value 2\.5: must be 2 to 1000"):
        Fault("split", 2.5)
    with pytest.raises(ConfigError, match="connection=0: must be 1 or more"):
        Fault("stall", connection=0)
    with pytest.raises(ConfigError, match="must be none, 1000"):
        Fault("close", True)
    with pytest.raises(ConfigError, match="at least one"):
        RandomFaults(0.1, ())


def test_kinds_of_random_faults_are_one_or_several() -> None:
    """A string is a kind, not its letters; any iterable is kept as a tuple."""
    assert RandomFaults(0.1, "drop") == RandomFaults(0.1, ["drop"]) == RandomFaults(0.1, ("drop",))
    assert RandomFaults(0.1, {"stall", "drop"}).kinds == ("drop", "stall")
    with pytest.raises(ConfigError, match="random faults, kinds: must be a string, or an iterable of strings"):
        RandomFaults(0.1, [7])  # type: ignore[list-item]
