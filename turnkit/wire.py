"""Flux's wire format: frames to messages, messages to events, commands and options to text.

Speaks the contract of Deepgram's `/v2/listen` as of autumn 2026 and tolerates what older and newer deployments send:
unknown types, events, triggers and fields, numbers in quotes, absent fields. It takes no decision about a turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from .checks import check_strings, shown
from .errors import ConfigError, RemoteProtocolError
from .turns.events import COUNTABLE, EagerEndOfTurn, EndOfTurn, StartOfTurn, TimedWord, TurnEvent, TurnResumed, Update

# Messages from Flux -----------------------------------------------------------------------------------------------


class _Message(msgspec.Struct, frozen=True, gc=False, tag_field="type", kw_only=True):
    """What all messages of Flux carry: a connection's `request_id`, and `sequence_id`, a count from 0 (-1: absent)."""

    request_id: str = ""
    sequence_id: int = -1


class Connected(_Message, frozen=True, gc=False, tag="Connected"):
    """The first message: Flux is ready for audio. `request_id` is what Deepgram's support asks for."""


class Word(msgspec.Struct, frozen=True, gc=False):
    """A word of a transcript.

    Attributes:
        word: punctuated and cased.
        confidence: 0 to 1. Default 0.
        start: seconds of stream audio; None where Flux gives none.
        end: seconds of stream audio; None where Flux gives none.
    """

    word: str
    confidence: float = 0.0
    start: float | None = None
    end: float | None = None


class TurnInfo(_Message, frozen=True, gc=False, tag="TurnInfo"):
    """The state of a turn.

    Attributes:
        event: `StartOfTurn`, `Update`, `EagerEndOfTurn`, `TurnResumed`, `EndOfTurn` or newer.
        turn_index: counts the turns of a connection from 0.
        transcript: the whole turn so far.
        end_of_turn_confidence: 0 to 1.
        audio_window_start: seconds of stream audio.
        audio_window_end: seconds of stream audio.
        trigger: of an EndOfTurn; "" where absent.
        languages: that were detected (multilingual model); None where absent.
        languages_hinted: the hints in force (multilingual model); None where absent.
        raw_words: the words as Flux sent them, undecoded; see `words`.
    """

    event: str
    turn_index: int
    transcript: str = ""
    end_of_turn_confidence: float = 0.0
    audio_window_start: float = 0.0
    audio_window_end: float = 0.0
    trigger: str = ""
    languages: tuple[str, ...] | None = None
    languages_hinted: tuple[str, ...] | None = None
    raw_words: msgspec.Raw = msgspec.field(default=msgspec.Raw(b"[]"), name="words")

    @property
    def words(self) -> tuple[Word, ...]:
        """The words with their confidences and times, decoded at each call; empty where Flux sent none it can read."""
        try:
            return _decode_words(self.raw_words)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return ()


