"""Logging: silent below warnings until the application configures structlog, and never its business to do so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from turnkit.logs import logger


@pytest.fixture(autouse=True)
def unconfigured() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


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
