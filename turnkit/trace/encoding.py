"""Records as JSON that is read back: whatever a host has put into them, no line costs the whole recording."""

from __future__ import annotations

from functools import cache
from math import isfinite
from typing import Any, TypeVar

import msgspec

from ..turns.events import ReplyEnded, TimedWord
from .lines import line_of, record_of

_DEEPEST = 64  # levels of a fact, or of a frame's words: far below what stops a reader

T = TypeVar("T", bound=msgspec.Struct)


def _plain(value: object) -> object:
    """A number or a text of somebody's own type, as what it is."""
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"Encoding objects of type {type(value).__name__} is unsupported")


_encode = msgspec.json.Encoder(enc_hook=_plain).encode
_decode = msgspec.json.Decoder().decode


def encoded(value: object) -> bytes:
    """The JSON of a value; half a surrogate pair in it is replaced, and of a ReplyEnded the error left out."""
    if type(value) is ReplyEnded:
        # An error is no plain value.
        fields: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(value, error=None), enc_hook=_plain)
        del fields["error"]
        value = fields
    try:
        return _encode(value)
    except UnicodeEncodeError:
        # Half a surrogate pair, from a host: no JSON can carry it.
        return _encode(_whole(msgspec.to_builtins(value, enc_hook=_plain)))


def checked(line: bytes) -> bytes:
    """The line, which can be read; raises if it cannot, because one such line would cost the whole recording."""
    record_of(line_of(line), line)
    return line


def plain_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a fact as they will be read back.

    Raises:
        TypeError, ValueError, RecursionError, DecodeError: they would not be.
    """
    plain = msgspec.to_builtins(fields, str_keys=True, enc_hook=_plain)
    _check_plain(plain)
    kept: dict[str, Any] = _decode(encoded(plain))
    return kept


def _check_plain(value: object, depth: int = 0) -> None:
    """Raise ValueError for what JSON writes and does not give back."""
    if depth > _DEEPEST:
        raise ValueError(f"it is nested deeper than {_DEEPEST} levels")
    if isinstance(value, float) and not isfinite(value):
        raise ValueError("NaN and infinities are not")
    if isinstance(value, (dict, list, tuple)):
        for inner in value.values() if isinstance(value, dict) else value:
            _check_plain(inner, depth + 1)


def one_line(words: msgspec.Raw) -> bytes:
    """Flux's words as they came, but on one line, and none where they cannot be read."""
    try:
        plain = _decode(words)
        _check_plain(plain)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return b"[]"
    return _encode(plain)


_PLAIN: dict[type, Any] = {bool: bool, int: int, str: lambda value: str.__str__(str(value))}
_LISTS = {"words": tuple[TimedWord, ...], "languages": tuple[str, ...], "unanswered": tuple[str, ...]}


@cache
def _plain_fields(kind: type[msgspec.Struct]) -> tuple[tuple[str, type], ...]:
    """The fields of a kind of event or signal that are plain values, and what they are declared as."""
    return tuple((field.name, field.type) for field in msgspec.structs.fields(kind) if field.type in _PLAIN)


def fitting(value: T) -> T:
    """The value with fields of the types that they are declared with; lists of what they cannot hold are empty."""
    changes: dict[str, Any] = {}
    for name, meant in _plain_fields(type(value)):
        if type(field := getattr(value, name)) is not meant:
            changes[name] = _PLAIN[meant](field)
            if meant is int and changes[name] != field:
                raise ValueError(name)
    for name in _LISTS.keys() & value.__struct_fields__:
        try:
            changes[name] = msgspec.json.decode(encoded(getattr(value, name)), type=_LISTS[name])
        except (TypeError, ValueError, RecursionError, msgspec.DecodeError):
            changes[name] = ()
    return msgspec.structs.replace(value, **changes) if changes else value


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_whole(name): _whole(item) for name, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, (list, tuple)) else value
