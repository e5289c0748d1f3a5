"""The log of a failure names the host's own line, and not the library's that its mistake came out in."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from turnkit.checks import check_seconds
from turnkit.session.failures import log_failure


def in_pythons_own() -> None:
    os.environ["THERE_IS_NO_SUCH_VARIABLE"]


def in_a_file_of_pythons_own() -> None:
    json.loads("{")


def in_turnkit() -> None:
    check_seconds("drain", -1)


def in_what_is_installed() -> None:
    pytest.fail("as any library may")


@pytest.mark.parametrize("fails", [in_pythons_own, in_a_file_of_pythons_own, in_turnkit, in_what_is_installed])
def test_the_hosts_own_line_is_named(fails: Callable[[], None]) -> None:
    """The innermost of them."""
    with pytest.raises(BaseException) as raised:
        fails()
    with capture_logs() as logs:
        log_failure("s1", fails, "reply 1", raised.value)
    line = fails.__code__.co_firstlineno + 1
    assert [log["where"] for log in logs] == [f"{__file__}:{line} in {fails.__name__}"]


def test_where_there_is_none_it_is_the_line_that_raised() -> None:
    """Such as that of a TTS which is not the host's."""
    with pytest.raises(ValueError) as raised:
        json.loads("{")
    error = raised.value
    assert error.__traceback__ is not None
    error.__traceback__ = error.__traceback__.tb_next
    with capture_logs() as logs:
        log_failure("s1", json.loads, "reply 1", error)
    assert logs[0]["where"].endswith("in raw_decode")
