"""Ctrl-C while the `turnkit` command is being loaded: it ends at once, and says nothing.

Until the command begins there is nothing to clean up, and a KeyboardInterrupt in the middle of an import would be
shown, or be swallowed by whatever was going on there.
"""

from __future__ import annotations

import os
import sys

INTERRUPTED = 130
"""The exit code by which shells know it."""


def end_at_once() -> None:
    """Have Ctrl-C end the process from here on."""
    sys.excepthook = _hook
    import signal  # takes a moment, in which the hook stands in

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # what was started with & ignores it
        signal.signal(signal.SIGINT, _end)


def raise_again() -> None:
    """Have Ctrl-C raise KeyboardInterrupt again, if it ended the process until now: there is something to clean up."""
    import signal

    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.excepthook = sys.__excepthook__


def _end(*_: object) -> None:
    os._exit(INTERRUPTED)


def _hook(kind: type[BaseException], error: BaseException, trace: object) -> None:
    if issubclass(kind, KeyboardInterrupt):
        _end()
    sys.__excepthook__(kind, error, trace)  # type: ignore[arg-type]
