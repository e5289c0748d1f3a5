"""IgnoreBackchannels: which words ask for nothing, in any language, and which never do."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support.canned_policies import says, unasked
from tests.support.situations import OVERLAP
from turnkit.errors import ConfigError
from turnkit.turns.policy import ENGLISH_BACKCHANNELS, NEVER_BACKCHANNELS, IgnoreBackchannels, Verdict

JAPANESE = {"はい", "ええ", "うん", "そうですか"}
GERMAN = {"ja", "genau", "ach so", "mhm"}


@pytest.mark.parametrize(
    ("phrases", "growth", "end"),
    [
        (ENGLISH_BACKCHANNELS, "Mm-hm.", "keep"),
        (ENGLISH_BACKCHANNELS, "Uh | Uh-huh. | Uh huh, yeah | UH-HUH, YEAH!", "keep"),
        (ENGLISH_BACKCHANNELS, "I | I see. | I see, I | I see. I see", "keep"),
        (ENGLISH_BACKCHANNELS, "Oh | Oh, okay | Oh, okay, got | Oh okay. Got it! Yeah, right…", "keep"),
        (ENGLISH_BACKCHANNELS, "Yeah | Yeah, that's | Yeah, that’s right.", "keep"),
        (ENGLISH_BACKCHANNELS, "Okay | O.K. | OK. All | All right", "keep"),
        (ENGLISH_BACKCHANNELS, " | ... | Sure", "keep"),
        (ENGLISH_BACKCHANNELS, "I | I see | !I see a problem", ""),
        (ENGLISH_BACKCHANNELS, "I | !I think so", ""),
        (ENGLISH_BACKCHANNELS, "Yeah | Yeah, I | !Yeah, I want", ""),
        (ENGLISH_BACKCHANNELS, "Uh | !Uh, no", ""),
        (ENGLISH_BACKCHANNELS, "Uh | !Uh uh", ""),
        (ENGLISH_BACKCHANNELS, "!Um", ""),
        (ENGLISH_BACKCHANNELS, "Okay | Okay, | !Okay, stop", ""),
        (ENGLISH_BACKCHANNELS, "Right | !Right now", ""),
        (ENGLISH_BACKCHANNELS, "!Ye | Yes", "keep"),
        (ENGLISH_BACKCHANNELS, "I", "yield"),
        (ENGLISH_BACKCHANNELS, "Yeah, got", "yield"),
        (ENGLISH_BACKCHANNELS | {"ja"}, "Ja | Ja, okay. Ja", "keep"),
        (GERMAN, "Ach | Ach so. Genau | ach so, genau, ja", "keep"),
        (GERMAN, "Ja | !Ja, aber", ""),
        (GERMAN, "!yeah", ""),
        (JAPANESE, "は | はい | はいは | はいはい。", "keep"),
        (JAPANESE, "うん、 | うん、そう | うんそうですか ええ", "keep"),
        (JAPANESE, "はい | !はい、でも", ""),
        (JAPANESE, "うん | !うんてん", ""),
        ({"हाँ जी", "हाँ"}, "हाँ | हाँ जी, हाँ", "keep"),
        ({"हाँ जी", "हाँ"}, "!हा", ""),
        ({"d'accord", "ah bon"}, "D’accord | Ah | Ah, bon !", "keep"),
        ({"ครับ", "ค่ะ"}, "ครับ | ครับครับ ค่ะ", "keep"),
        ({"ﾊｲ", "対"}, "ﾊｲ対対", "keep"),
        ({"네", "맞아요"}, "네 | 네, 맞아요 | !네모", ""),
        ({"é claro"}, "E\u0301 claro", "keep"),
        ({"MM-HM"}, "mm hm | mm", "yield"),
    ],
)
def test_backchannels_as_they_grow(phrases: frozenset[str], growth: str, end: str) -> None:
    """Each step waits, unless marked with "!": that one goes to `then`; at the turn's end the last one is `end`."""
    decide = IgnoreBackchannels(phrases, then=says((Verdict.YIELD, "handed over")))
    steps = [step.strip() for step in growth.split("|")]
    for step in steps:
        verdict, why = decide(replace(OVERLAP, transcript=step.lstrip("!")))
        assert (verdict is Verdict.YIELD, why == "handed over") == (step.startswith("!"),) * 2, step
        assert verdict is Verdict.YIELD or verdict is Verdict.WAIT
    final, _ = decide(replace(OVERLAP, transcript=steps[-1].lstrip("!"), final=True))
    assert str(final) == (end or "yield")


