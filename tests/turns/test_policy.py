"""Each built-in policy at, below and above its bound, what they are together, and the settings they refuse."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from turnkit.errors import ConfigError
from turnkit.turns import policy
from turnkit.turns.policy import (
    BARGE_IN_POLICIES,
    ENGLISH_BACKCHANNELS,
    NEVER_BACKCHANNELS,
    SPECULATION_POLICIES,
    BargeInPolicy,
    Budget,
    EchoGuard,
    Grace,
    HoldThenDecide,
    IgnoreBackchannels,
    Immediate,
    MinConfidence,
    MinDuration,
    MinWords,
    Never,
    NoSpeculation,
    OnEager,
    Overlap,
    Pause,
    SpeculationPolicy,
    Verdict,
    all_of,
)

OVERLAP = Overlap(transcript="well actually", elapsed=0.6, playing=3.0, heard="The capital is", held=False, final=False)
PAUSE = Pause(transcript="what about tomorrow", confidence=0.6, attempts=0, elapsed=4.0)

BARGE_IN: list[Any] = [
    *(example for built_in in BARGE_IN_POLICIES for example in built_in.examples),
    HoldThenDecide(then=MinDuration(0.5), seconds=0.2),
    IgnoreBackchannels({"ja", "はい"}, then=MinWords(2)),
    IgnoreBackchannels(ENGLISH_BACKCHANNELS | {"ja"}),
    EchoGuard(then=Never(), match=0.5, min_words=1),
    all_of(Grace(1.0), IgnoreBackchannels(), MinWords(2)),
]
SPECULATION: list[Any] = [
    *(example for built_in in SPECULATION_POLICIES for example in built_in.examples),
    Budget(),
    Budget(2, 10.0),
    all_of(Budget(2), MinConfidence(0.5)),
]

seconds = st.floats(0, 1e6)
overlaps = st.builds(
    Overlap,
    transcript=st.text(),
    elapsed=seconds,
    playing=seconds,
    heard=st.text(),
    held=st.booleans(),
    final=st.booleans(),
)
pauses = st.builds(
    Pause, transcript=st.text(), confidence=st.floats(0, 1), attempts=st.integers(0, 50), elapsed=seconds
)


def test_verdicts_print_as_their_names() -> None:
    """A verdict's repr names the member, its str is the word for the log."""
    for verdict in Verdict:
        assert eval(repr(verdict), {}, vars(policy)) is verdict
        assert str(verdict) == verdict.name.lower()
    assert [*Verdict] == [Verdict.YIELD, Verdict.HOLD, Verdict.WAIT, Verdict.KEEP, Verdict.DEFER]


# Barge-in ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("decide", "change", "verdict"),
    [
        (Immediate(), {"elapsed": 0.0, "playing": 0.0}, Verdict.YIELD),
        (Immediate(), {"transcript": ""}, Verdict.YIELD),
        (Never(), {"elapsed": 99.0, "playing": 99.0}, Verdict.DEFER),
        (MinWords(2), {"transcript": ""}, Verdict.WAIT),
        (MinWords(2), {"transcript": " well "}, Verdict.WAIT),
        (MinWords(2), {"transcript": "well, actually"}, Verdict.YIELD),
        (MinWords(2), {"transcript": "well actually no"}, Verdict.YIELD),
        (MinWords(1), {"transcript": "well"}, Verdict.YIELD),
        (MinWords(2), {"transcript": "Uh-huh."}, Verdict.WAIT),
        (MinWords(2), {"transcript": "well — "}, Verdict.WAIT),
        (MinWords(2), {"transcript": "今"}, Verdict.WAIT),
        (MinWords(5), {"transcript": "今日は予約をお願いします"}, Verdict.YIELD),
        (MinWords(4), {"transcript": "今 日 は。"}, Verdict.WAIT),
        (MinWords(2), {"transcript": "ที่"}, Verdict.WAIT),
        (MinWords(2), {"transcript": "ที่นี่"}, Verdict.YIELD),
        (MinWords(2), {"transcript": "ខ្ញុំទៅ"}, Verdict.YIELD),
        (MinWords(2), {"transcript": "안녕하세요"}, Verdict.WAIT),
        (MinDuration(0.5), {"elapsed": 0.4999}, Verdict.WAIT),
        (MinDuration(0.5), {"elapsed": 0.5}, Verdict.YIELD),
        (MinDuration(0.5), {"elapsed": 0.5001}, Verdict.YIELD),
        (MinDuration(0), {"elapsed": 0.0}, Verdict.YIELD),
        (MinDuration(0.5), {"elapsed": 0.1, "playing": 99.0}, Verdict.WAIT),
        (Grace(1.0), {"playing": 0.9999}, Verdict.WAIT),
        (Grace(1.0), {"playing": 1.0}, Verdict.YIELD),
        (Grace(1.0), {"playing": 1.0001}, Verdict.YIELD),
        (Grace(0), {"playing": 0.0}, Verdict.YIELD),
        (Grace(1.0), {"playing": 0.1, "elapsed": 99.0}, Verdict.WAIT),
    ],
    ids=repr,
)
@pytest.mark.parametrize("final", [False, True], ids=["meanwhile", "final"])
def test_barge_in_verdict_at_its_bound(
    decide: Callable[[Overlap], tuple[Verdict, str]], change: dict[str, Any], verdict: Verdict, final: bool
) -> None:
    """A bound is reached at its very value; the last time of asking is no exception (the machine makes WAIT a KEEP)."""
    assert decide(replace(OVERLAP, final=final, **change))[0] is verdict


