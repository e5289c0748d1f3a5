"""The faults of a simulated Flux: the table of them by name, one fault, and random faults.

    stall                    Flux falls silent in the middle of the first turn
    drop@12.5s               TCP is gone once 12.5 s of audio are there
    close:1011@eager1        closed with 1011 after the first EagerEndOfTurn
    lose@start2/1            the second StartOfTurn is never said, on a call's first connection
    random:0.02              one message in fifty brings a fault, whichever
    random:0.02:stall,drop   one of these two

A fault waits for its moment (see `MOMENTS`), and strikes there or, if it needs another kind of message than the one
named, at the next that it can act on. Several compose, in the order given. Nothing here knows a socket or a clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from math import isfinite
from random import Random
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from ..checks import check_strings
from ..errors import ConfigError
from .fault_moments import Moment

Value: TypeAlias = "str | int | float | None"
Reader: TypeAlias = Callable[[str], Value]
Scope: TypeAlias = Literal["upgrade", "stream", "message", "command"]

_SEPARATORS = set("@/:,")


class FaultKind(msgspec.Struct, frozen=True):
    """What a name in `FAULTS` stands for.

    Attributes:
        summary: what is seen on the wire, in a sentence.
        scope: what it strikes.
        moment: where none is given.
        value: where none is given.
        rule: what the value may be; "" if it takes none.
        read: reads the value; None if it takes none.
    """

    summary: str
    scope: Scope
    moment: str
    value: Value = None
    rule: str = ""
    read: Reader | None = None


# The values that faults take ----------------------------------------------------------------------------------------


def _whole(low: int, high: int) -> Reader:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 9 and low <= int(text) <= high):
            raise ValueError
        return int(text)

    return read


def _seconds(text: str) -> float:
    seconds = float(text) if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII) else -1.0
    if not (isfinite(seconds) and 0 < seconds <= 3600):
        raise ValueError
    return seconds


def _one_of(*allowed: str) -> Reader:
    def read(text: str) -> Value:
        if text not in allowed:
            raise ValueError
        return int(text) if text.isdigit() else text

    return read


def _close_code(text: str) -> Value:
    if text == "none":
        return text
    code = int(text) if text.isascii() and text.isdigit() and len(text) == 4 else 0
    if not (1000 <= code <= 1014 and code not in (1004, 1005, 1006)) and not 3000 <= code <= 4999:
        raise ValueError
    return code


def _word(text: str) -> str:
    if not text or _SEPARATORS & set(text) or len(text.split()) != 1:
        raise ValueError
    return text


STATUSES = {
    400: ("INVALID_QUERY_PARAMETER", "Failed to deserialize query parameters: refused on purpose"),
    401: ("INVALID_AUTH", "Invalid credentials."),
    402: ("ASR_PAYMENT_REQUIRED", "Project does not have enough credits for an ASR request and an overage agreement."),
    403: ("INSUFFICIENT_PERMISSIONS", "Project does not have access to the requested model."),
    429: ("TOO_MANY_REQUESTS", "Too many requests. Please try again later."),
    500: ("INTERNAL_SERVER_ERROR", "An unexpected error occurred."),
    503: ("SERVICE_UNAVAILABLE", "The service is temporarily unavailable."),
}
"""HTTP status: Flux's code and sentence. Source: https://developers.deepgram.com/docs/errors."""

MALFORMATIONS = ("text", "cut", "array", "binary", "types", "huge")

_STATUS_RULE = "one of 400 401 402 403 429 500 503"
_SECONDS_RULE = "seconds above 0, at most 3600"
_read_status = _one_of(*map(str, STATUSES))


# The table ----------------------------------------------------------------------------------------------------------


def _stream(summary: str, moment: str, value: Value = None, rule: str = "", read: Reader | None = None) -> FaultKind:
    return FaultKind(summary, "stream", moment, value, rule, read)


def _message(summary: str, moment: str, value: Value = None, rule: str = "", read: Reader | None = None) -> FaultKind:
    return FaultKind(summary, "message", moment, value, rule, read)


