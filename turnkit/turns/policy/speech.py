"""Barge-in by what is said: words that ask for nothing, and words that are the agent's own."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from difflib import SequenceMatcher

import msgspec

from ...errors import ConfigError
from .asking import BargeInPolicy, Overlap, Verdict, ask_barge_in
from .barge_in import Immediate
from .phrases import Phrases, words_of
from .settings import check_policy, check_share, check_whole

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

_ASKING = Phrases(NEVER_BACKCHANNELS)
_IMMEDIATE = Immediate()

_HEARD = 60  # words: some 20 s of speech; an echo comes within one
_SAID = 40  # words of the turn: earlier ones were judged when they were the latest
_LETTERS = 16  # a word, more or less: only so much of a long reply is split into words


@dataclass(frozen=True)
class IgnoreBackchannels:
    """Words that only show that the user listens do not stop the agent; all others go to `then`.

    As long as the turn is nothing but `phrases` ("mm-hm", "yeah, right, I see", in any number and order; case,
    punctuation and apostrophes aside), or could become so with further words ("I", on its way to "I see"), the answer
    is WAIT; KEEP at the turn's end if it still is. Before there are words: WAIT. A "yes" that answers the agent's
    question just before its last sound is not lost by that: once the reply is over, so is the overlap.

    `phrases` is a set of phrases in any language, also one without white space: a turn of はいはい is two はい. Raises
    ConfigError for phrases that are no set or none at all, or one without words or with NEVER_BACKCHANNELS in it, and
    for a `then` that is no policy.
    """

    phrases: AbstractSet[str] = ENGLISH_BACKCHANNELS
    then: BargeInPolicy = _IMMEDIATE
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
        words = words_of(overlap.transcript)
        if not words:
            return Verdict.WAIT, "no words yet"
        if self._phrases.make_up(words):
            return Verdict.KEEP if overlap.final else Verdict.WAIT, f"{_counted(words)}, all backchannel"
        if not overlap.final and self._phrases.may_make_up(words):
            return Verdict.WAIT, f"{_counted(words)}, may become a backchannel"
        return ask_barge_in(self.then, overlap)


class EchoGuard(msgspec.Struct, frozen=True):
    """What the agent itself is saying, come back through the microphone, does not stop it; all else goes to `then`.

    Compares the turn's words with those of the reply that have been heard, the last 60 (`Overlap.heard`, which needs
    PlaybackAdvanced to be reported word by word, or nearly: without it, all goes to `then`). The turn is laid over
    them where both share their longest run of words; what it shares with them there in the same order, give or take
    a word to either side, is the agent's own. It is an echo if that is at least `match` of the turn (0.8: one
    word in five may be misheard), and it has at least `min_words` words: WAIT, and KEEP at the turn's end. With fewer,
    the user may have said the same by chance: WAIT while the turn goes on, but at its end it goes to `then`.

    Words that ask for the floor (NEVER_BACKCHANNELS: "stop", "no") are no echo by themselves, nor is an echo one to
    which they were added. But a user who says the agent's words again with one in five changed passes for an echo:
    a higher `match` hears more of them, and more echoes as users. Raises ConfigError for a setting that cannot work.
    """

    then: BargeInPolicy = _IMMEDIATE
    match: float = 0.8
    min_words: int = 3

    def __post_init__(self) -> None:
        check_policy("EchoGuard", "then", self.then)
        check_share("EchoGuard", "match", self.match, zero=False)
        check_whole("EchoGuard", "min_words", self.min_words)

    def __call__(self, overlap: Overlap) -> tuple[Verdict, str]:
        heard = words_of(overlap.heard[-_HEARD * _LETTERS :])[-_HEARD:]
        said = words_of(overlap.transcript)[-_SAID:]
        if not heard or _ASKING.make_up(said):
            return ask_barge_in(self.then, overlap)
        if not said:
            return Verdict.WAIT, "no words yet"
        foreign = _foreign(said, heard)
        own = len(said) - len(foreign)
        if own / len(said) < self.match or _ASKING.occur_in(foreign):
            return ask_barge_in(self.then, overlap)
        why = f"{own} of {_counted(said)} the agent's own"
        if len(said) >= self.min_words:
            return Verdict.KEEP if overlap.final else Verdict.WAIT, why
        if not overlap.final:
            return Verdict.WAIT, f"{why}, {self.min_words} needed to be an echo"
        return ask_barge_in(self.then, overlap)


def _foreign(said: list[str], heard: list[str]) -> list[str]:
    """The words of a turn that are not the agent's, laid over each other at their longest common run."""
    run = SequenceMatcher(None, said, heard).find_longest_match()
    start = run.b - run.a
    there = heard[max(0, start - 1) : max(0, start + len(said) + 1)]
    foreign = list(said)
    for block in reversed(SequenceMatcher(None, said, there).get_matching_blocks()):
        del foreign[block.a : block.a + block.size]
    return foreign


def _counted(words: list[str]) -> str:
    return f"{len(words)} word{'' if len(words) == 1 else 's'}"


def _check_phrase(phrase: object) -> None:
    words = words_of(phrase) if isinstance(phrase, str) else []
    if not words:
        raise ConfigError(f"IgnoreBackchannels(phrases={{{phrase!r}, …}}): every phrase must be a text with words")
    if _ASKING.occur_in(words):
        asking = next(asking for asking in sorted(NEVER_BACKCHANNELS) if Phrases([asking]).occur_in(words))
        raise ConfigError(
            f"IgnoreBackchannels(phrases={{{phrase!r}, …}}): must not have {asking!r} in it, "
            "which asks for the floor (NEVER_BACKCHANNELS)"
        )