@pytest.mark.parametrize("decide", BARGE_IN, ids=repr)
@settings(deadline=None)
@given(overlap=overlaps)
def test_barge_in_always_decides_and_says_why(decide: Any, overlap: Overlap) -> None:
    """Whatever the overlap, the answer is a verdict and a reason; asked again, the same."""
    verdict, why = decide(overlap)
    assert isinstance(verdict, Verdict)
    assert why.strip()
    assert decide(overlap) == (verdict, why)
    assert decide(replace(overlap, held=not overlap.held)) == (verdict, why)


@pytest.mark.parametrize("decide", [*BARGE_IN, IgnoreBackchannels({"zq", "zqz zzq"})], ids=repr)
@settings(deadline=None)
@given(said=st.lists(st.text("zq", min_size=1), max_size=6), overlap=overlaps, echo=st.booleans())
def test_no_reason_quotes_what_was_said(decide: Any, said: list[str], overlap: Overlap, echo: bool) -> None:
    """The reason goes to the log: it counts words and holds none, be they the user's or the agent's."""
    text = " ".join(said)
    _, why = decide(replace(overlap, transcript=text, heard=text if echo else "qz"))
    assert not set("zq") & set(why)


@pytest.mark.parametrize(
    ("decide", "measured", "bound"),
    [
        (MinWords(3), "2 word", "3"),
        (MinDuration(0.75), "0.60", "0.75"),
        (Grace(5), "3.00", "5 s"),
        (HoldThenDecide(MinWords(3)), "2 words", "3 needed"),
        (HoldThenDecide(MinWords(3), seconds=0.5), "0.60", "0.5 s"),
        (EchoGuard(), "2 of 2 words", "3 needed"),
    ],
    ids=repr,
)
def test_barge_in_says_what_is_missing(decide: Any, measured: str, bound: str) -> None:
    """The reason gives the measured value and the bound, so that a log line explains itself."""
    before, found, after = decide(replace(OVERLAP, heard="Well, actually, the"))[1].partition(measured)
    assert found
    assert bound in before + after


# Holding ----------------------------------------------------------------------------------------------------------


def says(answer: Any) -> Any:
    """A plain function as a policy, with this answer: a bare one, or one with its why."""
    return lambda situation: answer


def unasked(situation: Any) -> Any:
    """A policy that must not be asked."""
    raise AssertionError("this policy was not to be asked")


