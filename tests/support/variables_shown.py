"""Whether a traceback may be asked for the variables of its frames, as by those who debug and who report errors."""

from __future__ import annotations

import sys

SAFE = not (3, 13) <= sys.version_info < (3, 13, 6)
"""From Python 3.13.0 to 3.13.5 it ends the process, if a frame is of a coroutine or generator that is gone.

It is python/cpython#125723, and this shows it:

    def makes():
        global kept
        kept = sys._getframe().f_locals
        text = "x" * 100
        yield

    for _ in range(100):
        next(makes())
        repr(kept)
"""
WHY = "reading variables of a coroutine that is gone ends Python 3.13.0 to 3.13.5: python/cpython#125723"
