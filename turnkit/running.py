"""Which of the two async libraries is running, and its clock.

anyio finds that out anew at each call; what is asked at every message is worth asking once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable


def on_trio() -> bool:
    """Whether the caller runs on trio; trio is not loaded to find out."""
    trio = sys.modules.get("trio")
    return trio is not None and bool(trio.lowlevel.in_trio_run())


def clock() -> Callable[[], float]:
    """The running library's clock, in monotonic seconds."""
    if on_trio():
        import trio

        return trio.current_time
    import asyncio

    return asyncio.get_running_loop().time