@pytest.mark.parametrize(
    ("then", "elapsed", "final", "verdict"),
    [
        *((Verdict.YIELD, elapsed, final, Verdict.YIELD) for elapsed in (0.0, 9.0) for final in (False, True)),
        *((Verdict.KEEP, elapsed, final, Verdict.KEEP) for elapsed in (0.0, 9.0) for final in (False, True)),
        *((Verdict.DEFER, elapsed, final, Verdict.DEFER) for elapsed in (0.0, 9.0) for final in (False, True)),
        (Verdict.WAIT, 0.0, False, Verdict.HOLD),
        (Verdict.WAIT, 0.5, False, Verdict.HOLD),
        (Verdict.WAIT, 0.5001, False, Verdict.WAIT),
        (Verdict.WAIT, 0.0, True, Verdict.WAIT),
        (Verdict.HOLD, 0.0, False, Verdict.HOLD),
        (Verdict.HOLD, 0.5001, False, Verdict.WAIT),
        (Verdict.HOLD, 9.0, True, Verdict.HOLD),
    ],
)
def test_hold_then_decide(then: Verdict, elapsed: float, final: bool, verdict: Verdict) -> None:
    """What `then` decides stands; what it leaves open is HOLD up to the bound and WAIT after it; its end is its own."""
    overlap = replace(OVERLAP, elapsed=elapsed, final=final)
    assert HoldThenDecide(says(then), seconds=0.5)(overlap)[0] is verdict
    answered, why = HoldThenDecide(says((then, "as I say")), seconds=0.5)(overlap)
    assert answered is verdict
    assert "as I say" in why


# Backchannels -----------------------------------------------------------------------------------------------------

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


# Echo -------------------------------------------------------------------------------------------------------------

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


# Composition ------------------------------------------------------------------------------------------------------

overlap_answers = st.one_of(st.sampled_from(Verdict), st.tuples(st.sampled_from(Verdict), st.text()))
pause_answers = st.one_of(st.booleans(), st.tuples(st.booleans(), st.text()))
kinds_of_answers = st.sampled_from([(OVERLAP, overlap_answers), (PAUSE, pause_answers)])


@given(data=st.data(), kind=kinds_of_answers)
def test_the_first_that_does_not_go_ahead_decides(data: st.DataObject, kind: tuple[Any, Any]) -> None:
    """With its own why, and nobody is asked after it; if all go ahead, all their whys are given."""
    situation, answers = kind
    drawn = data.draw(st.lists(answers, min_size=1, max_size=5))
    policies = [says(answer) for answer in drawn]
    given_answers = [answer if isinstance(answer, tuple) else (answer, "") for answer in drawn]
    stops = [place for place, (answer, _) in enumerate(given_answers) if answer not in (Verdict.YIELD, True)]
    if stops:
        expected = given_answers[stops[0]]
        policies[stops[0] + 1 :] = [unasked] * (len(policies) - stops[0] - 1)
    else:
        expected = (given_answers[0][0], "; ".join(why for _, why in given_answers if why))
    together: Any = all_of(*policies)
    assert together(situation) == expected


@given(data=st.data(), kind=kinds_of_answers)
def test_all_of_may_be_nested(data: st.DataObject, kind: tuple[Any, Any]) -> None:
    """All of one is that one, and how they are grouped does not matter."""
    situation, answers = kind
    first = data.draw(answers)
    one, two, three = says(first), says(data.draw(answers)), says(data.draw(answers))
    flat: Any = all_of(one, two, three)
    left: Any = all_of(all_of(one, two), three)
    right: Any = all_of(one, all_of(two, three))
    alone: Any = all_of(one)
    assert flat(situation) == left(situation) == right(situation)
    assert alone(situation) == (first if isinstance(first, tuple) else (first, ""))


def test_all_of_answers_bare_verdicts_too() -> None:
    """A plain function with a bare answer composes with the built-in ones, which check themselves, typed by kind."""

    def bare(overlap: Overlap) -> Verdict:
        return Verdict.KEEP

    def eager(pause: Pause) -> bool:
        return True

    barge_in: BargeInPolicy = all_of(MinWords(2), bare)
    assert barge_in(OVERLAP) == (Verdict.KEEP, "")
    speculation: SpeculationPolicy = all_of(eager, Budget(1))
    assert speculation(PAUSE) == (True, "draft 1 of 1")
    assert speculation(replace(PAUSE, attempts=1)) == (False, "draft 2 of 1")


