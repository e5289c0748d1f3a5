"""When the agent gives way: every built-in barge-in policy.

To add one, write its class here, name it in `__all__`, and enter it in `BARGE_IN_POLICIES`: exports, recordings, the
command line, the tuner and the tests follow from these.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from difflib import SequenceMatcher

import msgspec

from ...errors import ConfigError
from ..numerals import Said, as_written
from ..words import words_of
from .asking import BargeInPolicy, Overlap, Verdict, ask_barge_in
from .built_in import BuiltIn
from .composition import all_of
from .phrases import Phrases, parted_words_of
from .settings import check_policy, check_seconds, check_share, check_whole

__all__ = [
    "ENGLISH_BACKCHANNELS",
    "NEVER_BACKCHANNELS",
    "EchoGuard",
    "Grace",
    "HoldThenDecide",
    "IgnoreBackchannels",
    "Immediate",
    "MinDuration",
    "MinWords",
    "Never",
]

# By how much is said, and when ------------------------------------------------------------------------------------

_IMMEDIATELY = Verdict.YIELD, "the user speaks"

# To a reply of which nothing was heard yet, nothing is a backchannel by its size or its time.
_UNHEARD = Verdict.YIELD, "nothing of the reply was heard yet"


class Immediate(msgspec.Struct, frozen=True):
    """The user takes the floor with the first word Flux hears (its StartOfTurn always has one)."""

    def __call__(self, overlap: Overlap) -> tuple[Verdict, str]:
        """YIELD, whatever is said."""
        return _IMMEDIATELY


class Never(msgspec.Struct, frozen=True):
    """The agent is never stopped once it is heard; what is said meanwhile is answered afterwards."""

    def __call__(self, overlap: Overlap) -> tuple[Verdict, str]:
        """DEFER, whatever is said; YIELD before the first sound."""
        return _UNHEARD if overlap.pending else (Verdict.DEFER, "the agent is never stopped")


class MinWords(msgspec.Struct, frozen=True):
    """The user takes the floor with `count` words; a turn that ends with fewer was a backchannel.

    Attributes:
        count: How many words it takes, at least 1; they are counted anew in every turn. In scripts without spaces
            between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese), each letter counts as one.
    """

    count: int

    def __post_init__(self) -> None:
        check_whole("MinWords", "count", self.count)

    def __call__(self, overlap: Overlap) -> tuple[Verdict, str]:
        """YIELD from `count` words on, and before the first sound; WAIT otherwise."""
        if overlap.pending:
            return _UNHEARD
        words = words_of(overlap.transcript)
        return Verdict.YIELD if len(words) >= self.count else Verdict.WAIT, f"{_counted(words)}, {self.count} needed"


class MinDuration(msgspec.Struct, frozen=True):
    """The user takes the floor after `seconds` of a turn; one that ends sooner was a backchannel.

    Attributes:
        seconds: How long the turn has to be, from its start; 0 or more.
    """

    seconds: float

    def __post_init__(self) -> None:
        check_seconds("MinDuration", "seconds", self.seconds)

    def __call__(self, overlap: Overlap) -> tuple[Verdict, str]:
        """YIELD from `seconds` into the turn on, and before the first sound; WAIT otherwise."""
        if overlap.pending:
            return _UNHEARD
        verdict = Verdict.YIELD if overlap.elapsed >= self.seconds else Verdict.WAIT
        return verdict, f"{overlap.elapsed:.2f} s, {self.seconds:g} needed"


class Grace(msgspec.Struct, frozen=True):
    """The agent is not stopped in the first `seconds` of a reply: what Flux hears then is likely the agent's own echo.

    Attributes:
        seconds: How long a reply is safe, from its first sound; 0 or more.
    """

    seconds: float

    def __post_init__(self) -> None:
        check_seconds("Grace", "seconds", self.seconds)

    def __call__(self, overlap: Overlap) -> tuple[Verdict, str]:
        """YIELD from `seconds` into the reply on, and before the first sound; WAIT otherwise."""
        if overlap.pending:
            return _UNHEARD
        verdict = Verdict.YIELD if overlap.playing >= self.seconds else Verdict.WAIT
        return verdict, f"{overlap.playing:.2f} s into the reply, grace {self.seconds:g} s"


class HoldThenDecide(msgspec.Struct, frozen=True):
    """The agent pauses, or ducks, at the user's first word, and goes on or stops when `then` has decided.

    The user hears at once that the agent listens, yet "mm-hm" costs the reply nothing but a pause. What `then` decides
    stands (YIELD, KEEP, DEFER), as does whatever it says at the end of the turn. While it is undecided, the answer is
    HOLD in the first `seconds` of the turn and WAIT after them. The pause itself ends with the decision, or after the
    machine's `hold_timeout` if there is none by then.

    Attributes:
        then: The policy that decides; MinWords(2) by default.
        seconds: How far into the turn the agent may still be paused, 0 or more; 1.0 by default. If it is below the
            machine's `hold_timeout`, no turn pauses the agent twice. With 0, only the turn's very first event can.

    Raises:
        ConfigError: `then` is no policy, or `seconds` is no number of seconds.
    """

    then: BargeInPolicy = MinWords(2)
    seconds: float = 1.0

    def __post_init__(self) -> None:
        check_policy("HoldThenDecide", "then", self.then)
        check_seconds("HoldThenDecide", "seconds", self.seconds)

    def __call__(self, overlap: Overlap) -> tuple[Verdict, str]:
        """What `then` decides; until it does, HOLD and later WAIT."""
        verdict, why = ask_barge_in(self.then, overlap)
        if overlap.final or verdict not in (Verdict.WAIT, Verdict.HOLD):
            return verdict, why
        undecided = f"undecided at {overlap.elapsed:.2f} s" + (f": {why}" if why else "")
        if overlap.elapsed <= self.seconds:
            return Verdict.HOLD, undecided
        return Verdict.WAIT, f"{undecided}; no hold after {self.seconds:g} s"


# By what is said --------------------------------------------------------------------------------------------------

NEVER_BACKCHANNELS: frozenset[str] = frozenset(
    {"no", "nope", "stop", "wait", "hold on", "hang on", "hold up", "actually"}
    | {"sorry", "pardon", "excuse me", "what", "hello", "help"}
)
"""English words that ask for the floor: in no list of backchannels, and no echo by themselves."""

ENGLISH_BACKCHANNELS: frozenset[str] = frozenset(
    {"mm", "mmm", "mhm", "mhmm", "mm-hm", "mm-hmm", "hm", "hmm", "uh-huh", "ah", "aha", "ah-ha", "oh", "ooh", "wow"}
    | {"yeah", "yea", "ya", "yep", "yup", "yes", "right", "all right", "alright", "okay", "ok", "o.k.", "sure"}
    | {"of course", "for sure", "exactly", "absolutely", "definitely", "indeed", "true", "that's right", "that's true"}
    | {"got it", "gotcha", "i see", "i understand", "understood", "makes sense", "that makes sense", "sounds good"}
    | {"fine", "good", "great", "cool", "nice", "perfect", "interesting", "go on", "go ahead"}
)
"""What English listeners say to show that they listen; extend it as in `ENGLISH_BACKCHANNELS | {"righty-o"}`.

