"""What the faults do to a message: from one message to those that are sent in its place."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, TypeAlias

import msgspec

from .faults import Fault

Fields: TypeAlias = dict[str, Any]

_PADDING = 1 << 21  # bytes; clients commonly take up to a MiB


class Outgoing(msgspec.Struct):
    """A message to send.

    Attributes:
        fields: of the message.
        text: the message as it may go out, without being written anew. Default "".
        malformed: how a malformed one is to look, one of `MALFORMATIONS`. Default "".
        fragments: how many WebSocket frames it takes. Default 1.
        late: seconds of audio that it is held back. Default 0.
    """

    fields: Fields
    text: str = ""
    malformed: str = ""
    fragments: int = 1
    late: float = 0.0

    def write(self) -> str | bytes | list[str]:
        """The frame, or its fragments."""
        text = self.text or msgspec.json.encode(self.fields).decode()
        if self.malformed:
            return _malform(self.fields, text, self.malformed)
        if self.fragments > 1:
            # The WebSocket library ends a fragmented message with an empty frame of its own.
            cuts = [len(text) * part // (self.fragments - 1) for part in range(self.fragments)]
            return [text[start:end] for start, end in pairwise(cuts)]
        return text

    @property
    def covers(self) -> float:
        """The second of audio up to which a client that reads it takes its audio for heard."""
        end = self.fields.get("audio_window_end", 0.0)
        return float(end) if not self.malformed and isinstance(end, (int, float, str)) else 0.0

    @property
    def tells(self) -> float | None:
        """The second at which the last of its words ends, at the latest where it covers; None if it has none."""
        words = self.fields.get("words")
        if self.malformed or not words:
            return None
        return min(self.covers, float(words[-1].get("end", self.covers)))


def _malform(fields: Fields, text: str, how: str) -> str | bytes:
    if how == "text":
        return "upstream connect error or disconnect/reset before headers"
    if how == "cut":
        return text[: len(text) // 2]
    if how == "array":
        return f"[{text}]"
    if how == "binary":
        return bytes(range(256))
    if how == "types":
        wrong = {"event": 7, "turn_index": "first", "transcript": None, "words": "none", "audio_window_end": []}
        return msgspec.json.encode({**fields, **wrong}).decode()
    return msgspec.json.encode({**fields, "padding": "x" * _PADDING}).decode()


Edit: TypeAlias = Callable[[Outgoing, Fault], "list[Outgoing] | None"]


def _changed(item: Outgoing, **changes: Any) -> Outgoing:
    return msgspec.structs.replace(item, fields={**item.fields, **changes}, text="")


def _lose(_item: Outgoing, _fault: Fault) -> list[Outgoing]:
    return []


def _duplicate(item: Outgoing, _fault: Fault) -> list[Outgoing]:
    return [item, msgspec.structs.replace(item)]


def _delay(item: Outgoing, fault: Fault) -> list[Outgoing]:
    return [msgspec.structs.replace(item, late=item.late + float(fault.amount or 0))]


def _as_update(item: Outgoing, _fault: Fault) -> list[Outgoing] | None:
    return [_changed(item, event="Update")] if _event(item) == "StartOfTurn" else None


def _stale_index(item: Outgoing, _fault: Fault) -> list[Outgoing] | None:
    index = item.fields.get("turn_index")
    # There is no turn before the first.
    return [_changed(item, turn_index=index - 1)] if isinstance(index, int) and index else None


def _emptied(event: str) -> Edit:
    def edit(item: Outgoing, _fault: Fault) -> list[Outgoing] | None:
        return [_changed(item, transcript="", words=[])] if _event(item) == event else None

    return edit


def _other_words(item: Outgoing, fault: Fault) -> list[Outgoing] | None:
    said = item.fields.get("transcript") or ""
    other = str(fault.amount)
    if _event(item) != "EndOfTurn" or not said or said.split()[-1].strip(".,?!").casefold() == other.casefold():
        return None
    words = [dict(word) for word in item.fields.get("words") or ()]
    if words:
        words[-1]["word"] = other
    return [_changed(item, transcript=" ".join([*said.split()[:-1], other]), words=words)]


def _waver(item: Outgoing, fault: Fault) -> list[Outgoing] | None:
    if _event(item) != "EagerEndOfTurn":
        return None
    again = [_changed(item, event=event) for event in ("TurnResumed", "EagerEndOfTurn")]
    return [item, *again * int(fault.amount or 1)]


def _split(item: Outgoing, fault: Fault) -> list[Outgoing]:
    return [msgspec.structs.replace(item, fragments=int(fault.amount or 1))]


def _malformed(item: Outgoing, fault: Fault) -> list[Outgoing] | None:
    # Wrong types need fields to put them in.
    if fault.amount == "types" and not _event(item):
        return None
    return [msgspec.structs.replace(item, malformed=str(fault.amount))]


def _unknown_type(item: Outgoing, _fault: Fault) -> list[Outgoing]:
    fields = {"type": "SpeakerChanged", "request_id": item.fields.get("request_id", ""), "speaker": 1, "sequence_id": 0}
    return [Outgoing(fields), item]


def _unknown_event(item: Outgoing, _fault: Fault) -> list[Outgoing] | None:
    return [_changed(item, event="TurnPaused"), item] if _event(item) else None


def _unknown_trigger(item: Outgoing, _fault: Fault) -> list[Outgoing] | None:
    return [_changed(item, trigger="semantic")] if _event(item) == "EndOfTurn" else None


def _event(item: Outgoing) -> str:
    event = item.fields.get("event")
    return event if item.fields.get("type") == "TurnInfo" and isinstance(event, str) and not item.malformed else ""


EDITS: dict[str, Edit] = {
    "lose": _lose,
    "duplicate": _duplicate,
    "delay": _delay,
    "update_first": _as_update,
    "resume_with_update": _as_update,
    "stale_index": _stale_index,
    "empty_start": _emptied("StartOfTurn"),
    "empty_eager": _emptied("EagerEndOfTurn"),
    "empty_end": _emptied("EndOfTurn"),
    "other_words": _other_words,
    "waver": _waver,
    "split": _split,
    "malformed": _malformed,
    "unknown_type": _unknown_type,
    "unknown_event": _unknown_event,
    "unknown_trigger": _unknown_trigger,
}
"""What each fault makes of a message; None if it cannot act on that one. `swap` needs the next message as well."""


# Older hosts: what every message is without --------------------------------------------------------------------------


def _no_trigger(fields: Fields) -> Fields:
    return {name: value for name, value in fields.items() if name != "trigger"}


def _no_word_times(fields: Fields) -> Fields:
    words = [{name: word[name] for name in word if name not in ("start", "end")} for word in fields.get("words") or ()]
    return {**fields, "words": words} if words else fields


def _quoted_numbers(fields: Fields) -> Fields:
    quoted = ("audio_window_start", "audio_window_end", "end_of_turn_confidence")
    changed = {name: str(fields[name]) for name in quoted if isinstance(fields.get(name), (int, float))}
    words = [{**word, "confidence": str(word.get("confidence", 1.0))} for word in fields.get("words") or ()]
    return {**fields, **changed, **({"words": words} if words else {})} if changed else fields


OLD_HOSTS: dict[str, Callable[[Fields], Fields]] = {
    "no_trigger": _no_trigger,
    "no_word_times": _no_word_times,
    "quoted_numbers": _quoted_numbers,
}
"""What lasts from its moment on, message for message."""
