"""EchoGuard: the agent's own words are told from the user's."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support.canned_policies import says, unasked
from tests.support.situations import OVERLAP
from turnkit.turns.policy import EchoGuard, Verdict

HEARD = "Sure, I can book a table for two. Would you like the terrace, or a quiet corner inside? We don't stop at no"


@pytest.mark.parametrize(
    ("said", "meanwhile", "end"),
    [
        ("would you like", "wait", "keep"),
        ("Would you, like the TERRACE", "wait", "keep"),
        ("we dont", "wait", "then"),
        ("a table for", "wait", "keep"),
        ("table for to would you like", "wait", "keep"),  # one word in six misheard
        ("I can book table for two", "wait", "keep"),  # one not heard
        ("book table for two", "wait", "keep"),  # the same, where the rest of the turn is of one piece
        ("I can book table", "wait", "keep"),
        ("I can book him a table for two", "wait", "keep"),  # one too many
        ("a table for three", "then", "then"),  # 0.75
        ("book", "wait", "then"),  # of too few words to be an echo
        ("would you", "wait", "then"),
        ("terrace", "wait", "then"),
        ("yes", "then", "then"),
        ("the terrace please", "then", "then"),
        ("inside corner quiet", "then", "then"),  # the same words in another order
        ("sure like corner", "then", "then"),  # from here and there
        ("no", "then", "then"),  # asks for the floor, though the agent said it too
        ("stop no", "then", "then"),
        ("we don't stop at no", "wait", "keep"),
        ("would you like the terrace stop", "then", "then"),
        ("I can book a table for two hold on", "then", "then"),
        ("", "wait", "wait"),
    ],
)
def test_echo(said: str, meanwhile: str, end: str) -> None:
    """The agent's own words wait and are kept; the user's go to `then`, as do too few to tell once the turn is over."""
    for final, expected in ((False, meanwhile), (True, end)):
        overlap = replace(OVERLAP, transcript=said, heard=HEARD, final=final)
        verdict = EchoGuard(then=says(Verdict.DEFER))(overlap)[0]
        assert str(verdict) == expected.replace("then", "defer")
        assert EchoGuard(then=says(Verdict.DEFER))(replace(overlap, heard=""))[0] is Verdict.DEFER


def test_echo_settings() -> None:
    """`min_words` says how short an echo may be, `match` how much of it must be the agent's."""
    yes = replace(OVERLAP, transcript="Yes", heard="Oh yes, we can", final=True)
    assert EchoGuard()(yes)[0] is Verdict.YIELD
    assert EchoGuard(min_words=1)(yes)[0] is Verdict.KEEP
    assert EchoGuard(min_words=1)(replace(yes, transcript="Wait", heard="Oh wait, we can"))[0] is Verdict.YIELD
    half = replace(OVERLAP, transcript="oh yes he did", heard="Oh yes, we can")
    assert EchoGuard(match=0.5)(half)[0] is Verdict.WAIT
    assert EchoGuard(match=0.51)(half)[0] is Verdict.YIELD


own_words = st.text("bcdfg", min_size=1, max_size=6)
other_words = st.text("xyz", min_size=1, max_size=6)


@settings(deadline=None)
@given(heard=st.lists(own_words, min_size=3, max_size=90), data=st.data(), final=st.booleans())
def test_any_run_of_what_was_just_heard_is_an_echo(heard: list[str], data: st.DataObject, final: bool) -> None:
    """Every stretch of the last sixty words, from `min_words` on, is the agent's."""
    recent = heard[-60:]
    start = data.draw(st.integers(0, len(recent) - 3))
    said = recent[start : data.draw(st.integers(start + 3, len(recent)))]
    overlap = replace(OVERLAP, transcript=" ".join(said), heard=" ".join(heard), final=final)
    assert EchoGuard(then=unasked)(overlap)[0] is (Verdict.KEEP if final else Verdict.WAIT)


@settings(deadline=None)
@given(heard=st.lists(own_words), said=st.lists(other_words, min_size=1), final=st.booleans())
def test_other_words_are_no_echo(heard: list[str], said: list[str], final: bool) -> None:
    """What the agent has not said is the user's, however short."""
    overlap = replace(OVERLAP, transcript=" ".join(said), heard=" ".join(heard), final=final)
    assert EchoGuard(then=says(Verdict.DEFER))(overlap)[0] is Verdict.DEFER


@settings(deadline=None)
@given(
    heard=st.lists(own_words, min_size=3, max_size=30, unique=True),
    others=st.lists(other_words, max_size=10),
    first=st.booleans(),
    match=st.floats(0.05, 1),
)
def test_echo_is_a_matter_of_share(heard: list[str], others: list[str], first: bool, match: float) -> None:
    """Words of both sides are an echo from the share on that was set, whichever come first."""
    said = [*others, *heard] if first else [*heard, *others]
    overlap = replace(OVERLAP, transcript=" ".join(said), heard=" ".join(heard))
    verdict = EchoGuard(then=says(Verdict.DEFER), match=match)(overlap)[0]
    assert verdict is (Verdict.WAIT if len(heard) / len(said) >= match else Verdict.DEFER)


def test_echo_is_of_the_recent_past() -> None:
    """Words of long ago may be quoted back; an echo that goes on and on stays one, however long."""
    words = [f"word{number}" for number in range(500)]
    heard = " ".join(words)
    for early, verdict in ((words[435:439], Verdict.YIELD), (words[440:444], Verdict.WAIT)):
        assert EchoGuard()(replace(OVERLAP, transcript=" ".join(early), heard=heard))[0] is verdict
    endless = [f"{number:040}" for number in range(60)]
    quoted = replace(OVERLAP, transcript=" ".join(endless[:5]), heard=" ".join(endless))
    assert EchoGuard()(quoted)[0] is Verdict.YIELD
    for count in range(1, 500):
        overlap = replace(OVERLAP, transcript=" ".join(words[:count]), heard=" ".join(words[: count + 5]))
        assert EchoGuard(then=unasked)(overlap)[0] is Verdict.WAIT
