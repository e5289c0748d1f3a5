"""A barge-in in a real Chromium, from the word's frame to silence; how fast it is, is not asked here."""

from __future__ import annotations

from benchmarks.interop_browser import measure
from tests.support.browser import needs_browser


@needs_browser
def test_the_page_falls_silent_after_the_word() -> None:
    """Each interruption does, after it was decided, and long before the bot would have stopped by itself."""
    measured = measure(2)
    assert len(measured.decided) == len(measured.silent) == 2
    for decided, silent in zip(measured.decided, measured.silent, strict=True):
        assert 0 < decided < silent
        assert silent < 1000  # ms: a machine may be busy; the bot goes on for a minute
    assert 0 < measured.uncertainty < 100