FAULTS: dict[str, FaultKind] = {
    "refuse": FaultKind(
        "The upgrade is answered with this HTTP status and a body of err_code and err_msg.",
        "upgrade",
        "connect",
        503,
        _STATUS_RULE,
        _read_status,
    ),
    "refuse_described": FaultKind(
        "The same with Flux's other body: code and description.",
        "upgrade",
        "connect",
        400,
        _STATUS_RULE,
        _read_status,
    ),
    "no_connected": _stream("The upgrade succeeds and nothing ever comes, not even Connected.", "connected"),
    "stall": _stream("Nothing more is sent; the socket stays healthy and pings are answered.", "turn1.mid"),
    "chatty_stall": _stream("Empty Updates for ever, and the open turn never ends.", "turn1.mid"),
    "deaf": _stream(
        "Nothing more is read, the client's send buffer fills; TCP is cut after so many seconds.",
        "turn1.mid",
        450.0,
        _SECONDS_RULE,
        _seconds,
    ),
    "drop": _stream("TCP is gone without a closing handshake: 1006 to a client.", "turn1.mid"),
    "close": _stream(
        "The connection is closed with this code, or with none (1005 to a client).",
        "turn1.mid",
        1011,
        "none, 1000 to 1014 (1006 is `drop`; 1004 and 1005 cannot be sent) or 3000 to 4999",
        _close_code,
    ),
    "error_then_close": _stream(
        "Flux's Error with this code, then a close without one.",
        "turn1.mid",
        "INTERNAL_SERVER_ERROR",
        "a word without @ / : ,",
        _word,
    ),
    "slow": _stream(
        "From here on every message is so many seconds of audio late; Connected, so many seconds.",
        "connected",
        0.5,
        _SECONDS_RULE,
        _seconds,
    ),
    "burst": _stream(
        "Messages are held back for so many seconds of audio and then come in one go.",
        "turn1.eager",
        1.0,
        _SECONDS_RULE,
        _seconds,
    ),
    "false_start": _stream(
        "Noise: a turn begins with nobody speaking, and ends without words so many seconds of audio later.",
        "turn1.after",
        1.0,
        _SECONDS_RULE,
        _seconds,
    ),
    "skip_index": _stream(
        "From here on turn_index is so much higher.", "turn2.before", 1, "1 to 1000", _whole(1, 1000)
    ),
    "sequence_gap": _stream(
        "So many numbers of sequence_id are skipped: messages were lost on the way.",
        "turn1.mid",
        1,
        "1 to 1000",
        _whole(1, 1000),
    ),
    "no_trigger": _stream("An older host: EndOfTurn has no trigger.", "connected"),
    "no_word_times": _stream("An older host: words have neither start nor end.", "connected"),
    "quoted_numbers": _stream('Windows and confidences come as strings: "0.85".', "connected"),
    "lose": _message("The message is never said; sequence_id shows no gap.", "start1"),
    "duplicate": _message("The message is said twice.", "end1"),
    "delay": _message(
        "The message comes so many seconds of audio late; others overtake it.", "end1", 1.0, _SECONDS_RULE, _seconds
    ),
    "swap": _message("The message and the next one change places.", "eager1"),
    "update_first": _message("A turn without StartOfTurn: an Update comes in its place.", "turn1.start"),
    "resume_with_update": _message(
        "A reconnected stream begins so: as update_first, on the connections of a call after its first.",
        "turn1.start",
    ),
    "stale_index": _message("The message carries the turn_index of the turn before.", "turn2.mid"),
    "empty_start": _message("StartOfTurn without words.", "turn1.start"),
    "empty_eager": _message("EagerEndOfTurn without words.", "turn1.eager"),
    "empty_end": _message("EndOfTurn without words.", "turn1.end"),
    "other_words": _message(
        "EndOfTurn says something else than its EagerEndOfTurn did: its last word is this one.",
        "turn1.end",
        "otherwise",
        "a word without @ / : ,",
        _word,
    ),
    "waver": _message(
        "EagerEndOfTurn is taken back and repeated so many times, with the same words.",
        "turn1.eager",
        1,
        "1 to 100",
        _whole(1, 100),
    ),
    "split": _message("The message comes in so many WebSocket fragments.", "start1", 10, "2 to 1000", _whole(2, 1000)),
    "malformed": _message(
        "The message is spoilt: text that is no JSON, a JSON that is cut or an array, binary rubbish, wrong types, "
        "or 2 MiB of padding.",
        "turn1.mid",
        "text",
        f"one of {' '.join(MALFORMATIONS)}",
        _one_of(*MALFORMATIONS),
    ),
    "unknown_type": _message("A message of a type that nobody knows comes before it.", "turn1.mid"),
    "unknown_event": _message("A TurnInfo with an event that nobody knows comes before it.", "turn1.mid"),
    "unknown_trigger": _message("EndOfTurn has a trigger that nobody knows.", "turn1.end"),
    "configure_refused": FaultKind(
        "Configure is answered with ConfigureFailure and this code; nothing changes.",
        "command",
        "configure1",
        "INVALID_THRESHOLD",
        "a word without @ / : ,",
        _word,
    ),
    "configure_unanswered": FaultKind("Configure is taken, but never answered.", "command", "configure1"),
    "configure_fatal": FaultKind(
        "A host without Configure: Error UNPARSABLE_CLIENT_MESSAGE, and a close without a code.",
        "command",
        "configure1",
    ),
    "force_end_fatal": FaultKind(
        "A host without ForceEndTurn: the same for it; no EndOfTurn has a trigger, and there is no Warning.",
        "command",
        "force1",
    ),
}
"""Every fault by name; the order is that of the lists shown."""

