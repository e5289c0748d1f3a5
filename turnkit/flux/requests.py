"""The commands that Flux answers: which of them are under way, which are to come, and what became of them."""

from __future__ import annotations

from math import inf

from ..wire import Configure, FluxOptions, Message, WarningMessage
from .configure import applied, merged

NO_TURN = "FORCE_END_TURN_NO_ACTIVE_TURN"
_LOST = WarningMessage(code=NO_TURN, description="The turn was lost with the connection.")


class Request:
    """A command that Flux answers.

    Attributes:
        deadline: until when the answer is waited for. Default `inf`.
        settled: whether there will be no other answer.
        expired: whether it was given up because the deadline was over.
        answer: of Flux; None if there is none.
        sent: the Configure that was sent, merged.
        asked: what each call asked for that is merged in it, until it was sent.
        progress: how often there had been something new of a turn when its end was asked for.
    """

    __slots__ = ("answer", "asked", "deadline", "expired", "progress", "sent", "settled")

    def __init__(self, deadline: float = inf, progress: int = 0) -> None:
        self.deadline = deadline
        self.settled = self.expired = False
        self.answer: Message | None = None
        self.sent: Configure | None = None
        self.asked: dict[object, Configure] = {}
        self.progress = progress

    def settle(self, answer: Message | None) -> None:
        """Take this as the answer, None if there is none."""
        self.answer = answer
        self.settled = True


class Requests:
    """The requests of a stream.

    Attributes:
        pending: the Configure that is under way: Flux refuses bursts, so there is one at a time.
        queued: the Configure to come.
        forced_ends: the ForceEndTurns that are not answered yet, oldest first.
    """

    __slots__ = ("forced_ends", "pending", "queued")

    def __init__(self) -> None:
        self.forced_ends: list[Request] = []
        self.pending: Request | None = None
        self.queued: Request | None = None

    @property
    def deadline(self) -> float:
        """When the first of them is given up."""
        first = self.forced_ends[0].deadline if self.forced_ends else inf
        return first if self.pending is None else min(first, self.pending.deadline)

    def expected(self, options: FluxOptions) -> FluxOptions:
        """The options in force once Flux has taken all that is under way or to come."""
        commands = [self.pending.sent] if self.pending and self.pending.sent else []
        commands += self.queued.asked.values() if self.queued else []
        return applied(options, merged(commands))

    def queue(self, command: Configure) -> tuple[Request, object]:
        """Add to the Configure to come; returns it, and the ticket with which to withdraw again."""
        batch = self.queued = self.queued or Request()
        ticket = object()
        batch.asked[ticket] = command
        return batch, ticket

    def start(self, batch: Request, deadline: float) -> Configure:
        """The Configure to come is under way; returns it, merged of all that was asked for."""
        command = batch.sent = merged(batch.asked.values())
        batch.deadline = deadline
        self.queued, self.pending = None, batch
        return command

    def force_end(self, deadline: float, progress: int) -> Request:
        """A ForceEndTurn is under way."""
        request = Request(deadline, progress)
        self.forced_ends.append(request)  # Flux answers each one, in order
        return request

    def configure_answered(self, answer: Message) -> None:
        """Give the answer to the Configure that is under way."""
        if self.pending is not None:
            self.pending.settle(answer)
            self.pending = None

    def forced_end_answered(self, answer: Message, now: float) -> None:
        """Give the answer to the oldest ForceEndTurn that has not been given up."""
        while self.forced_ends:
            request = self.forced_ends.pop(0)
            request.expired = request.deadline <= now
            request.settle(None if request.expired else answer)
            if not request.expired:
                return

    def expire(self, now: float) -> list[Request]:
        """Give up those whose deadline has come; returns the ForceEndTurns among them."""
        if self.pending is not None and self.pending.deadline <= now:
            self.pending.expired = True
            self.pending.settle(None)
            self.pending = None
        expired = [request for request in self.forced_ends if request.deadline <= now]
        for request in expired:
            request.expired = True
            request.settle(None)
        if expired:
            self.forced_ends = [request for request in self.forced_ends if not request.expired]
        return expired

    def connection_lost(self, until: float) -> None:
        """Forced ends have no turn any more; the Configure under way waits for the next connection."""
        for request in self.forced_ends:
            request.settle(_LOST)
        self.forced_ends.clear()
        if self.pending is not None:
            self.pending.deadline = until

    def end(self) -> None:
        """Settle all requests: there will be no answers any more."""
        for request in (*self.forced_ends, *([self.pending] if self.pending else [])):
            request.settle(None)
        self.forced_ends.clear()
        self.pending = None
