"""Sentences of a text that is still coming: what of it can be said already."""

from __future__ import annotations

import re

_CLOSERS = "\"'”’»)\\]」』）"
_END = re.compile(rf"\S(?=[^\S\n]*\n)|[。！？]+[{_CLOSERS}]*|[.!?…]+[{_CLOSERS}]*(?=\s+(\S))")
_ENDED = re.compile(rf"[.!?…。！？][{_CLOSERS}]*\s*$")
_CLAUSE = re.compile(rf"[,;:—–][{_CLOSERS}]*(?=\s)|[、，；：]")
_LAST_WORD = re.compile(r"([^\s(\"'“‘«]+)\.$")
_INITIALS = re.compile(r"(?:[A-Z]\.)+[A-Z]|[A-HJ-Z]")
_ABBREVIATION = re.compile(
    r"approx|bzw|capt|cf|col|dr|e\.g|fr|gen|gov|herr|hon|i\.e|lt|messrs|mlle|mme|mr|mrs|ms|"
    r"mx|pres|prof|rep|rev|sen|sgt|sra|st|vs|z\.b",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"art|ch|fig|nos?|nr|pp?|sec|vol", re.IGNORECASE)
_SHORTEST = 12  # characters of a first clause that is worth saying by itself
_LONGEST = 300  # characters of a sentence; more are too much for some a TTS, and late for the ear


def sentences(text: str, *, first: bool = False) -> tuple[list[str], str]:
    """Cut the sentences that are complete off a text that goes on.

    White space goes with what follows it. What ends a sentence is known once it is seen how the text goes on: not at
    3.5, nor at Dr. or e.g., nor where a small letter follows. A sentence that is far too long is cut where it can be.

    Args:
        text: what has come so far.
        first: whether a clause is enough if no sentence is complete. Default False.

    Returns:
        The sentences, and the rest; together they are the text.
    """
    pieces: list[str] = []
    begin = 0
    for match in _END.finditer(text):
        if match[1] is None or not _goes_on(text[begin : match.end()], match[1]):
            pieces.append(text[begin : match.end()])
            begin = match.end()
    if first and not pieces:
        for match in _CLAUSE.finditer(text):
            if len(text[: match.end()].strip()) >= _SHORTEST:
                return [text[: match.end()]], text[match.end() :]
    *more, rest = _cut_to_length(text[begin:])
    return [short for piece in pieces for short in _cut_to_length(piece)] + more, rest


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


def ends_sentence(text: str) -> bool:
    """Whether the text may be complete as it stands."""
    return _ENDED.search(text) is not None


def _goes_on(sentence: str, following: str) -> bool:
    """Whether the sentence does not end where it looks like it."""
    if following.islower():
        return True
    last = _LAST_WORD.search(sentence)
    if last is None:
        return False
    word = last[1]
    return (
        _ABBREVIATION.fullmatch(word) is not None
        or _INITIALS.fullmatch(word) is not None
        or (following.isdigit() and _NUMBERED.fullmatch(word) is not None)
        or (word.isdigit() and word == sentence.strip(" \n.-*"))  # of a numbered list
    )
