"""Logging: silent below warnings until the application configures structlog, and never its business to do so."""

from __future__ import annotations

import pytest
import structlog

from turnkit.logs import log_to_stderr, logger


def test_unconfigured_it_warns_on_standard_error_only(capsys: pytest.CaptureFixture[str]) -> None:
    """structlog's own default would print debug lines to standard output."""
    log = logger(session="s1")
    log.debug("nothing")
    log.info("nothing")
    log.warning("callback_failed", error="ValueError")
    out, err = capsys.readouterr()
    assert out == ""
    assert "nothing" not in err
    assert "callback_failed" in err
    assert "session=s1" in err
    assert not structlog.is_configured()


def test_configured_it_goes_the_applications_way() -> None:
    """The application's processors see what turnkit logs."""
    entries: list[structlog.typing.EventDict] = []

    def keep(_: object, __: str, event: structlog.typing.EventDict) -> str:
        entries.append(event)
        raise structlog.DropEvent

    structlog.configure(processors=[keep])
    logger(session="s1").info("hello", n=1)
    assert entries == [{"session": "s1", "event": "hello", "n": 1}]


def test_a_command_line_logs_to_standard_error_from_its_level_up(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output is for results."""
    log_to_stderr("info")
    logger(session="s1").info("one")
    logger(session="s1").debug("two")
    out, err = capsys.readouterr()
    assert out == ""
    assert "one" in err
    assert "two" not in err
