"""The errors that turnkit raises, and whose fault each is.

    TurnkitError
    ├── ConfigError (ValueError)          a setting that cannot work; nothing was started
    ├── ProtocolError
    │   ├── LocalProtocolError            you asked for the impossible; nothing was changed
    │   └── RemoteProtocolError           the other side does not speak Flux
    ├── FluxError                         Flux said so itself: code, description, request id
    ├── ConnectionFailed (OSError)        gave up on the connection; carries every attempt
    └── TraceMismatch (AssertionError)    a replay came out differently

No message quotes a transcript or a key: every one of them may be logged as it stands.
"""

from __future__ import annotations

from typing import TypeVar

Raised = TypeVar("Raised", bound=BaseException)

__all__ = [
    "ConfigError",
    "ConnectionFailed",
    "FluxError",
    "LocalProtocolError",
    "ProtocolError",
    "RemoteProtocolError",
    "TraceMismatch",
    "TurnkitError",
]


class TurnkitError(Exception):
    """An error that turnkit raises on purpose; the base of all the others."""


class ConfigError(TurnkitError, ValueError):
    """A setting that cannot work: the message names it, its value and the rule it breaks."""


class ProtocolError(TurnkitError):
    """One of the two sides broke the rules; the subclass says which."""


class LocalProtocolError(ProtocolError):
    """You asked for something impossible, such as time running backwards; nothing was changed."""


class RemoteProtocolError(ProtocolError):
    """The other side does not speak Flux: no JSON object arrived, or there is no WebSocket where one should be."""


class FluxError(TurnkitError):
    """Flux refused or ended the stream and said why.

    Attributes:
        code: Flux's own code, such as `INVALID_AUTH` or `UNPARSABLE_CLIENT_MESSAGE`; empty if none was given.
        description: Flux's own sentence; empty if none was given.
        request_id: what Deepgram's support asks for; empty if none was given.
        status: the HTTP status of a refused upgrade, None once the stream was open.
        advice: what the reader of the error can do about it.
    """

    def __init__(
        self,
        code: str = "",
        description: str = "",
        *,
        request_id: str = "",
        status: int | None = None,
        advice: str = "",
    ) -> None:
        self.code = code
        self.description = description
        self.request_id = request_id
        self.status = status
        self.advice = advice
        said = " ".join(part for part in (f"HTTP {status}" if status else "", code) if part)
        message = f"Flux said {said or 'no'}: {description}" if description else f"Flux said {said or 'no'}"
        if advice:
            message = f"{message.rstrip('.')}. {advice}"
        if request_id:
            message += f" (request id {request_id})"
        super().__init__(message)


class ConnectionFailed(TurnkitError, OSError):
    """The connection could not be made, or was lost for good: turnkit has given up.

    Attributes:
        attempts: what went wrong each time, oldest first; never empty.
    """

    def __init__(self, message: str, attempts: tuple[BaseException, ...] = ()) -> None:
        super().__init__(message)
        self.attempts = attempts


class TraceMismatch(TurnkitError, AssertionError):
    """Replaying a recording gave other signals than the recording holds."""


def sole_error(raised: Raised) -> Raised:
    """What was raised, out of the exception groups that task groups put around a single error; else as it is."""
    error: BaseException = raised
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error  # type: ignore[return-value]  # a group of Exceptions holds no others