@pytest.mark.parametrize("asking", sorted(NEVER_BACKCHANNELS))
def test_words_that_ask_for_the_floor_are_no_backchannel(asking: str) -> None:
    """They are handed over at once, alone or after a backchannel; no list may hold them, inside or whole."""
    decide = IgnoreBackchannels(then=says(Verdict.YIELD))
    for text in (asking, f"{asking.capitalize()}!", f"Yeah, {asking}.", f"mm-hm {asking} mm-hm"):
        for final in (False, True):
            assert decide(replace(OVERLAP, transcript=text, final=final))[0] is Verdict.YIELD
    for phrase in (asking, asking.upper() + ".", f"oh {asking} really"):
        with pytest.raises(ConfigError) as caught:
            IgnoreBackchannels(ENGLISH_BACKCHANNELS | {phrase})
        assert repr(phrase) in str(caught.value)
        assert "NEVER_BACKCHANNELS" in str(caught.value)
    assert IgnoreBackchannels({f"{asking}ly"})


@pytest.mark.parametrize("phrase", ["", " ", "…", 3, None, ["yeah"], b"yeah"])
def test_phrase_without_words_is_refused(phrase: Any) -> None:
    """A phrase that could match nothing, or everywhere, is refused by its value."""
    with pytest.raises(ConfigError) as caught:
        IgnoreBackchannels(["yeah", phrase])  # type: ignore[arg-type]
    assert str(caught.value).startswith(f"IgnoreBackchannels(phrases={{{phrase!r}, …}}): every phrase must be a text")


def test_phrases_are_kept_as_a_set() -> None:
    """Whatever they are given as, they are a frozenset that can be extended; the printed settings are in order."""
    listed: Any = ["yeah", "ja", "yeah"]
    assert IgnoreBackchannels(listed) == IgnoreBackchannels({"ja", "yeah"})
    assert IgnoreBackchannels(listed).phrases | {"oui"} == {"ja", "oui", "yeah"}
    assert repr(IgnoreBackchannels(listed)) == "IgnoreBackchannels(phrases={'ja', 'yeah'}, then=Immediate())"
    assert repr(IgnoreBackchannels()) == "IgnoreBackchannels(phrases=ENGLISH_BACKCHANNELS, then=Immediate())"


VOCABULARY = {word for phrase in ENGLISH_BACKCHANNELS for word in re.split(r"[ .-]", phrase.replace("'", ""))}
separators = st.sampled_from([" ", ", ", ". ", "… ", "\n", " - "])
cases = st.sampled_from([str.lower, str.upper, str.capitalize])


@st.composite
def backchannels(draw: st.DrawFn) -> str:
    """Phrases of the English list, one after the other, written one way or another."""
    parts = draw(st.lists(st.tuples(st.sampled_from(sorted(ENGLISH_BACKCHANNELS)), cases, separators), min_size=1))
    return "".join(case(phrase) + separator for phrase, case, separator in parts)


@given(text=backchannels(), final=st.booleans())
def test_backchannels_in_any_number_and_order_never_yield(text: str, final: bool) -> None:
    """A turn of nothing but phrases is kept, and waits at each word on the way there."""
    decide = IgnoreBackchannels(then=unasked)
    assert decide(replace(OVERLAP, transcript=text, final=True))[0] is Verdict.KEEP
    words = text.split()
    for count in range(len(words) + 1):
        assert decide(replace(OVERLAP, transcript=" ".join(words[:count])))[0] is Verdict.WAIT


@given(
    before=st.one_of(st.just(""), backchannels()),
    other=st.text("abcdefghijklmnopqrstuvwxyz", min_size=1).filter(lambda word: word not in VOCABULARY),
    after=st.one_of(st.just(""), backchannels()),
    final=st.booleans(),
)
def test_any_other_word_hands_over(before: str, other: str, after: str, final: bool) -> None:
    """One word of no phrase, wherever it stands, and `then` decides."""
    decide = IgnoreBackchannels(then=says((Verdict.DEFER, "handed over")))
    overlap = replace(OVERLAP, transcript=f"{before} {other} {after}", final=final)
    assert decide(overlap) == (Verdict.DEFER, "handed over")


@given(phrases=st.lists(st.sampled_from(sorted(JAPANESE)), min_size=1), commas=st.booleans())
def test_backchannels_without_white_space(phrases: list[str], commas: bool) -> None:
    """Where a script has no white space, none is needed, and every character on the way there waits."""
    text = ("、" if commas else "").join(phrases)
    decide = IgnoreBackchannels(JAPANESE, then=unasked)
    assert decide(replace(OVERLAP, transcript=text, final=True))[0] is Verdict.KEEP
    for count in range(len(text) + 1):
        assert decide(replace(OVERLAP, transcript=text[:count]))[0] is Verdict.WAIT
