"""Sentences of a text that is still coming: what of it can be said already.

Own code, and no library: those there are (sentencex, pysbd, blingfire) take the text for complete and its language for
known, and so cannot tell "It costs 3." from "It costs 3." with ".5" still to come, know no first clause, and cut inside
an SSML element and between full-width digits. What an LLM says comes in pieces and in any language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import inf

# Where a sentence ends -----------------------------------------------------------------------------------------------

_STOPS = "。！？｡।॥۔؟።፧։។៕။"  # end a sentence whatever follows: no number and no abbreviation has them
_QUOTES = "\"'”’»“«)\\]」』）】》"
_END_TAG = r"</[A-Za-z][^<>]*>|<[A-Za-z][^<>]*/>"
# French parts its » from the words, by a blank; a German » begins a quotation and stands at its word.
_CLOSERS = rf"(?:[{_QUOTES}]|{_END_TAG}|[ \u00a0\u202f]»(?=\s|$))*+"
_LINE = r"\S(?=[^\S\n]*\n)"
_END = re.compile(
    rf"{_LINE}"
    rf"|[{_STOPS}][{_STOPS}.!?…]*+{_CLOSERS}(?=[\s\S])"
    rf"|．{_CLOSERS}(?=(\S))"
    rf"|[.!?…]++{_CLOSERS}(?=\s+(\S))"
)
_ENDED = re.compile(rf"[.!?…．{_STOPS}]{_CLOSERS}\s*$")
_THAI = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # and Lao, Burmese, Khmer: a blank parts clauses there, not words
_CLAUSE = re.compile(rf"[,;:—–،؛]{_CLOSERS}(?=\s)|[、，；：]|[{_THAI}](?=\s+[{_THAI}])")

# Where it only looks like it -----------------------------------------------------------------------------------------

_LAST_WORD = re.compile(r"([^\s(\"'“‘«<>]+)[.．]$")
_HALVES = re.compile(r"[ap]\.m", re.IGNORECASE)  # of the day: as often as not the last word of a sentence
_INITIALS = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]|(?![IiЯя])[^\W\d_]")
_ABBREVIATION = re.compile(
    r"approx|avda?|bzw|capt|ca|cf|col|dott|dr|dra|ex|fr|gen|gov|herr|hon|incl|lt|messrs|mgr|mlle|mme|mr|mrs|ms|mx|"
    r"nr|pp|pres|prof|profa?|rep|rev|sen|sgt|sig|sra?|srta|st|ste|tel|uds?|usw|vgl|vs|zb|"
    r"г-н|г-жа|гл|им|проф|стр|ул|डॉ|प्रो|श्री",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"art|ch|fig|nos?|núm|n°|sec|vol", re.IGNORECASE)
_MONTHS = re.split(" ", "januar februar märz april mai juni juli august september oktober november dezember")
_LIST_NUMBER = re.compile(r"[\s\-*]*\d+[.)]$")

# What is not to be cut at all ----------------------------------------------------------------------------------------

_PAIRED = "audio|desc|emphasis|lang|media|p|par|phoneme|prosody|s|say-as|seq|speak|sub|token|voice|w|[A-Za-z]+:[\\w.-]+"
_TAG = re.compile(rf"<(?P<end>/?)(?:(?P<paired>{_PAIRED})(?![\w:-])|[A-Za-z])[^<>]*?(?P<empty>/?)>|<[/A-Za-z][^<>]*$")

_SHORTEST = 12  # characters of a first clause that is worth saying by itself
_LONGEST = 300  # characters of a sentence; more are too much for some a TTS, and late for the ear


def sentences(text: str, *, first: bool = False) -> tuple[list[str], str]:
    """Cut the sentences that are complete off a text that goes on.

    White space goes with what follows it. What ends a sentence is known once it is seen how the text goes on: not at
    3.5, nor at Dr. or e.g., nor where a small letter follows. Nothing is cut within a paired SSML element. A sentence
    that is far too long is cut where it can be.

    Args:
        text: what has come so far.
        first: whether a clause is enough if no sentence is complete. Default False.

    Returns:
        The sentences, and the rest; together they are the text.
    """
    elements = list(_elements(text))
    pieces: list[str] = []
    begin = 0
    for match in _END.finditer(text):
        cut = match.end()
        if _is_between(cut, elements) and not _goes_on(text[begin:cut], text[cut:], match[1] or match[2]):
            pieces.append(text[begin:cut])
            begin = cut
    if first and not pieces:
        for match in _CLAUSE.finditer(text):
            if len(text[: match.end()].strip()) >= _SHORTEST and _is_between(match.end(), elements):
                return [text[: match.end()]], text[match.end() :]
    if elements:
        return pieces, text[begin:]
    *more, rest = _cut_to_length(text[begin:])
    return [short for piece in pieces for short in _cut_to_length(piece)] + more, rest


def ends_sentence(text: str) -> bool:
    """Whether the text may be complete as it stands: not after a number or an abbreviation, which may go on."""
    end = _ENDED.search(text)
    if end is None or not _is_between(len(text), list(_elements(text))):
        return False
    sentence = text.rstrip()
    last = _LAST_WORD.search(sentence)
    return last is None or not (last[1][-1].isdigit() or _is_abbreviation(last[1]))


def without_tags(text: str) -> str:
    """The text without SSML: what of it is words."""
    return _TAG.sub("", text) if "<" in text else text


def _cut_to_length(text: str) -> list[str]:
    """The text in parts that are not too long: up to a comma if there is one, else up to a space."""
    parts: list[str] = []
    while len(text) > _LONGEST:
        window = text[:_LONGEST]
        clauses = [match.end() for match in _CLAUSE.finditer(window)]
        cut = clauses[-1] if clauses else max(window.rstrip().rfind(" "), 0) or _LONGEST
        parts.append(window[:cut])
        text = text[cut:]
    return [*parts, text]


def _goes_on(sentence: str, rest: str, following: str | None) -> bool:
    """Whether the sentence does not end where it looks like it."""
    if following is None:
        return False
    if following.islower():
        return True
    last = _LAST_WORD.search(sentence)
    if last is None:
        return False
    word = last[1]
    if word[-1].isdigit() and rest[:1].isdigit():
        return True  # a decimal in full-width digits
    return (
        _is_abbreviation(word)
        or (following.isdigit() and _NUMBERED.fullmatch(word) is not None)
        or (word.isdigit() and (_LIST_NUMBER.fullmatch(sentence) is not None or _may_be_month(rest)))
    )


def _is_abbreviation(word: str) -> bool:
    if _HALVES.fullmatch(word):
        return False
    return _ABBREVIATION.fullmatch(word) is not None or _INITIALS.fullmatch(word) is not None


def _may_be_month(rest: str) -> bool:
    """Whether a German month follows, or what has come of a word may become one: "am 3. Mai"."""
    word = rest.split()[0].strip(".,;:!?").lower()
    complete = len(rest.split()) > 1 or rest[-1:].isspace()
    return word in _MONTHS or (not complete and any(month.startswith(word) for month in _MONTHS))


def _elements(text: str) -> Iterator[tuple[int, float]]:
    """Where the SSML elements begin and end, the outermost; one that is not closed yet has no end."""
    if "<" not in text:
        return
    depth, begin = 0, 0
    for match in _TAG.finditer(text):
        whole = match[0].endswith(">")
        if not depth:
            begin = match.start()
        if match["paired"] and whole and not match["empty"]:
            depth = max(depth - 1, 0) if match["end"] else depth + 1
        if not whole:
            yield begin, inf
            return
        if not depth:
            yield begin, match.end()
    if depth:
        yield begin, inf


def _is_between(cut: int, elements: list[tuple[int, float]]) -> bool:
    """Whether no element is cut there."""
    return not any(begin < cut < end for begin, end in elements)