Without "uh" and "um", which begin a turn rather than accompany one.
"""

NAMED_PHRASES = {"ENGLISH_BACKCHANNELS": ENGLISH_BACKCHANNELS, "NEVER_BACKCHANNELS": NEVER_BACKCHANNELS}
"""Sets of phrases that recordings and options may spell by name."""

_ASKING = Phrases(NEVER_BACKCHANNELS)


@dataclass(frozen=True)
class IgnoreBackchannels:
    """Words that only show that the user listens do not stop the agent; all others go to `then`.

    As long as the turn is nothing but `phrases` ("mm-hm", "yeah, right, I see", in any number and order; case,
    punctuation and apostrophes aside), or could become so with further words ("I", on its way to "I see"), the answer
    is WAIT; KEEP at the turn's end if it still is. Before there are words: WAIT. A "yes" that answers the agent's
    question just before its last sound is not lost by that: once the reply is over, so is the overlap. Nor does "mm-hm"
    cost the user an answer that is on its way and not heard yet.

    Attributes:
        phrases: A set of phrases in any language, ENGLISH_BACKCHANNELS by default. Also one without white space: a turn
            of はいはい is two はい.
        then: The policy that decides about other words; Immediate() by default.

    Raises:
        ConfigError: `phrases` is no set, or an empty one, or a phrase in it is without words or has one of
            NEVER_BACKCHANNELS in it; or `then` is no policy.
    """

    phrases: AbstractSet[str] = ENGLISH_BACKCHANNELS
    then: BargeInPolicy = Immediate()
    _phrases: Phrases = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        phrases: object = self.phrases
        if isinstance(phrases, (str, bytes)) or not hasattr(phrases, "__iter__"):
            raise ConfigError(f"IgnoreBackchannels(phrases={phrases!r}): must be a set of phrases")
        given = tuple(self.phrases)
        if not given:
            raise ConfigError(f"IgnoreBackchannels(phrases={phrases!r}): must hold at least one phrase")
        for phrase in given:
            _check_phrase(phrase)
        check_policy("IgnoreBackchannels", "then", self.then)
        object.__setattr__(self, "phrases", frozenset(given))
        object.__setattr__(self, "_phrases", Phrases(given))

    def __repr__(self) -> str:
        own = self.phrases
        known = ""
        if own >= ENGLISH_BACKCHANNELS:
            own, known = own - ENGLISH_BACKCHANNELS, "ENGLISH_BACKCHANNELS"
        listed = f"{{{', '.join(map(repr, sorted(own)))}}}" if own else ""
        return f"IgnoreBackchannels(phrases={' | '.join(filter(None, (known, listed)))}, then={self.then!r})"

    def __call__(self, overlap: Overlap) -> tuple[Verdict, str]:
        """WAIT or KEEP for backchannels, for all else what `then` answers."""
        words = parted_words_of(overlap.transcript)
        if not words:
            return Verdict.WAIT, "no words yet"
        if self._phrases.make_up(words):
            return Verdict.KEEP if overlap.final else Verdict.WAIT, f"{_counted(words)}, all backchannel"
        if not overlap.final and self._phrases.may_make_up(words):
            return Verdict.WAIT, f"{_counted(words)}, may become a backchannel"
        return ask_barge_in(self.then, overlap)


_HEARD = 60  # words: some 20 s of speech; an echo comes within one
_SAID = 40  # words of the turn: earlier ones were judged when they were the latest
_LETTERS = 16  # a word, more or less: only so much of a long reply is split into words


class EchoGuard(msgspec.Struct, frozen=True):
    """What the agent itself is saying, come back through the microphone, does not stop it; all else goes to `then`.

    Compares the turn's words with those of the reply that have been heard, the last 60 (`Overlap.heard`, which needs
    PlaybackAdvanced to be reported word by word, or nearly: without it, all goes to `then`). The turn is laid over
    them where both share their longest run of words; what it shares with them there in the same order, give or take
    a word to either side, is the agent's own. If that is enough of the turn to be an echo: WAIT, and KEEP at the turn's
    end. In a turn of very few words, the user may have said the same by chance: WAIT while it goes on, but at its end
    it goes to `then`.

    Numbers and their signs are the same in words and in digits ("€40", "forty euros"), in ten languages. One that
    stands where the agent said another is the user's: "a table for six" is no echo of "a table for 4".

    Words that ask for the floor (NEVER_BACKCHANNELS: "stop", "no") are no echo by themselves, nor is an echo one to
    which they were added. But a user who says the agent's words again with one in five changed passes for an echo.

    Attributes:
        then: The policy that decides about other words; Immediate() by default.
        match: The share of the turn's words that must be the agent's own, above 0 and up to 1; 0.8 by default, so that
            one word in five may be misheard. A higher one takes fewer users for echoes, and more echoes for users.
        min_words: How many words an echo must have, at least 1; 3 by default.

    Raises:
        ConfigError: A setting cannot work.
    """

    then: BargeInPolicy = Immediate()
    match: float = 0.8
    min_words: int = 3

    def __post_init__(self) -> None:
        check_policy("EchoGuard", "then", self.then)
        check_share("EchoGuard", "match", self.match, zero=False)
        check_whole("EchoGuard", "min_words", self.min_words)

    def __call__(self, overlap: Overlap) -> tuple[Verdict, str]:
        """WAIT or KEEP for the agent's own words, for all else what `then` answers."""
        heard = parted_words_of(overlap.heard[-_HEARD * _LETTERS :])[-_HEARD:]
        said = parted_words_of(overlap.transcript)[-_SAID:]
        if not heard or _ASKING.make_up(said):
            return ask_barge_in(self.then, overlap)
        if not said:
            return Verdict.WAIT, "no words yet"
        foreign = _foreign(said, heard)
        if foreign is None:
            return ask_barge_in(self.then, overlap)
        own = len(said) - len(foreign)
        if own / len(said) < self.match or _ASKING.occur_in(foreign):
            return ask_barge_in(self.then, overlap)
        why = f"{own} of {_counted(said)} the agent's own"
        if len(said) >= self.min_words:
            return Verdict.KEEP if overlap.final else Verdict.WAIT, why
        if not overlap.final:
            return Verdict.WAIT, f"{why}, {self.min_words} needed to be an echo"
        return ask_barge_in(self.then, overlap)


