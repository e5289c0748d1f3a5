"""The parameters and commands that `/v2/listen` takes, and how it refuses others: Flux's rules, as the server has them.

Written down independently of `turnkit.wire`, so that a client's checks are tested against something else than
themselves. Sources: https://developers.deepgram.com/docs/flux/configuration, /flux/configure, /flux/language-prompting
and /docs/errors.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import msgspec

_MODELS = ("flux-general-en", "flux-general-multi")
_WIDTHS = {"linear16": 2, "linear32": 4, "mulaw": 1, "alaw": 1}
_OPUS = ("opus", "ogg-opus")
_RATES = (8000, 16000, 24000, 44100, 48000)
_LANGUAGES = frozenset(["en", "es", "fr", "de", "hi", "ru", "pt", "ja", "it", "nl"])
_REPEATABLE = frozenset({"keyterm", "language_hint", "tag", "redact"})
UNSETTLED = ("profanity_filter",)
"""The fields that Flux reports after a Configure, and that no source says it takes in one."""

_NUMBER = re.compile(r"\d+(\.\d*)?|\.\d+", re.ASCII)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What is in force on a connection: the query parameters, then whatever Configure has changed.

    Attributes:
        model: the name of the Flux model.
        encoding: of raw audio; None for a container that says so itself. Default "linear16".
        sample_rate: of raw audio, in Hz; None for a container that says so itself. Default 16000.
        bytes_per_second: of raw audio; None for Opus, and for a container that says so itself. Default 32000.
        eot_threshold: 0.5 to 1.0. Default 0.7.
        eager_eot_threshold: 0.3 to 0.9. Default None: eager mode is off.
        eot_timeout_ms: milliseconds. Default 5000.
        keyterms: words to expect. Default none.
        language_hints: of the multilingual model. Default none.
        profanity_filter: whether it is on. Default False.
        numerals: whether numbers come as digits. Default False.
    """

    model: str = "flux-general-en"
    encoding: str | None = "linear16"
    sample_rate: int | None = 16000
    bytes_per_second: int | None = 32000
    eot_threshold: float = 0.7
    eager_eot_threshold: float | None = None
    eot_timeout_ms: int = 5000
    keyterms: tuple[str, ...] = ()
    language_hints: tuple[str, ...] = ()
    profanity_filter: bool = False
    numerals: bool = False

    @property
    def multilingual(self) -> bool:
        """Whether the model is the one that detects languages."""
        return self.model == "flux-general-multi"

    def describe(self) -> dict[str, Any]:
        """The ConfigureSuccess that reports these settings, whole; `request_id` and `sequence_id` are not its own."""
        hints = {"language_hints": list(self.language_hints)} if self.multilingual else {}
        return {
            "type": "ConfigureSuccess",
            "thresholds": {
                "eot_threshold": self.eot_threshold,
                "eager_eot_threshold": self.eager_eot_threshold,
                "eot_timeout_ms": self.eot_timeout_ms,
            },
            "keyterms": list(self.keyterms),
            **hints,
            "profanity_filter": self.profanity_filter,
            "numerals": self.numerals,
        }


class Refused(Exception):
    """An upgrade that Flux answers with an HTTP error.

    Attributes:
        status: the HTTP status.
        body: of the response, without the request id.
    """

    def __init__(self, status: int, body: dict[str, str]) -> None:
        super().__init__(status)
        self.status = status
        self.body = body

    @property
    def code(self) -> str:
        """Flux's word for it, from either of its two kinds of body."""
        return self.body.get("err_code") or self.body.get("code", "")

    @property
    def reason(self) -> str:
        """Flux's sentence about it."""
        return self.body.get("err_msg") or self.body.get("description", "")


class Unparsable(Exception):
    """A text frame that Flux cannot read; the message is Flux's, and the connection ends."""


class Unacceptable(Exception):
    """A Configure that Flux reads and refuses; nothing changes.

    Attributes:
        code: Flux's word for it.
        description: Flux's sentence about it.
    """

    def __init__(self, code: str, description: str) -> None:
        super().__init__(code, description)
        self.code = code
        self.description = description


# The query --------------------------------------------------------------------------------------------------------


