"""What a function of the host's raised: a failure of its own, or something that must pass."""

from __future__ import annotations

from math import inf

import anyio

_ENDS_THE_PROGRAM = (KeyboardInterrupt, SystemExit, GeneratorExit)


def must_pass(raised: BaseException) -> bool:
    """Whether it ends more than this function: the program, or the coroutine itself."""
    if isinstance(raised, BaseExceptionGroup):
        return any(must_pass(error) for error in raised.exceptions)
    return isinstance(raised, _ENDS_THE_PROGRAM)


def failure(raised: BaseException) -> BaseException | None:
    """Tell a failure of what was awaited from a cancellation; asked by the task that awaited it.

    A cancellation that nobody has asked for is a failure: it came from a task of the host's own, say in its LLM client.

    Args:
        raised: what was raised; on trio a task group may raise a failure and a cancellation as one group.

    Returns:
        What went wrong; None if it must be raised on.
    """
    if must_pass(raised):
        return None
    if anyio.current_effective_deadline() > -inf:
        return raised
    cancelled = anyio.get_cancelled_exc_class()
    if isinstance(raised, BaseExceptionGroup):
        return raised.split(cancelled)[1]
    return None if isinstance(raised, cancelled) else raised