class Thresholds(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The end-of-turn settings in force, or to be changed: None leaves one as it is (or means it is off).

    Attributes:
        eot_threshold: 0.5 to 1.0.
        eager_eot_threshold: 0.3 to 0.9 and at most `eot_threshold`.
        eot_timeout_ms: 500 to 60000 milliseconds.
    """

    eot_threshold: float | None = None
    eager_eot_threshold: float | None = None
    eot_timeout_ms: int | None = None


class ConfigureSuccess(_Message, frozen=True, gc=False, tag="ConfigureSuccess"):
    """Flux took a Configure; the fields are the whole configuration now in force, None where it does not say.

    Attributes:
        thresholds: of the ends of turns.
        keyterms: words that Flux is to expect.
        language_hints: codes such as "en" (multilingual model).
        profanity_filter: whether profanity is masked.
        numerals: whether numbers come as digits.
    """

    thresholds: Thresholds = Thresholds()
    keyterms: tuple[str, ...] | str = ()
    language_hints: tuple[str, ...] | str | None = None
    profanity_filter: bool | None = None
    numerals: bool | None = None


class ConfigureFailure(_Message, frozen=True, gc=False, tag="ConfigureFailure"):
    """Flux refused a Configure: the old configuration stays in force and the stream goes on.

    Attributes:
        code: why, as one word, such as `INVALID_THRESHOLDS`.
        error_code: the same, as some versions of Flux call it.
        description: why, as a sentence.
    """

    code: str = ""
    error_code: str = ""
    description: str = ""


class WarningMessage(_Message, frozen=True, gc=False, tag="Warning"):
    """Flux ignored something, such as a ForceEndTurn without a turn; never fatal.

    Attributes:
        code: what, as one word.
        description: what, as a sentence.
    """

    code: str = ""
    description: str = ""


class ErrorMessage(_Message, frozen=True, gc=False, tag="Error"):
    """Flux gives up on the connection, which closes right after.

    Attributes:
        code: why, as one word, such as `UNPARSABLE_CLIENT_MESSAGE`.
        description: why, as a sentence.
    """

    code: str = ""
    description: str = ""


class Unknown(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A message turnkit cannot read, kept whole so that nothing is lost.

    Attributes:
        type: of the message; "" if it has none.
        problem: what is wrong with it. Default "": its type is merely new.
        raw: what arrived.
    """

    type: str
    problem: str = ""
    raw: Any = None

    def __repr__(self) -> str:
        # `raw` may hold what a caller said; a repr ends up in logs.
        return f"Unknown(type={self.type!r}, problem={self.problem!r})"


Message: TypeAlias = (
    Connected | TurnInfo | ConfigureSuccess | ConfigureFailure | WarningMessage | ErrorMessage | Unknown
)
"""Whatever `decode` gives."""

_Known: TypeAlias = Connected | TurnInfo | ConfigureSuccess | ConfigureFailure | WarningMessage | ErrorMessage

# Not strict: some hosts put numbers in quotes.
_decode_known = msgspec.json.Decoder(_Known, strict=False).decode
_decode_any = msgspec.json.Decoder().decode
_decode_words = msgspec.json.Decoder(tuple[Word, ...], strict=False).decode
_encode = msgspec.json.Encoder().encode
_KNOWN = (Connected, TurnInfo, ConfigureSuccess, ConfigureFailure, WarningMessage, ErrorMessage, Unknown)
_KNOWN_TYPES = frozenset({"Connected", "TurnInfo", "ConfigureSuccess", "ConfigureFailure", "Warning", "Error"})


def decode(data: object) -> Message:
    """Read one message of Flux from whatever carries it.

    Numbers in quotes are read as numbers, unknown fields skipped. A type that is not known, a known one whose fields do
    not fit, and None become `Unknown`.

    Args:
        data: JSON text or bytes, a mapping, an object of Deepgram's SDK (its attributes and extras), a message already
            decoded, or None (what SDK 7.8 makes of a type it does not know).

    Returns:
        The message.

    Raises:
        RemoteProtocolError: if text or bytes are no JSON object, or `data` is none of the above.
    """
    if isinstance(data, (bytes, str)):
        try:
            message: Message = _decode_known(data)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            return _read_unknown(data, error)
        except TypeError:  # msgspec reads no subclass of str
            return decode(str.__str__(data))
        if type(message) is not TurnInfo:
            return message
        # `_has_usable_numbers`, without the call: this is every message.
        total = message.end_of_turn_confidence + message.audio_window_end + message.audio_window_start
        usable = isfinite(total) and -COUNTABLE < message.turn_index < COUNTABLE
        return message if usable else _unusable_numbers(data)
    if isinstance(data, _KNOWN):
        return data
    if isinstance(data, (bytearray, memoryview)):
        return decode(bytes(data))
    if data is None:
        return Unknown(type="", problem="None instead of a message")
    try:
        # SDKs put None into every field that Flux left out.
        fields = {name: value for name, value in _fields(data).items() if value is not None}
    except RemoteProtocolError:
        raise
    except Exception as error:  # whoever made it; what it says may quote what was said
        return Unknown(type="", problem=f"{type(data).__name__} raised {type(error).__name__} when read", raw=data)
    if any(isinstance(value, (bytes, bytearray, memoryview)) for value in fields.values()):
        return _unreadable(fields, "bytes where a text or a number should be", data)
    try:
        message = _decode_known(_encode_nested(fields))
    except (msgspec.DecodeError, RecursionError) as error:
        return _unreadable(fields, str(error), data)
    except (TypeError, ValueError) as error:
        return _unreadable(fields, f"{type(error).__name__} as JSON", data)
    return message if type(message) is not TurnInfo or _has_usable_numbers(message) else _unusable_numbers(data)


def _has_usable_numbers(message: TurnInfo) -> bool:
    """Whether the numbers can be reckoned with: strings such as "NaN" are read as numbers too."""
    total = message.end_of_turn_confidence + message.audio_window_end + message.audio_window_start
    return isfinite(total) and -COUNTABLE < message.turn_index < COUNTABLE


def _read_unknown(data: str | bytes, error: Exception) -> Message:
    try:
        fields = _decode_any(data)
    except RecursionError:
        if data.lstrip()[:1] in ("{", b"{"):
            return Unknown(type="", problem="nested too deeply", raw=data)
        fields = None
    except (msgspec.DecodeError, UnicodeError):
        fields = None
    if not isinstance(fields, dict):
        raise RemoteProtocolError(
            f"a frame of {len(data)} {'bytes' if isinstance(data, bytes) else 'characters'} is not a JSON object; "
            "Flux sends nothing else, so the other side is not Flux or the frame was damaged"
        ) from None
    if None in fields.values():
        message = decode(fields)
        return message if type(message) is not Unknown else _unreadable(fields, message.problem, data)
    return _unreadable(fields, str(error), data)


def _unreadable(fields: Mapping[str, Any], problem: str, raw: object) -> Unknown:
    kind = fields.get("type")
    if not isinstance(kind, str):
        return Unknown(type="", problem="no type", raw=raw)
    if problem.endswith("`$.type`"):  # which quotes the other one, and that may be any text
        problem = "two types"
    return Unknown(type=kind, problem=problem if kind in _KNOWN_TYPES else "", raw=raw)


def _unusable_numbers(raw: object) -> Unknown:
    return Unknown(type="TurnInfo", problem="a number is not finite, or too large", raw=raw)


def _fields(data: object) -> Mapping[str, Any]:
    """The fields of a mapping, or of an object as Deepgram's SDK makes them: its attributes, then its extras."""
    if isinstance(data, Mapping):
        return dict(data)
    dump = getattr(data, "model_dump", None)
    fields = dump() if callable(dump) else getattr(data, "__dict__", None)
    if not isinstance(fields, Mapping):
        raise RemoteProtocolError(
            f"{type(data).__name__} is no message of Flux: expected JSON text or bytes, a mapping, or an SDK object"
        )
    extras = getattr(data, "model_extra", None)
    found = {name: value for name, value in fields.items() if not (isinstance(name, str) and name.startswith("_"))}
    return {**found, **extras} if isinstance(extras, Mapping) else found


def _nested_fields(value: object) -> Mapping[str, Any]:
    """What a message of an SDK nests, such as its words."""
    try:
        return _fields(value)
    except RemoteProtocolError as error:
        raise TypeError(str(error)) from None
    except Exception as error:
        raise TypeError(f"{type(value).__name__} raised {type(error).__name__}") from None


_encode_nested = msgspec.json.Encoder(enc_hook=_nested_fields).encode


WORDLESS_EVENTS: dict[str, type[StartOfTurn | Update | TurnResumed]] = {
    "Update": Update,
    "StartOfTurn": StartOfTurn,
    "TurnResumed": TurnResumed,
}
"""The events that are told without the times of their words, by the names that Flux has for them."""


def to_event(message: Message) -> TurnEvent | None:
    """The turn event that a `message` reports; None for all else, also for an event that turnkit does not know.

    The words of an eager end and of an end are decoded, those of other events are not: they come again with the end.
    """
    if type(message) is not TurnInfo:
        return None
    event = WORDLESS_EVENTS.get(message.event)
    if event is not None:
        return event(message.turn_index, message.transcript, message.end_of_turn_confidence, message.audio_window_end)
    if message.event == "EndOfTurn":
        return EndOfTurn(
            message.turn_index,
            message.transcript,
            message.end_of_turn_confidence,
            message.audio_window_end,
            message.trigger,
            _timed(message.words),
            message.languages or (),
        )
    if message.event == "EagerEndOfTurn":
        return EagerEndOfTurn(
            message.turn_index,
            message.transcript,
            message.end_of_turn_confidence,
            message.audio_window_end,
            _timed(message.words),
            message.languages or (),
        )
    return None


def _timed(words: tuple[Word, ...]) -> tuple[TimedWord, ...]:
    timed, total = [], 0.0
    for word in words:
        total += word.confidence + (word.start or 0.0) + (word.end or 0.0)
        timed.append(TimedWord(word.word, word.start, word.end, word.confidence))
    if not isfinite(total):
        timed = [
            TimedWord(word.word, _second(word.start), _second(word.end), _second(word.confidence) or 0.0)
            for word in words
        ]
    return tuple(timed)


def _second(value: float | None) -> float | None:
    # Strings such as "NaN" are read as numbers too.
    return value if value is not None and isfinite(value) else None


# Commands to Flux -------------------------------------------------------------------------------------------------

Strings: TypeAlias = str | Iterable[str]
"""What settings of several strings take: one, or any iterable of them."""


class CloseStream(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag=True):
    """The wish to close: Flux decodes what it has, sends the last Updates, closes; an open turn gets no EndOfTurn."""


class ForceEndTurn(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag=True):
    """The wish to end the open turn on its words; answered by an EndOfTurn `manual`, or a Warning if none is open."""


class Configure(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag=True, omit_defaults=True):
    """A change of settings in mid-stream, in order with the audio; None keeps a setting, an empty list clears it.

    Attributes:
        thresholds: Flux checks `eager_eot_threshold` against `eot_threshold` if both are given; eager mode cannot be
            switched off again.
        keyterms: at most 100, of 1 to 100 characters each; one, or any iterable of them, kept as a tuple.
        language_hints: codes such as "en" or "en-GB" (multilingual model); one, or any iterable of them likewise.
        numerals: whether numbers come as digits.

    Raises:
        ConfigError: for what Flux would refuse.
    """

    thresholds: Thresholds | None = None
    keyterms: tuple[str, ...] | None = None
    language_hints: tuple[str, ...] | None = None
    numerals: bool | None = None

    if TYPE_CHECKING:  # more is taken than is kept

        def __init__(
            self,
            thresholds: Thresholds | None = None,
            keyterms: Strings | None = None,
            language_hints: Strings | None = None,
            numerals: bool | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        if self.thresholds is not None:
            if not isinstance(self.thresholds, Thresholds):
                raise ConfigError(f"thresholds={self.thresholds!r}: must be Thresholds(...)")
            _check_thresholds(self.thresholds)
        if self.keyterms is not None:
            _check_keyterms("keyterms", _kept(self, "keyterms"))
        if self.language_hints is not None:
            _check_languages("language_hints", _kept(self, "language_hints"))
        if self.numerals is not None:
            _check_flag("numerals", self.numerals)


Command: TypeAlias = CloseStream | Configure | ForceEndTurn


def encode(command: Command) -> str:
    """The text frame that carries a `command`."""
    return _encode(command).decode()


# Options of a connection ------------------------------------------------------------------------------------------

MODELS = ("flux-general-en", "flux-general-multi")
ENCODINGS = ("linear16", "linear32", "mulaw", "alaw", "opus", "ogg-opus")
SAMPLE_RATES = (8000, 16000, 24000, 44100, 48000)
LANGUAGES = ("en", "es", "fr", "de", "hi", "ru", "pt", "ja", "it", "nl")
REDACTIONS = ("numbers", "aggressive_numbers")
DEFAULT_EOT_THRESHOLD = 0.7  # in force where none is given
DEFAULT_EOT_TIMEOUT_MS = 5000


class FluxOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Every query parameter of `/v2/listen`, in Flux's spelling, checked when built.

    None leaves a parameter out, so Flux's default holds. `keyterm`, `language_hint` and `tag` are repeated, one
    parameter a value.

    Attributes:
        model: one of `MODELS`; another passes, because Flux may know it. Default "flux-general-en".
        encoding: one of `ENCODINGS` for raw audio; None, with no `sample_rate` either, for a container. Default
            "linear16".
        sample_rate: one of `SAMPLE_RATES`, in Hz. Default 16000.
        eot_threshold: 0.5 to 1.0. Default None: 0.7.
        eager_eot_threshold: 0.3 to 0.9 and at most `eot_threshold`. Default None: eager mode is off.
        eot_timeout_ms: 500 to 60000 milliseconds. Default None: 5000.
        keyterm: words to expect, at most 100 of 1 to 100 characters; here as for `language_hint` and `tag`, one string
            or any iterable of them, kept as a tuple (a set in the order of the alphabet). Default none.
        language_hint: codes such as "en" or "en-GB" (flux-general-multi only). Default none.
        profanity_filter: whether profanity is filtered. Default None.
        numerals: whether numbers come as digits. Default None.
        redact: one of `REDACTIONS`. Default None.
        mip_opt_out: whether to opt out of Deepgram's Model Improvement Program. Default None.
        tag: labels of the request, 1 to 128 characters each. Default none.

    Raises:
        ConfigError: naming the field, the value and the rule.
    """

    model: str = "flux-general-en"
    encoding: str | None = "linear16"
    sample_rate: int | None = 16000
    eot_threshold: float | None = None
    eager_eot_threshold: float | None = None
    eot_timeout_ms: int | None = None
    keyterm: tuple[str, ...] = ()
    language_hint: tuple[str, ...] = ()
    profanity_filter: bool | None = None
    numerals: bool | None = None
    redact: str | None = None
    mip_opt_out: bool | None = None
    tag: tuple[str, ...] = ()

    if TYPE_CHECKING:  # more is taken than is kept

        def __init__(
            self,
            *,
            model: str = "flux-general-en",
            encoding: str | None = "linear16",
            sample_rate: int | None = 16000,
            eot_threshold: float | None = None,
            eager_eot_threshold: float | None = None,
            eot_timeout_ms: int | None = None,
            keyterm: Strings = (),
            language_hint: Strings = (),
            profanity_filter: bool | None = None,
            numerals: bool | None = None,
            redact: str | None = None,
            mip_opt_out: bool | None = None,
            tag: Strings = (),
        ) -> None: ...

    def __post_init__(self) -> None:
        if not isinstance(self.model, str) or not self.model.strip():
            raise ConfigError(f"model={self.model!r}: must be the name of a Flux model, such as {MODELS[0]!r}")
        self._check_audio()
        _check_thresholds(Thresholds(self.eot_threshold, self.eager_eot_threshold, self.eot_timeout_ms), default=True)
        _check_keyterms("keyterm", _kept(self, "keyterm"))
        _check_languages("language_hint", _kept(self, "language_hint"))
        if self.language_hint and self.model == "flux-general-en":
            raise ConfigError(
                f"language_hint={self.language_hint!r}: only flux-general-multi takes hints, not {self.model!r}"
            )
        for name in ("profanity_filter", "numerals", "mip_opt_out"):
            _check_flag(name, getattr(self, name))
        if self.redact is not None and self.redact not in REDACTIONS:
            raise ConfigError(f"redact={self.redact!r}: must be one of {', '.join(REDACTIONS)}")
        for tag in _kept(self, "tag"):
            if not 1 <= len(tag) <= 128:
                raise ConfigError(f"tag={tag!r}: must have 1 to 128 characters, has {len(tag)}")

    def _check_audio(self) -> None:
        if (self.encoding is None) != (self.sample_rate is None):
            raise ConfigError(
                f"encoding={self.encoding!r}, sample_rate={shown(self.sample_rate)}: give both for raw audio, "
                "neither for a container such as WAV or Ogg"
            )
        if self.encoding is not None and self.encoding not in ENCODINGS:
            raise ConfigError(f"encoding={self.encoding!r}: must be one of {', '.join(ENCODINGS)}")
        if self.sample_rate is not None and (type(self.sample_rate) is not int or self.sample_rate not in SAMPLE_RATES):
            raise ConfigError(
                f"sample_rate={shown(self.sample_rate)}: must be one of {', '.join(map(str, SAMPLE_RATES))} (Hz)"
            )

    def to_query(self) -> str:
        """The query string, without the question mark."""
        # Here, because a tenth of the time it takes to import turnkit would go to it.
        from urllib.parse import urlencode

        values = [(name, getattr(self, name)) for name in self.__struct_fields__]
        items = [(name, item) for name, value in values for item in (value if isinstance(value, tuple) else (value,))]
        return urlencode(
            [
                (name, str(item).lower() if isinstance(item, bool) else str(item))
                for name, item in items
                if item is not None
            ]
        )

    def updated(self, configured: ConfigureSuccess) -> FluxOptions:
        """These options with what Flux says is in force after a Configure, in `configured`."""
        changes: dict[str, Any] = {
            name: value for name, value in msgspec.structs.asdict(configured.thresholds).items() if value is not None
        }
        changes["keyterm"] = configured.keyterms
        if configured.language_hints is not None:
            changes["language_hint"] = configured.language_hints
        for name in ("profanity_filter", "numerals"):
            if getattr(configured, name) is not None:
                changes[name] = getattr(configured, name)
        return msgspec.structs.replace(self, **changes)


def _check_thresholds(given: Thresholds, *, default: bool = False) -> None:
    """`default`: an `eot_threshold` that is not given is known to be Flux's default."""
    _check_number("eot_threshold", given.eot_threshold, 0.5, 1.0)
    _check_number("eager_eot_threshold", given.eager_eot_threshold, 0.3, 0.9)
    _check_number("eot_timeout_ms", given.eot_timeout_ms, 500, 60000, whole=True)
    ceiling = DEFAULT_EOT_THRESHOLD if given.eot_threshold is None and default else given.eot_threshold
    if given.eager_eot_threshold is not None and ceiling is not None and given.eager_eot_threshold > ceiling:
        raise ConfigError(
            f"eager_eot_threshold={given.eager_eot_threshold!r}: must be at most eot_threshold, which is {ceiling!r}"
            + (" unless given" if given.eot_threshold is None else "")
        )


def _check_number(name: str, value: float | None, low: float, high: float, *, whole: bool = False) -> None:
    if value is None:
        return
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
        kind = "a whole number" if whole else "a number"
        raise ConfigError(f"{name}={shown(value)}: must be {kind} from {low} to {high}")


def _check_flag(name: str, value: object) -> None:
    if value is not None and not isinstance(value, bool):
        raise ConfigError(f"{name}={shown(value)}: must be True or False")


def _kept(options: msgspec.Struct, name: str) -> tuple[str, ...]:
    """The strings that were given for a field, which keeps them as a tuple from now on."""
    strings = check_strings(name, getattr(options, name))
    msgspec.structs.force_setattr(options, name, strings)
    return strings


def _check_keyterms(name: str, terms: tuple[str, ...]) -> None:
    if len(terms) > 100:
        raise ConfigError(f"{name}: must be at most 100 terms, got {len(terms)}")
    for term in terms:
        if not term.strip() or len(term) > 100:
            raise ConfigError(f"{name}={term!r}: a term must have 1 to 100 characters and not be blank")


def _check_languages(name: str, codes: tuple[str, ...]) -> None:
    for code in codes:
        if code.split("-")[0].lower() not in LANGUAGES:
            raise ConfigError(
                f"{name}={code!r}: must be one of {', '.join(LANGUAGES)}, optionally with a region such as en-GB"
            )