def read_query(query: str) -> Settings:
    """The settings that a query string asks for. Raises Refused with Flux's status and body."""
    values: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in _READERS:
            raise _bad_query(f"unknown field `{name}`")
        if name in values and name not in _REPEATABLE:
            raise _bad_query(f"duplicate field `{name}`")
        values.setdefault(name, []).append(value)
    if "model" not in values:
        raise _bad_query("missing field `model`")
    if values["model"][0] not in _MODELS:
        raise Refused(
            403,
            {
                "err_code": "INSUFFICIENT_PERMISSIONS",
                "err_msg": "Project does not have access to the requested model.",
            },
        )
    read = {name: [_READERS[name](name, item) for item in items] for name, items in values.items()}
    model: str = read["model"][0]
    _check_hints(model, tuple(read.get("language_hint", ())))
    keyterms = tuple(read.get("keyterm", ()))
    if len(keyterms) > 100 or sum(len(term.split()) for term in keyterms) > 500:
        raise _bad_query("Keyterm limit exceeded")
    eot, eager = _one(read, "eot_threshold", 0.7), _one(read, "eager_eot_threshold", None)
    if eager is not None and eager > eot:
        raise _bad_query(f"eager_eot_threshold ({eager}) must not exceed eot_threshold ({eot})")
    return Settings(
        model=model,
        encoding=_one(read, "encoding", None),
        sample_rate=_one(read, "sample_rate", None),
        bytes_per_second=_bytes_per_second(_one(read, "encoding", None), _one(read, "sample_rate", None)),
        eot_threshold=eot,
        eager_eot_threshold=eager,
        eot_timeout_ms=_one(read, "eot_timeout_ms", 5000),
        keyterms=keyterms,
        language_hints=tuple(read.get("language_hint", ())),
        profanity_filter=_one(read, "profanity_filter", False),
        numerals=_one(read, "numerals", False),
    )


def _one(read: dict[str, list[Any]], name: str, default: Any) -> Any:
    return read[name][0] if name in read else default


def _bytes_per_second(encoding: str | None, rate: int | None) -> int | None:
    if encoding is None and rate is None:
        return None
    if encoding is None or rate is None:
        given, missing = ("encoding", "sample_rate") if rate is None else ("sample_rate", "encoding")
        raise _bad_query(f"`{given}` needs `{missing}`; a container needs neither")
    return None if encoding in _OPUS else rate * _WIDTHS[encoding]


def _bad_query(reason: str) -> Refused:
    return Refused(
        400,
        {"err_code": "INVALID_QUERY_PARAMETER", "err_msg": f"Failed to deserialize query parameters: {reason}"},
    )


def _check_hints(model: str, hints: tuple[str, ...]) -> None:
    for hint in hints:
        problem = _hint_problem(model, hint)
        if problem:
            raise Refused(400, {"code": "INVALID_PARAMETER", "description": problem})


def _hint_problem(model: str, hint: str) -> str:
    if model != "flux-general-multi":
        return f"language_hint is not supported for model {model}"
    if hint.split("-")[0].lower() not in _LANGUAGES:
        return f"language_hint {hint!r} is not supported"
    return ""


def _text(_name: str, value: str) -> str:
    return value


def _choice(*allowed: str) -> Callable[[str, str], str]:
    def read(name: str, value: str) -> str:
        if value not in allowed:
            expected = ", ".join(f"`{item}`" for item in allowed)
            raise _bad_query(f"{name}: unknown variant `{value}`, expected one of {expected}")
        return value

    return read


def _flag(name: str, value: str) -> bool:
    if value not in ("true", "false"):
        raise _bad_query(f"{name}: provided string was not `true` or `false`")
    return value == "true"


def _number(low: float, high: float) -> Callable[[str, str], float]:
    def read(name: str, value: str) -> float:
        if not _NUMBER.fullmatch(value):
            raise _bad_query(f"{name}: invalid float literal")
        if not low <= float(value) <= high:
            raise _bad_query(f"{name} must be between {low} and {high}")
        return float(value)

    return read


def _whole(low: int, high: int) -> Callable[[str, str], int]:
    def read(name: str, value: str) -> int:
        if not (value.isascii() and value.isdigit() and len(value) <= 9):
            raise _bad_query(f"{name}: invalid digit found in string")
        if not low <= int(value) <= high:
            raise _bad_query(f"{name} must be between {low} and {high}")
        return int(value)

    return read


def _rate(name: str, value: str) -> int:
    rate = _whole(1, 10**9)(name, value)
    if rate not in _RATES:
        raise _bad_query(f"{name} must be one of {', '.join(map(str, _RATES))}")
    return rate


def _term(name: str, value: str) -> str:
    if not value.strip() or len(value) > 100:
        raise _bad_query(f"{name} must have 1 to 100 characters")
    return value


_READERS: dict[str, Callable[[str, str], Any]] = {
    "model": _text,
    "encoding": _choice(*_WIDTHS, *_OPUS),
    "sample_rate": _rate,
    "eot_threshold": _number(0.5, 1.0),
    "eager_eot_threshold": _number(0.3, 0.9),
    "eot_timeout_ms": _whole(500, 60000),
    "keyterm": _term,
    "language_hint": _text,
    "profanity_filter": _flag,
    "numerals": _flag,
    "redact": _choice("numbers", "aggressive_numbers"),
    "mip_opt_out": _flag,
    "tag": _text,
}