AT_CONNECT = ("refuse", "refuse_described", "stall", "drop", "slow")
"""The faults that can strike the upgrade itself: refused, never answered, cut, answered late."""


# One fault ----------------------------------------------------------------------------------------------------------


class Fault(msgspec.Struct, frozen=True):
    """A fault to inject; `str` gives the text form, `name:value@moment/connection`, which `Fault.parse` reads.

    Attributes:
        name: one of `FAULTS`.
        value: what the fault takes. Default None: its usual one.
        at: the text of a moment. Default "": its usual one.
        connection: which connection of a call has it, counting attempts from 1. Default None: each.

    Raises:
        ConfigError: naming fault, value and rule, for what does not exist or does not go together.
    """

    name: str
    value: Value = None
    at: str = ""
    connection: int | None = None

    def __post_init__(self) -> None:
        kind = FAULTS.get(self.name)
        if kind is None:
            raise ConfigError(f"fault {self.name!r}: no such fault; there are {', '.join(FAULTS)}, and random:RATE")
        self._check_value(kind)
        if self.connection is not None and (type(self.connection) is not int or self.connection < 1):
            raise ConfigError(f"fault {self.name!r}, connection={self.connection!r}: must be 1 or more, or none")
        try:
            moment = self.moment
        except ConfigError as error:
            raise ConfigError(f"fault {self.name!r}, {error}") from None
        if self.name.startswith("configure_"):
            fits, rule = moment.kind == "configure", "configure1, configure2 ... or configure*"
        elif self.name == "force_end_fatal":
            fits, rule = moment.kind == "force", "force1, force2 ... or force*"
        elif moment.kind == "connect":
            fits, rule = self.name in AT_CONNECT, f"after connect; at connect there are {', '.join(AT_CONNECT)}"
        else:
            fits, rule = kind.scope != "upgrade", "connect"
        if not fits:
            raise ConfigError(f"fault {self.name!r}, moment {str(moment)!r}: must be {rule}")

    def _check_value(self, kind: FaultKind) -> None:
        if self.value is None:
            return
        if kind.read is None:
            raise ConfigError(f"fault {self.name!r}, value {self.value!r}: takes no value")
        try:
            if isinstance(self.value, bool):
                raise ValueError
            read = kind.read(f"{self.value:g}" if isinstance(self.value, float) else str(self.value))
        except ValueError:
            raise ConfigError(f"fault {self.name!r}, value {self.value!r}: must be {kind.rule}") from None
        msgspec.structs.force_setattr(self, "value", read)

    @property
    def kind(self) -> FaultKind:
        """Its entry in `FAULTS`."""
        return FAULTS[self.name]

    @property
    def moment(self) -> Moment:
        """When it strikes."""
        return Moment.parse(self.at or self.kind.moment)

    @property
    def amount(self) -> Value:
        """Its value, given or usual."""
        return self.kind.value if self.value is None else self.value

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read `name`, `name:value`, `name@moment`, `name:value@moment/connection` and so on."""
        rest, slash, connection = text.partition("/")
        if slash and connection != "*" and not (connection.isascii() and connection.isdigit() and int(connection)):
            raise ConfigError(f"fault {text!r}, connection {connection!r}: must be a number from 1, or * for each")
        rest, at_sign, at = rest.partition("@")
        if at_sign and not at:
            raise ConfigError(f"fault {text!r}: a moment must follow the @")
        name, colon, value = rest.partition(":")
        if colon and not value:
            raise ConfigError(f"fault {text!r}: a value must follow the colon")
        return cls(name, value or None, at, int(connection) if slash and connection != "*" else None)

    def __str__(self) -> str:
        amount = f"{self.amount:g}" if isinstance(self.amount, float) else str(self.amount)
        value = "" if self.amount is None else f":{amount}"
        return f"{self.name}{value}@{self.moment}" + (f"/{self.connection}" if self.connection else "")


USUAL_CHANCES = tuple(name for name in FAULTS if name not in ("refuse_described", "resume_with_update", "no_connected"))
"""What random faults are chosen from by default: everything but the doublets."""


class RandomFaults(msgspec.Struct, frozen=True):
    """Random faults; `str` gives the text form, `random:rate:kind,kind`, without the seed.

    The same seed, call and audio meet the same faults.

    Attributes:
        rate: the chance of a fault at each message and at each upgrade, 0 to 1.
        kinds: what to choose from, one or several, each as `name` or `name:value`; refusals are chosen at upgrades,
            the others at messages.
        seed: of the choice. Default None: the simulator's own.

    Raises:
        ConfigError: for a rate that is no chance, and for kinds that do not exist.
    """

    rate: float
    kinds: tuple[str, ...] = USUAL_CHANCES
    seed: int | None = None

    if TYPE_CHECKING:  # more is taken than is kept

        def __init__(
            self, rate: float, kinds: str | Iterable[str] = USUAL_CHANCES, seed: int | None = None
        ) -> None: ...

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "kinds", check_strings("random faults, kinds", self.kinds))
        if isinstance(self.rate, bool) or not isinstance(self.rate, (int, float)) or not 0 <= self.rate <= 1:
            raise ConfigError(f"random faults, rate={self.rate!r}: must be a chance from 0 to 1 at each message")
        if not self.kinds:
            raise ConfigError("random faults, kinds=(): must name at least one fault")
        for kind in self.kinds:
            if "@" in kind or "/" in kind:
                raise ConfigError(f"random faults, kind {kind!r}: must be a name or name:value; chance has no moment")
            Fault.parse(kind)

    @classmethod
    def parse(cls, text: str) -> RandomFaults:
        """Read `random:rate` or `random:rate:kind,kind`; as a kind's own value follows a colon, so may it here."""
        _, _, rest = text.partition(":")
        rate, colon, kinds = rest.partition(":")
        if not re.fullmatch(r"\d+(\.\d+)?|\.\d+", rate, re.ASCII):
            raise ConfigError(f"fault {text!r}, rate {rate!r}: must be a chance from 0 to 1 at each message")
        return cls(float(rate), tuple(kinds.split(","))) if colon else cls(float(rate))

    def __str__(self) -> str:
        named = "" if self.kinds == USUAL_CHANCES else f":{','.join(self.kinds)}"
        return f"random:{self.rate:g}{named}"

    def choose(self, random: Random, *, upgrade: bool) -> Fault | None:
        """Draw once: a fault without a moment of its own, or none this time.

        Args:
            random: what is drawn from.
            upgrade: whether it is to strike the upgrade, and not the connection.
        """
        if random.random() >= self.rate:
            return None
        faults = [Fault.parse(kind) for kind in self.kinds]
        fit = [fault for fault in faults if (fault.kind.scope == "upgrade") == upgrade]
        return random.choice(fit) if fit else None


AnyFault: TypeAlias = "Fault | RandomFaults"


def parse_fault(text: str) -> AnyFault:
    """A fault from its text form, `random:...` included. Raises ConfigError with what there is."""
    return RandomFaults.parse(text) if text.partition(":")[0] == "random" else Fault.parse(text)


def read_faults(faults: object) -> tuple[AnyFault, ...]:
    """Faults given as such or as text. Raises ConfigError for anything else."""
    if isinstance(faults, (str, Fault, RandomFaults)) or not hasattr(faults, "__iter__"):
        raise ConfigError(f"faults={faults!r}: must be a list of faults, or of their texts")
    read = []
    for fault in faults:
        if isinstance(fault, str):
            read.append(parse_fault(fault))
        elif isinstance(fault, (Fault, RandomFaults)):
            read.append(fault)
        else:
            raise ConfigError(f"faults: {fault!r} is none; a fault is a Fault, RandomFaults or a text such as stall")
    return tuple(read)
