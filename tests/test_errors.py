"""The tree of errors: what may be caught as what, and what each one says."""

from __future__ import annotations

import re

import pytest

from turnkit import errors
from turnkit.errors import (
    ConfigError,
    ConnectionFailed,
    FluxError,
    LocalProtocolError,
    ProtocolError,
    RemoteProtocolError,
    TraceMismatch,
    TurnkitError,
)

ROW = re.compile(r"^    (?P<rails>[│├└─ ]*)(?P<name>[A-Z]\w+)(?: \((?P<builtin>\w+)\))?(?: {2,}\S.*)?$", re.MULTILINE)


def drawn() -> dict[str, tuple[str, str]]:
    """The tree of the module's docstring: parent and builtin (or "") by name."""
    tree: dict[str, tuple[str, str]] = {}
    path: list[str] = []
    for row in ROW.finditer(errors.__doc__ or ""):
        depth = len(row["rails"]) // 4
        tree[row["name"]] = (path[depth - 1] if depth else "Exception", row["builtin"] or "")
        path[depth:] = [row["name"]]
    return tree


def test_docstring_draws_every_error_and_nothing_else() -> None:
    """The drawing, the exports and the classes defined in the module are the same set."""
    defined = {
        name for name, value in vars(errors).items() if isinstance(value, type) and value.__module__ == errors.__name__
    }
    assert set(drawn()) == set(errors.__all__) == defined
    assert len(defined) == 8


@pytest.mark.parametrize("name", errors.__all__)
def test_bases_are_those_drawn(name: str) -> None:
    """An error inherits from its parent in the drawing and from the builtin in brackets, and from nothing else."""
    parent, builtin = drawn()[name]
    bases = [base.__name__ for base in getattr(errors, name).__bases__]
    assert [parent, *([builtin] if builtin else [])] == bases


def test_builtins_catch_what_they_should() -> None:
    """Who knows nothing of turnkit may catch ValueError, OSError and AssertionError, and no more than is meant."""
    for kind, builtin in ((ConfigError, ValueError), (ConnectionFailed, OSError), (TraceMismatch, AssertionError)):
        with pytest.raises(builtin):
            raise kind("the reason")
    for fault in (LocalProtocolError, RemoteProtocolError):
        assert issubclass(fault, ProtocolError)
        assert not issubclass(fault, (ValueError, OSError))
    assert not issubclass(LocalProtocolError, RemoteProtocolError)
    assert not issubclass(RemoteProtocolError, LocalProtocolError)


def test_flux_error_keeps_what_flux_said() -> None:
    """All that Flux said is an attribute, and all of it is in the message."""
    error = FluxError(
        "INVALID_AUTH", "Invalid credentials", request_id="019f-42", status=401, advice="Check the key's project"
    )
    assert error.code == "INVALID_AUTH"
    assert error.description == "Invalid credentials"
    assert error.request_id == "019f-42"
    assert error.status == 401
    assert error.advice == "Check the key's project"
    assert str(error) == (
        "Flux said HTTP 401 INVALID_AUTH: Invalid credentials. Check the key's project (request id 019f-42)"
    )
    assert isinstance(error, TurnkitError)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FluxError(), "Flux said no"),
        (FluxError("INTERNAL_SERVER_ERROR"), "Flux said INTERNAL_SERVER_ERROR"),
        (FluxError("INTERNAL_SERVER_ERROR", "it broke"), "Flux said INTERNAL_SERVER_ERROR: it broke"),
        (FluxError("", "it broke"), "Flux said no: it broke"),
        (FluxError(status=429), "Flux said HTTP 429"),
        (FluxError(status=429, advice="Wait"), "Flux said HTTP 429. Wait"),
        (FluxError("A", request_id="r"), "Flux said A (request id r)"),
    ],
)
def test_flux_error_says_only_what_is_known(error: FluxError, message: str) -> None:
    """What Flux left out leaves no hole in the sentence."""
    assert str(error) == message


def test_flux_error_without_anything_has_empty_fields() -> None:
    """Strings are empty and the status is None where Flux gave none."""
    assert vars(FluxError()) == {"code": "", "description": "", "request_id": "", "status": None, "advice": ""}


def test_connection_failed_carries_every_attempt() -> None:
    """The attempts are kept in order; the message is the sentence alone, and there is no errno to be misread."""
    attempts = (TimeoutError("no answer"), ConnectionRefusedError(111, "refused"), FluxError(status=503))
    error = ConnectionFailed("gave up after 3 attempts", attempts)
    assert error.attempts == attempts
    assert str(error) == "gave up after 3 attempts"
    assert error.errno is None
    assert error.strerror is None


@pytest.mark.parametrize("name", sorted(set(errors.__all__) - {"FluxError"}))
def test_message_is_what_was_given(name: str) -> None:
    """The message of every other error is the one it was raised with, also through its builtin."""
    assert str(getattr(errors, name)("field=3: must be 2")) == "field=3: must be 2"


def test_sentence_ends_once() -> None:
    """Deepgram's descriptions end with a full stop of their own."""
    assert str(FluxError("A", "Invalid credentials.", advice="Check")) == "Flux said A: Invalid credentials. Check"