def _foreign(said: list[str], heard: list[str]) -> list[str] | None:
    """The words of a turn that are not the agent's; None if it has a number where the agent said another."""
    gaps = _laid_over([Said(word, 1) for word in said], [Said(word, 1) for word in heard])
    foreign, missing = ([word.form for gap in gaps for word in gap[side]] for side in (0, 1))
    rewritten = [word.form for word in as_written(missing) if not word.is_number]
    if not any(word.is_number for word in as_written(foreign)) and all(form in missing for form in rewritten):
        return foreign
    gaps = _laid_over(as_written(said), as_written(heard))
    others: list[str] = []
    for gap, there in gaps:
        number = next((word for word in gap if word.is_number), None)
        spoken = next((word for word in there if word.is_number), None)
        if number is not None and spoken is not None:
            # Digits that were said one by one may have come back in part.
            if number.words == 1 or number.form not in spoken.form:
                return None
            gap = [word for word in gap if word is not number]
        others += [word.form for word in gap for _ in range(word.words)]
    return others


def _laid_over(said: list[Said], heard: list[Said]) -> list[tuple[list[Said], list[Said]]]:
    """The words of a turn that are not the agent's, each with what the agent said in its place.

    The two are laid over each other at their longest common run.
    """
    forms, words = [word.form for word in said], [word.form for word in heard]
    run = SequenceMatcher(None, forms, words).find_longest_match()
    first = max(0, run.b - run.a - 1)
    there = words[first : max(0, run.b - run.a + len(said) + 1)]
    blocks = SequenceMatcher(None, forms, there).get_matching_blocks()
    gaps = []
    begin = start = 0
    for block in blocks:
        gaps.append((said[begin : block.a], heard[first + start : first + block.b]))
        begin, start = block.a + block.size, block.b + block.size
    return gaps


