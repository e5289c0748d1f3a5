"""`Credential`: the key or the token of a connection, which no repr, no error and no traceback shows."""

from __future__ import annotations

import base64
import traceback
from typing import Any, TypeVar, cast
from urllib.parse import quote

import msgspec
from websockets.datastructures import Headers
from websockets.frames import Close
from websockets.http11 import Response

from ..errors import ConfigError
from ..wire import Message, TurnInfo, Unknown

Told = TypeVar("Told", bound=Message)
Given = TypeVar("Given")

_MASK = "…"
_SHORTEST = 8  # letters of a credential that stand for it: hosts quote it cut off, and nothing else has eight of them
_LONGEST = 1 << 14  # letters of a refusal that are looked at: Flux's have some hundred
_DEEPEST = 8  # what an exception holds is looked through so far down
_EVENTS = ("Update", "StartOfTurn", "EagerEndOfTurn", "TurnResumed", "EndOfTurn")


class _Hidden(str):
    """A text that travels as it is, and whose repr does not show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(_MASK)

    def __getitem__(self, key: Any) -> str:
        return _Hidden(super().__getitem__(key))  # what prints tracebacks cuts long texts before it asks for the repr


def hidden(given: Given) -> Given:
    """The same text with a repr that hides it; None and functions as they are; else what no credential can be."""
    if given is None or callable(given):
        return given
    return cast(Given, _Hidden(given if isinstance(given, str) else "\n"))


class Credential:
    """A secret and the scheme it travels under; without a secret, nothing is sent and there is nothing to hide.

    A host knows the secret, and may quote it: whole or cut off, in another case, percent-encoded or in base64. `hide`
    finds it in all of these. A host that disguises it on purpose can also send it elsewhere.
    """

    __slots__ = ("_scheme", "_secret")

    def __init__(self, scheme: str = "", secret: str = "") -> None:
        self._scheme = scheme
        self._secret = _Hidden(secret)

    def __repr__(self) -> str:
        return f"<Credential {self._scheme}>" if self._secret else "<Credential, none>"

    def headers(self) -> dict[str, str]:
        """The header that carries it, if there is one."""
        return {"Authorization": _Hidden(f"{self._scheme} {self._secret}")} if self._secret else {}

    def hide(self, text: str) -> str:
        """The text, with every piece of the secret replaced; cut off, if no host of Flux would say so much."""
        length = min(_SHORTEST, len(self._secret))
        if not length or len(text) < length:
            return text
        text = text if len(text) <= _LONGEST else text[:_LONGEST] + _MASK
        folded, forms = _folded(text), self._forms()
        step, short = (5, 4) if length == _SHORTEST else (1, length)  # wherever eight letters stand, four of them do
        if not any(folded[at : at + short] in forms for at in range(0, len(folded) - short + 1, step)):
            return text
        shown: list[str] = []
        end = 0
        for at in range(len(folded) - length + 1):
            if folded[at : at + length] in forms:
                if at > end or not shown:
                    shown += [text[end:at], _MASK]
                end = at + length
        return "".join(shown) + text[end:]

    def _forms(self) -> str:
        """All its forms, a line each; made anew each time, because it is rarely asked for and a token is long."""
        secret, header = str(self._secret), f"{self._scheme} {self._secret}"
        forms = [secret, quote(secret, safe="")]
        if len(secret) >= _SHORTEST:
            for plain in (secret.encode(), header.encode()):
                # What base64 makes of a text depends on where in the whole it begins, save for some at the ends.
                for before in range(3):
                    encoded = base64.b64encode(b"\0" * before + plain).decode().rstrip("=")
                    inner = encoded[4 * (before > 0) : -1]
                    forms += [inner, inner.replace("+", "-").replace("/", "_")]
        return "\n".join(forms).lower()

    def hide_in_message(self, message: Told) -> Told:
        """The message, with the secret hidden wherever Flux's own words reach an error, a log line or a Note.

        The words of a turn are left as they are: they are told nobody.
        """
        if not self._secret:
            return message
        fields = message.__struct_fields__
        if isinstance(message, TurnInfo):
            if message.event in _EVENTS and len(message.trigger) < _SHORTEST:
                return message
            fields = ("event", "trigger")
        changes = {name: self._cleansed(getattr(message, name)) for name in fields if name != "raw"}
        if isinstance(message, Unknown) and isinstance(message.raw, bytes):
            changes["raw"] = message.raw.replace(self._secret.encode(), _MASK.encode())
        return msgspec.structs.replace(message, **changes)

    def cleanse(self, error: BaseException) -> None:
        """Hide the secret in a foreign error and in what led to it, and forget the variables of the frames it passed.

        It is the error itself that is changed: whoever prints its cause, its context or its attempts sees no more.
        """
        if not self._secret:
            return
        waiting, seen = [error], set()
        while waiting:
            one = waiting.pop()
            if id(one) in seen:
                continue
            seen.add(id(one))
            traceback.clear_frames(one.__traceback__)
            self._cleanse_fields(one, 0)
            waiting += filter(None, (one.__cause__, one.__context__, *getattr(one, "exceptions", ())))

    def _cleanse_fields(self, thing: object, depth: int) -> None:
        names = [*getattr(thing, "__dict__", ())]
        names += [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
        if isinstance(thing, BaseException):
            names += ["args", *(["object"] if isinstance(thing, UnicodeError) else [])]
        for name in names:
            before = getattr(thing, name, None)
            after = self._cleansed(before, depth + 1)
            if after is not before:
                object.__setattr__(thing, name, after)

    def _cleansed(self, value: Any, depth: int = 0) -> Any:
        """The value itself, if it holds nothing of the secret or was changed in its place."""
        if depth > _DEEPEST:
            return None
        if isinstance(value, str):
            return self.hide(value)
        if isinstance(value, (bytes, bytearray)):
            text = bytes(value[: _LONGEST + 1]).decode("utf-8", "surrogateescape")
            shown = self.hide(text)
            return value if shown is text else shown.encode("utf-8", "surrogateescape")
        if isinstance(value, dict):
            return {self._cleansed(key, depth): self._cleansed(inner, depth + 1) for key, inner in value.items()}
        if type(value) in (list, tuple):
            return type(value)(self._cleansed(inner, depth + 1) for inner in value)
        if isinstance(value, (Response, Headers, Close)):
            self._cleanse_fields(value, depth)
        return value


def _folded(text: str) -> str:
    """The text in small letters, as long as it was: some capitals have two small letters."""
    folded = text.lower()
    return folded if len(folded) == len(text) else "".join(letter.lower()[0] for letter in text)


def checked_secret(name: str, secret: object) -> str:
    """The credential; raises ConfigError, without quoting it, if it cannot travel in a header."""
    if not isinstance(secret, str) or not secret or any(not "!" <= character <= "~" for character in secret):
        raise ConfigError(
            f"{name}: must be the bare credential, ASCII without spaces or line breaks (its value is not shown)"
        )
    return secret
