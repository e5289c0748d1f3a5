"""What the page may ask: the settings of its call, and its messages, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

import msgspec

from ...errors import RemoteProtocolError
from ...wire import FluxOptions, Thresholds

_LARGEST_MESSAGE = 1 << 14  # characters


class Settings(msgspec.Struct, frozen=True):
    """How a call begins: in the query of its websocket.

    Attributes:
        eot_threshold: of Flux. Default 0.7.
        eager_eot_threshold: of Flux; 0 is off. Default 0.4.
        eot_timeout_ms: of Flux, in milliseconds. Default 3000: sooner than Flux's own, as who types has no voice that
            falls.
        policy: the name of the barge-in policy. Default "ignore-backchannels".
    """

    eot_threshold: float = 0.7
    eager_eot_threshold: float = 0.4
    eot_timeout_ms: int = 3000
    policy: str = "ignore-backchannels"

    def options(self) -> FluxOptions:
        """Those of the connection to Flux. Raises ConfigError for what Flux would refuse."""
        return FluxOptions(
            eot_threshold=self.eot_threshold,
            eager_eot_threshold=self.eager_eot_threshold or None,
            eot_timeout_ms=self.eot_timeout_ms,
        )


class Typed(msgspec.Struct, frozen=True, tag_field="type", tag="typed"):
    """What stands in the text field.

    Attributes:
        text: all of it.
        field: how often the field was emptied before.
        kept: whether its one word stood at the end of the field before it was emptied. Default False.
    """

    text: str
    field: int
    kept: bool = False


class Change(msgspec.Struct, frozen=True, tag_field="type", tag="configure"):
    """Other thresholds, in mid-call.

    Attributes:
        id: of this wish, for its answer.
        eot_threshold: None leaves it.
        eager_eot_threshold: None leaves it.
        eot_timeout_ms: None leaves it.
    """

    id: int
    eot_threshold: float | None = None
    eager_eot_threshold: float | None = None
    eot_timeout_ms: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] | None = None

    def thresholds(self) -> Thresholds:
        """As Flux takes them."""
        return Thresholds(self.eot_threshold, self.eager_eot_threshold, self.eot_timeout_ms)


class Choose(msgspec.Struct, frozen=True, tag_field="type", tag="policy"):
    """Another barge-in policy.

    Attributes:
        name: of the policy.
    """

    name: str


class HangUp(msgspec.Struct, frozen=True, tag_field="type", tag="hang_up"):
    """The call is to end."""


Asked: TypeAlias = Typed | Change | Choose | HangUp

_decoder: msgspec.json.Decoder[Asked] = msgspec.json.Decoder(Asked)


def settings_of(query: Mapping[str, str]) -> Settings:
    """The settings that a query has.

    Raises:
        RemoteProtocolError: for what the page never sends.
    """
    try:
        return msgspec.convert(dict(query), Settings, strict=False)
    except msgspec.ValidationError as error:
        raise RemoteProtocolError(f"the page asked for settings that are none: {error}") from None


def read(frame: str | bytes) -> Asked:
    """What the page asks.

    Raises:
        RemoteProtocolError: for what it never sends.
    """
    if isinstance(frame, bytes) or len(frame) > _LARGEST_MESSAGE:
        raise RemoteProtocolError(f"the page sent a {type(frame).__name__} of {len(frame)}, which it never does")
    try:
        return _decoder.decode(frame)
    except (ValueError, RecursionError):  # not its text, which may quote what was said
        raise RemoteProtocolError("the page sent a text that is none of its messages") from None


def as_asked(data: Any) -> Asked:
    """What the page asks beside its microphone's sound.

    Raises:
        RemoteProtocolError: for what it never sends.
    """
    try:
        asked: Asked = msgspec.convert(data, Asked)
    except (ValueError, RecursionError):
        raise RemoteProtocolError("the page sent a message that is none of its own") from None
    return asked