def _counted(words: list[str]) -> str:
    return f"{len(words)} word{'' if len(words) == 1 else 's'}"


def _check_phrase(phrase: object) -> None:
    words = parted_words_of(phrase) if isinstance(phrase, str) else []
    if not words:
        raise ConfigError(f"IgnoreBackchannels(phrases={{{phrase!r}, …}}): every phrase must be a text with words")
    if _ASKING.occur_in(words):
        asking = next(asking for asking in sorted(NEVER_BACKCHANNELS) if Phrases([asking]).occur_in(words))
        raise ConfigError(
            f"IgnoreBackchannels(phrases={{{phrase!r}, …}}): must not have {asking!r} in it, "
            "which asks for the floor (NEVER_BACKCHANNELS)"
        )


# What the rest of turnkit knows of them ---------------------------------------------------------------------------

_GUARDED = all_of(EchoGuard(), IgnoreBackchannels())

BARGE_IN_POLICIES: tuple[BuiltIn[BargeInPolicy], ...] = (
    BuiltIn(Immediate, "immediate", examples=(Immediate(),), compared={"immediate": Immediate()}),
    BuiltIn(
        MinWords,
        "min-words:N",
        examples=(MinWords(2),),
        argument=int,
        compared={"min-words:2": MinWords(2), "min-words:3": MinWords(3)},
    ),
    BuiltIn(
        MinDuration,
        "min-duration:SECONDS",
        examples=(MinDuration(0.5),),
        argument=float,
        compared={"min-duration:0.5": MinDuration(0.5)},
    ),
    # Not compared: by itself it only says when no policy is asked.
    BuiltIn(Grace, "grace:SECONDS", examples=(Grace(1.0),), argument=float),
    # Compared below, over what it is best over.
    BuiltIn(HoldThenDecide, "hold-then-decide", examples=(HoldThenDecide(MinWords(2)),)),
    BuiltIn(
        IgnoreBackchannels,
        "ignore-backchannels",
        examples=(IgnoreBackchannels(),),
        compared={"ignore-backchannels": IgnoreBackchannels()},
    ),
    BuiltIn(
        EchoGuard,
        "echo-guard",
        examples=(EchoGuard(),),
        compared={
            "echo-guard": EchoGuard(),
            "echo-guard+ignore-backchannels": _GUARDED,
            "hold-then-decide": HoldThenDecide(_GUARDED),
        },
    ),
    BuiltIn(Never, "never", examples=(Never(),), compared={"never": Never()}),
)
"""All of them, in the order in which options and tables list them."""
