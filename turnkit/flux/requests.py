"""Commands that Flux answers: what is on the wire, what waits for its turn, and who waits for the answer."""

from __future__ import annotations

from math import inf

import anyio

from ..wire import Configure, FluxOptions, Message, WarningMessage
from .configure import applied, merged

NO_TURN = "FORCE_END_TURN_NO_ACTIVE_TURN"
_LOST = WarningMessage(code=NO_TURN, description="The turn was lost with the connection.")


class Request:
    """A command, and the tasks that wait for its answer, until `deadline`."""

    __slots__ = ("answer", "changed", "deadline", "sent", "settled", "waiting")

    def __init__(self, deadline: float = inf) -> None:
        self.deadline = deadline
        self.settled = False
        self.changed = anyio.Event()
        self.answer: Message | None = None
        self.sent: Configure | None = None
        self.waiting: dict[object, Configure] = {}  # what each waiting call asked for, until it left

    def postpone(self, deadline: float) -> None:
        """Wait until then, longer or shorter than before."""
        self.deadline = deadline
        changed, self.changed = self.changed, anyio.Event()
        changed.set()


class Requests:
    """The requests of a stream: one Configure on its way and one to come, and any number of ForceEndTurns."""

    __slots__ = ("flying", "forces", "queued")

    def __init__(self) -> None:
        self.forces: list[Request] = []
        self.flying: Request | None = None
        self.queued: Request | None = None

    def expected(self, options: FluxOptions) -> FluxOptions:
        """The options in force once Flux has taken all that is under way."""
        commands = [self.flying.sent] if self.flying and self.flying.sent else []
        commands += self.queued.waiting.values() if self.queued else []
        return applied(options, merged(commands))

    def take_off(self, batch: Request, deadline: float) -> Configure:
        """Put the merged Configure of a batch on its way."""
        command = batch.sent = merged(batch.waiting.values())
        batch.deadline = deadline
        self.queued, self.flying = None, batch
        return command

    def force(self, deadline: float) -> Request:
        request = Request(deadline)
        self.forces.append(request)  # Flux answers each one, in order
        return request

    def settle_force(self, answer: Message) -> None:
        """Give the answer to the oldest ForceEndTurn that has not been given up."""
        now = anyio.current_time()
        while self.forces:
            request = self.forces.pop(0)
            if request.deadline > now:
                return self.land(request, answer)

    def land(self, request: Request, answer: Message | None) -> None:
        request.answer = answer
        request.settled = True
        request.changed.set()
        if self.flying is request:
            self.flying = None

    def lose(self, until: float) -> None:
        """The connection is gone: forced ends have no turn any more; the Configure waits for the next connection."""
        for request in self.forces:
            self.land(request, _LOST)
        self.forces.clear()
        if self.flying is not None:
            self.flying.postpone(until)

    def end(self) -> None:
        """There will be no answers any more."""
        for request in (*self.forces, *([self.flying] if self.flying else [])):
            self.land(request, None)
        self.forces.clear()

    async def answered(self, request: Request) -> None:
        """Wait for the answer; the deadline may move meanwhile."""
        while not request.settled and anyio.current_time() < request.deadline:
            with anyio.CancelScope(deadline=request.deadline):
                await request.changed.wait()
        if not request.settled:
            self.land(request, None)
