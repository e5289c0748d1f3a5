"""The commands that Flux answers: which of them are on the wire, which are to come, and who waits for the answers."""

from __future__ import annotations

from math import inf

import anyio

from ..wire import Configure, FluxOptions, Message, WarningMessage
from .configure import applied, merged

NO_TURN = "FORCE_END_TURN_NO_ACTIVE_TURN"
_LOST = WarningMessage(code=NO_TURN, description="The turn was lost with the connection.")


class Request:
    """A command, and the tasks that wait for its answer.

    Attributes:
        deadline: until when they wait. Default `inf`.
        settled: whether there will be no other answer.
        changed: set when it is settled or its deadline moves.
        answer: of Flux; None if there is none.
        sent: the Configure that was sent, merged.
        waiting: what each waiting call asked for, until it left.
    """

    __slots__ = ("answer", "changed", "deadline", "sent", "settled", "waiting")

    def __init__(self, deadline: float = inf) -> None:
        self.deadline = deadline
        self.settled = False
        self.changed = anyio.Event()
        self.answer: Message | None = None
        self.sent: Configure | None = None
        self.waiting: dict[object, Configure] = {}

    def postpone(self, deadline: float) -> None:
        """Move the deadline, in either direction."""
        self.deadline = deadline
        changed, self.changed = self.changed, anyio.Event()
        changed.set()


class Requests:
    """The requests of a stream.

    Attributes:
        pending: the Configure that was sent and is not answered yet.
        queued: the Configure to come.
        forced_ends: the ForceEndTurns that are not answered yet, oldest first.
    """

    __slots__ = ("forced_ends", "pending", "queued")

    def __init__(self) -> None:
        self.forced_ends: list[Request] = []
        self.pending: Request | None = None
        self.queued: Request | None = None

    def expected(self, options: FluxOptions) -> FluxOptions:
        """The options in force once Flux has taken all that is under way."""
        commands = [self.pending.sent] if self.pending and self.pending.sent else []
        commands += self.queued.waiting.values() if self.queued else []
        return applied(options, merged(commands))

    def start_configure(self, batch: Request, deadline: float) -> Configure:
        """Make a batch the pending one, and return its Configure, merged of what was asked for."""
        command = batch.sent = merged(batch.waiting.values())
        batch.deadline = deadline
        self.queued, self.pending = None, batch
        return command

    def add_forced_end(self, deadline: float) -> Request:
        """Expect the answer to a ForceEndTurn that is about to be sent."""
        request = Request(deadline)
        self.forced_ends.append(request)  # Flux answers each one, in order
        return request

    def settle_forced_end(self, answer: Message) -> None:
        """Give the answer to the oldest ForceEndTurn that has not been given up."""
        now = anyio.current_time()
        while self.forced_ends:
            request = self.forced_ends.pop(0)
            if request.deadline > now:
                return self.settle(request, answer)

    def settle(self, request: Request, answer: Message | None) -> None:
        """Give a request its answer, None if there is none, and wake those who wait for it."""
        request.answer = answer
        request.settled = True
        request.changed.set()
        if self.pending is request:
            self.pending = None

    def connection_lost(self, until: float) -> None:
        """Forced ends have no turn any more; the pending Configure waits for the next connection."""
        for request in self.forced_ends:
            self.settle(request, _LOST)
        self.forced_ends.clear()
        if self.pending is not None:
            self.pending.postpone(until)

    def end(self) -> None:
        """Settle all requests: there will be no answers any more."""
        for request in (*self.forced_ends, *([self.pending] if self.pending else [])):
            self.settle(request, None)
        self.forced_ends.clear()

    async def wait_answered(self, request: Request) -> None:
        """Wait for the answer; the deadline may move meanwhile."""
        while not request.settled and anyio.current_time() < request.deadline:
            with anyio.CancelScope(deadline=request.deadline):
                await request.changed.wait()
        if not request.settled:
            self.settle(request, None)
