"""Booking: a bot by rule that takes a booking of a table; also from an ear that knows no words, by counting turns."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from typing import Any

from ...session import Reply
from .brain import Brain, counted, understood, words_of

_NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_DAYS = ["today", "tonight", "tomorrow", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_HEARD_AS = {"to": "two", "too": "two", "for": "four", "won": "one", "ate": "eight", "tonite": "tonight"}
_NAMED = re.compile(r"\b(?:name is|name's|name of|under|it's|it is|i'm|i am|this is)(?: the)?(?: name)?(?: of)? (.+)")
_TIME = re.compile(
    rf"\b(half past |quarter past |quarter to )?({'|'.join(_NUMBERS)}|\d\d?)( o'clock| thirty| pm| in the evening)?\b"
)
_AGAIN = {"again", "over", "wrong", "no"}
_YES = {"yes", "yeah", "right", "correct", "perfect", "please", "okay", "ok", "fine", "sure", "good"}
_NOT_A_NAME = {
    "a",
    "the",
    "my",
    "name",
    "is",
    "mister",
    "mr",
    "please",
    "and",
    "of",
    "under",
    "it's",
    "i'm",
    "thank",
    "you",
}

_QUESTIONS = {
    "people": "For how many people?",
    "day": "For which day?",
    "time": "At what time?",
    "name": "Under what name may I book it?",
    "yes": "Is that right?",
}
_PATIENCE = 1  # answers that are asked for again; the one after them is guessed
_DEFAULTS = {"people": "two", "day": "tomorrow", "time": "eight o'clock", "name": "Smith", "yes": "yes"}


class Booking(Brain):
    """Asks for what is missing, and takes it in any order; what was heard is all that it goes by.

    It remembers nothing by itself: what has been said in the call decides, so that a draft that nobody hears, or an
    answer that was interrupted, leaves nothing behind.
    """

    greeting = "Good evening, Chez Rosa. I can book you a table. For how many people?"

    async def answer(self, reply: Reply) -> AsyncGenerator[str, None]:
        """The next thing to say, sentence by sentence."""
        for number, sentence in enumerate(next_sentences(reply.messages)):
            yield sentence if not number else f" {sentence}"


def next_sentences(messages: Iterable[Mapping[str, Any]]) -> list[str]:
    """What is to be said after these messages, the last of which is the caller's."""
    booked: dict[str, str] = {}
    new: dict[str, str] = {}
    words: list[str] = []
    missed = 0
    for message in messages:
        if message["role"] == "user":
            words = words_of(str(message["content"]))
            new = _learned(words, booked)
            missed = 0 if new else missed + 1
            if missed > _PATIENCE and words:
                slot = _asked(booked) or "yes"
                new = {slot: _DEFAULTS[slot]}
            booked = {} if new.get("again") else booked | new
    new.pop("again", None)
    asked = _asked(booked)
    said = _taken(words, new, guessed=missed > _PATIENCE)
    if asked is None:
        return [*said, "Your table is booked. Thank you, and goodbye."]
    if asked == "yes":
        said.append(
            f"That is a table for {booked['people']}, {booked['day']} at {booked['time']}, under {booked['name']}."
        )
    return [*said, _QUESTIONS[asked]]


def _asked(booked: Mapping[str, str]) -> str | None:
    """The slot that is asked for next; None if nothing is missing."""
    return next((slot for slot in _QUESTIONS if slot not in booked), None)


def _taken(words: list[str], new: Mapping[str, str], *, guessed: bool) -> list[str]:
    """What to say about the last turn."""
    if new and words and (guessed or not understood(words)):
        slot, taken = next(iter(new.items()))
        heard = f"I heard {counted(len(words), 'syllable')} and know no words,"
        if guessed:
            heard = "I do not understand it,"
        return [f"{heard} so I take it that it is {taken}." if slot != "yes" else f"{heard} and take it for a yes."]
    if not new:
        return ["Sorry, I did not get that."]
    return ["With pleasure." if "people" in new else "Thank you." if "name" in new else "All right."]


def _learned(words: list[str], booked: Mapping[str, str]) -> dict[str, str]:
    """What a turn tells, by slot."""
    asked = _asked(booked) or "yes"
    known = understood(words)
    if not known:
        return {asked: _DEFAULTS[asked]} if words else {}
    text = " ".join(known)
    if asked == "yes":
        if _AGAIN & set(known):
            return {"again": "yes"}
        return {"yes": "yes"} if _YES & set(known) else {}
    found = {slot: value for slot, read in _READ.items() if (value := read(text, known, asked == slot)) is not None}
    if found.get("people") is not None and found.get("people") == found.get("time", "").removesuffix(" o'clock"):
        found.pop("time" if asked == "people" else "people")  # one number, which was asked for
    return found


def _people(text: str, words: list[str], asked: bool) -> str | None:
    pairs = zip(words, words[1:] or [""], strict=False)
    for before, word in pairs:
        if before in ("for", "of") and (number := _number(word)) is not None:
            return number
        if word in ("people", "persons", "guests") and (number := _number(before)) is not None:
            return number
    if not asked:
        return None
    numbers = [number for word in words if (number := _number(word)) is not None and word not in ("for", "to")]
    return numbers[0] if numbers else _number(words[-1])


def _number(word: str) -> str | None:
    word = _HEARD_AS.get(word, word)
    if word in _NUMBERS:
        return word
    return _NUMBERS[int(word) - 1] if word.isdecimal() and 1 <= int(word) <= 12 else None


def _day(text: str, words: list[str], asked: bool) -> str | None:
    return next((word if word in _DAYS[:3] else word.capitalize() for word in words if word in _DAYS), None)


def _time(text: str, words: list[str], asked: bool) -> str | None:
    for found in _TIME.finditer(text):
        before, number, after = found.groups()
        told = text[: found.start()].endswith("at ") or before or after
        if told or asked:
            hour = _number(number)
            if hour is None:
                continue
            minutes = before or ""
            return f"{minutes}{hour}" if minutes else f"{hour} thirty" if after == " thirty" else f"{hour} o'clock"
    return None


def _name(text: str, words: list[str], asked: bool) -> str | None:
    if found := _NAMED.search(text):
        words = found[1].split()
    elif not asked:
        return None
    names = [
        word
        for word in words
        if word not in _NOT_A_NAME | _YES | _AGAIN and _number(word) is None and word not in _DAYS
    ]
    return " ".join(names[:2]).title() if names and (asked or found) else None


_READ: dict[str, Callable[[str, list[str], bool], str | None]] = {
    "people": _people,
    "day": _day,
    "time": _time,
    "name": _name,
}
