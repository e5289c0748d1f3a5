"""The calls that go on, and how they end when the server does. Of phones and pages alike; no server here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any, TypeAlias

import anyio

from ...errors import ConfigError, TurnkitError
from ...logs import logger
from ...session import Session
from .admission import Admission

__all__ = ["Calls", "MakeSession"]

_SESSION_SECONDS = 15.0  # for the user's function: the caller hears nothing meanwhile
_LAST_SECONDS = 5.0  # for what stands in `must_finish` once a call was hung up on

MakeSession: TypeAlias = Callable[[Any], Session | Awaitable[Session]]
HoldCall: TypeAlias = Callable[[MakeSession], Awaitable[object]]


class Calls:
    """The calls of one process.

    Args:
        admission: counts them.
        drain: seconds that calls may go on once the server is to end.

    Attributes:
        told: is told how many calls go on when the server is to end, if some do; None if nobody is.
    """

    def __init__(self, admission: Admission, drain: float) -> None:
        self.told: Callable[[int], None] | None = None
        self._admission = admission
        self._drain = drain
        self._going: set[_Going] = set()
        self._changed = anyio.Event()

    async def hold(self, kind: str, hold_call: HoldCall, make_session: MakeSession) -> None:
        """Hold a call that was let in, to its end; what goes wrong in it is logged, and is nobody else's business."""
        call = _Going(make_session)
        self._admission.calls += 1
        self._going.add(call)
        try:
            with call.scope:
                await hold_call(call.make_session)
        except TurnkitError as error:  # says nothing of what was said
            logger().error("call_failed", kind=kind, error=type(error).__name__, problem=str(error))
        except Exception as error:
            logger().error("call_failed", kind=kind, error=type(error).__name__, personal_message=str(error))
        finally:
            self._going.discard(call)
            self._admission.calls -= 1
            self._changed.set()

    async def drain(self) -> None:
        """Let nobody in any more, and wait for the calls to end; those that do not are hung up on, then cancelled.

        Takes `drain` and five seconds at most, and the time in which a recording is closed.
        """
        if not self._admission.draining:
            logger().info("server_draining", calls=len(self._going))
            if self._going and self.told is not None:
                self.told(len(self._going))
        self._admission.draining = True
        with anyio.move_on_after(self._drain):
            await self._gone()
        for call in list(self._going):
            call.hang_up()
        with anyio.move_on_after(_LAST_SECONDS):
            await self._gone()
        for call in list(self._going):
            call.scope.cancel()
        await self._gone()

    async def _gone(self) -> None:
        while self._going:
            self._changed = anyio.Event()
            await self._changed.wait()


class _Going:
    """A call that goes on."""

    def __init__(self, make_session: MakeSession) -> None:
        self.scope = anyio.CancelScope()
        self._make_session = make_session
        self._session: Session | None = None

    async def make_session(self, call: Any) -> Session:
        """The user's session, which is remembered."""
        made = self._make_session(call)
        if isawaitable(made):
            with anyio.move_on_after(_SESSION_SECONDS):
                self._session = await made
                return self._session
            raise ConfigError(
                f"make_session: gave no session in {_SESSION_SECONDS:g} s; the caller hears nothing so long"
            )
        self._session = made
        return self._session

    def hang_up(self) -> None:
        """End it: in good order if it has a session, and at once if it has none yet."""
        if isinstance(self._session, Session):
            self._session.hang_up()
        else:
            self.scope.cancel()