def test_all_of_refuses_what_is_no_policy() -> None:
    """None at all, a class, or something that cannot be called; named by its place."""
    nothing: Any = []
    with pytest.raises(ConfigError, match=r"all_of\(\): must be given at least one policy"):
        all_of(*nothing)
    for value in (MinWords, None, 3):
        policies: Any = [Immediate(), value]
        with pytest.raises(ConfigError) as caught:
            all_of(*policies)
        assert str(caught.value).startswith(f"all_of(policies[1]={value!r}): {POLICY}")


def broken(situation: object) -> Any:
    raise KeyError("broken")


@pytest.mark.parametrize("answer", [None, True, "maybe", (Verdict.YIELD,), (None, "why"), (Verdict.YIELD, "why", 3)])
@pytest.mark.parametrize(
    "wrap",
    [HoldThenDecide, lambda then: IgnoreBackchannels(then=then), EchoGuard, all_of],
    ids=["HoldThenDecide", "IgnoreBackchannels", "EchoGuard", "all_of"],
)
def test_a_broken_policy_is_not_covered_up(wrap: Callable[[Any], Any], answer: Any) -> None:
    """What it raises goes through, and what is no answer raises, so that the machine can note and overrule it."""
    with pytest.raises(KeyError, match="broken"):
        wrap(broken)(OVERLAP)
    with pytest.raises((TypeError, ValueError)):
        wrap(lambda overlap: answer)(OVERLAP)


@pytest.mark.parametrize("answer", [None, 1, "yes", Verdict.YIELD, (1, "why"), (True,)])
def test_a_broken_speculation_policy_is_not_covered_up(answer: Any) -> None:
    """The same at a pause, where only a bool is an answer."""
    with pytest.raises(KeyError, match="broken"):
        all_of(OnEager(), broken)(PAUSE)
    with pytest.raises((TypeError, ValueError)):
        all_of(OnEager(), lambda pause: answer)(PAUSE)


# Speculation ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("decide", "change", "drafts"),
    [
        (OnEager(), {}, True),
        (OnEager(), {"confidence": 0.0, "attempts": 99, "elapsed": 1e6}, True),
        (NoSpeculation(), {"confidence": 1.0}, False),
        (MinConfidence(0.6), {"confidence": 0.5999}, False),
        (MinConfidence(0.6), {"confidence": 0.6}, True),
        (MinConfidence(0.6), {"confidence": 0.6001}, True),
        (MinConfidence(0), {"confidence": 0.0}, True),
        (MinConfidence(1), {"confidence": 1.0}, True),
        (Budget(2), {"attempts": 1, "elapsed": 1e6}, True),
        (Budget(2), {"attempts": 2}, False),
        (Budget(2), {"attempts": 3}, False),
        (Budget(), {"attempts": 2}, True),
        (Budget(), {"attempts": 3}, False),
        (Budget(2, 10.0), {"elapsed": 9.999}, True),
        (Budget(2, 10.0), {"elapsed": 10.0}, True),
        (Budget(2, 10.0), {"elapsed": 10.001}, False),
        (Budget(2, 10.0), {"attempts": 2, "elapsed": 1.0}, False),
    ],
    ids=repr,
)
def test_speculation_at_its_bound(
    decide: Callable[[Pause], tuple[bool, str]], change: dict[str, Any], drafts: bool
) -> None:
    """A draft is started or not, and the bounds are those documented."""
    assert decide(replace(PAUSE, **change))[0] is drafts


@pytest.mark.parametrize("decide", SPECULATION, ids=repr)
@settings(deadline=None)
@given(pause=pauses)
def test_speculation_always_decides_and_says_why(decide: Any, pause: Pause) -> None:
    """Whatever the pause, the answer is a bool and a reason that quotes nobody; asked again, the same."""
    drafts, why = decide(pause)
    assert isinstance(drafts, bool)
    assert why.strip()
    assert decide(replace(pause, transcript="my pin is 4711")) == (drafts, why)


@pytest.mark.parametrize(
    ("decide", "measured", "bound"),
    [(MinConfidence(0.75), "0.60", "0.75"), (Budget(3), "draft 1", "3"), (Budget(3, 2), "4.00", "2 s")],
    ids=repr,
)
def test_speculation_says_what_is_missing(decide: Any, measured: str, bound: str) -> None:
    """The reason gives the measured value and the bound."""
    before, found, after = decide(PAUSE)[1].partition(measured)
    assert found
    assert bound in before + after