# Commands ---------------------------------------------------------------------------------------------------------


class _Thresholds(msgspec.Struct, forbid_unknown_fields=True):
    eot_threshold: float | None = None
    eager_eot_threshold: float | None = None
    eot_timeout_ms: int | None = None


class _Configure(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="Configure"):
    thresholds: _Thresholds | None = None
    keyterms: list[str] | str | None = None
    language_hints: list[str] | None = None
    numerals: bool | None = None


class _WiderConfigure(_Configure, forbid_unknown_fields=True, tag_field="type", tag="Configure"):
    profanity_filter: bool | None = None


_COMMANDS = ("CloseStream", "Configure", "ForceEndTurn")
_UNREAD = "Could not deserialize last text message: "
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_type = msgspec.json.Decoder(str).decode
_decode_configure = msgspec.json.Decoder(_Configure).decode
_decode_wider = msgspec.json.Decoder(_WiderConfigure).decode


def read_type(text: str) -> str:
    """Which command a text frame carries. Raises Unparsable for anything that is not one of Flux's three."""
    try:
        fields = _decode_object(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise Unparsable(f"{_UNREAD}expected a JSON object") from None
    if "type" not in fields:
        raise Unparsable(f"{_UNREAD}missing field `type`")
    try:
        kind = _decode_type(fields["type"])
    except msgspec.DecodeError:
        raise Unparsable(f"{_UNREAD}invalid type of field `type`, expected a string") from None
    if kind not in _COMMANDS:
        expected = ", ".join(f"`{name}`" for name in _COMMANDS)
        raise Unparsable(f"{_UNREAD}unknown variant `{kind[:50]}`, expected one of {expected}")
    return kind


def configured(settings: Settings, text: str, configurable: frozenset[str] = frozenset()) -> Settings:
    """The settings after a Configure: all it says is taken, or nothing; `configurable` are more fields it may have.

    Raises Unparsable for an unknown field or a wrong type, Unacceptable for a value that Flux refuses.
    """
    try:
        decode = _decode_wider if "profanity_filter" in configurable else _decode_configure
        command = decode(_unquoted(text))
    except (msgspec.DecodeError, RecursionError) as error:
        raise Unparsable(f"{_UNREAD}{error}") from None
    changes: dict[str, Any] = _threshold_changes(command.thresholds or _Thresholds())
    if command.keyterms is not None:
        terms = (command.keyterms,) if isinstance(command.keyterms, str) else tuple(command.keyterms)
        if len(terms) > 100 or any(not term.strip() or len(term) > 100 for term in terms):
            raise Unacceptable("INVALID_PARAMETER", "keyterms: at most 100 terms of 1 to 100 characters")
        changes["keyterms"] = terms
    if command.language_hints is not None:
        for hint in command.language_hints:
            problem = _hint_problem(settings.model, hint)
            if problem:
                raise Unacceptable("INVALID_PARAMETER", problem)
        changes["language_hints"] = tuple(command.language_hints)
    if command.numerals is not None:
        changes["numerals"] = command.numerals
    if isinstance(command, _WiderConfigure) and command.profanity_filter is not None:
        changes["profanity_filter"] = command.profanity_filter
    return msgspec.structs.replace(settings, **changes)


def _unquoted(text: str) -> bytes:
    """The same Configure with thresholds in quotes made numbers: Deepgram's own examples send them so."""
    fields = msgspec.json.decode(text)
    thresholds = fields.get("thresholds")
    if isinstance(thresholds, dict):
        for name, value in thresholds.items():
            if isinstance(value, str) and _NUMBER.fullmatch(value):
                thresholds[name] = int(value) if value.isdigit() else float(value)
    return msgspec.json.encode(fields)


def _threshold_changes(given: _Thresholds) -> dict[str, Any]:
    """What is to change. A member left out keeps its value, and eager is held against eot only if both are given."""
    ranges: dict[str, tuple[float, float]] = {
        "eot_threshold": (0.5, 1.0),
        "eager_eot_threshold": (0.3, 0.9),
        "eot_timeout_ms": (500, 60000),
    }
    changes = {name: getattr(given, name) for name in ranges if getattr(given, name) is not None}
    for name, value in changes.items():
        low, high = ranges[name]
        if not low <= value <= high:
            raise Unacceptable("INVALID_THRESHOLD", f"{name} must be between {low} and {high}, got {value}")
    if "eot_threshold" in changes and changes.get("eager_eot_threshold", 0.0) > changes["eot_threshold"]:
        raise Unacceptable("INVALID_THRESHOLD", "eager_eot_threshold must not exceed eot_threshold")
    return changes