# Settings ---------------------------------------------------------------------------------------------------------

NUMBER_OF_SECONDS = "must be a number of seconds, 0 or more"
COUNT = "must be a whole number of at least 1"
POLICY = "must be a policy, that is a callable such as Immediate()"
NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("kind", "setting", "value", "rule"),
    [
        *((MinWords, "count", value, COUNT) for value in (0, -1, 1.0, "2", True, None, NAN)),
        *((Budget, "per_turn", value, COUNT) for value in (0, -1, 2.5, "2", False, None)),
        *((MinDuration, "seconds", value, NUMBER_OF_SECONDS) for value in (-0.1, NAN, INF, "1", True, None)),
        *((Grace, "seconds", value, NUMBER_OF_SECONDS) for value in (-0.1, NAN, INF, "1", False, None)),
        *((Budget, "turn_seconds", value, NUMBER_OF_SECONDS) for value in (-1, NAN, INF, "1", True)),
        *((MinConfidence, "confidence", value, "from 0 to 1") for value in (-0.01, 1.01, NAN, INF, "1", True, None)),
        *((HoldThenDecide, "then", value, POLICY) for value in (MinWords, None, 2, Verdict.YIELD, "MinWords")),
        *((HoldThenDecide, "seconds", value, NUMBER_OF_SECONDS) for value in (-0.1, NAN, INF, "1", True, None)),
        *((IgnoreBackchannels, "then", value, POLICY) for value in (Immediate, None)),
        *((IgnoreBackchannels, "phrases", value, "must be a set of phrases") for value in ("yeah", b"yeah", None, 3)),
        (IgnoreBackchannels, "phrases", [], "at least one"),
        (IgnoreBackchannels, "phrases", frozenset(), "at least one"),
        *((EchoGuard, "then", value, POLICY) for value in (Immediate, None)),
        *((EchoGuard, "match", value, "above 0, up to 1") for value in (0, -0.1, 1.01, NAN, INF, "1", True, None)),
        *((EchoGuard, "min_words", value, COUNT) for value in (0, -1, 1.0, "2", True, None)),
    ],
)
def test_setting_that_cannot_work_is_refused(kind: type[Any], setting: str, value: object, rule: str) -> None:
    """A senseless setting is refused at once, by policy, setting, value and rule."""
    with pytest.raises(ConfigError) as caught:
        kind(**{setting: value})
    assert str(caught.value).startswith(f"{kind.__name__}({setting}={value!r}): ")
    assert rule in str(caught.value)


@pytest.mark.parametrize("value", [*BARGE_IN, *SPECULATION, OVERLAP, PAUSE], ids=lambda value: type(value).__name__)
def test_policies_and_situations_are_values(value: Any) -> None:
    """Equal settings make equal policies that print as the Python that builds them and cannot be changed."""
    again = eval(repr(value), {}, vars(policy))
    assert again == value
    assert again is not value
    assert hash(again) == hash(value)
    names = (
        [field.name for field in dataclasses.fields(value)]
        if dataclasses.is_dataclass(value)
        else value.__struct_fields__
    )
    for name in names:
        with pytest.raises(AttributeError):
            setattr(value, name, getattr(value, name))


def test_other_settings_make_other_policies() -> None:
    """Policies differ by kind and by setting."""
    policies = [*BARGE_IN, *SPECULATION, MinWords(3), MinDuration(1.0), Budget(2)]
    assert len(set(policies)) == len(policies)
    bounds: list[object] = [MinDuration(1.0), Grace(1.0)]
    assert bounds[0] != bounds[1]


def test_every_built_in_is_tested_here() -> None:
    """No policy of the module is missing from the lists above."""
    callables = {
        value
        for value in vars(policy).values()
        if isinstance(value, type) and value.__module__.startswith(policy.__name__) and "__call__" in vars(value)
    }
    assert {type(built_in) for built_in in [*BARGE_IN, *SPECULATION]} == callables | {type(all_of(Immediate()))}


def test_huge_seconds() -> None:
    """A bound that no float holds is refused like any other, with nothing foreign raised."""
    with pytest.raises(ConfigError, match="must be a number of seconds"):
        policy.Grace(10**400)
