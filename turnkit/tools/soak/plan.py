"""Plan of a soak, checked before anything is started."""

from __future__ import annotations

import msgspec

from ...checks import is_number, shown
from ...errors import ConfigError
from ...flux.transports import Transport, checked_transport
from ...simulator import parse_fault

SETTLE_SECONDS = 40.0
"""How long a caller stays on the line for the answer to what was said: a stall takes 10 s to be noticed, and another
10 s may pass until the machine ends the turn that it cut off."""
OUTAGE_SECONDS = 75.0
"""How long a caller stays on the line while there is no connection: reconnecting is given up after a minute."""
_DIALS_A_SECOND = 50
_DESCRIPTORS_BESIDES = 64  # of the process itself: files, pipes, the event loop


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a soak is to do. Raises ConfigError for what cannot work, a fault that does not exist among it.

    Attributes:
        sessions: Number of sessions at a time; 10 by default.
        seconds: Seconds until no more is said; each call is still answered to its end then. 60 by default.
        faults: Chance of a fault at each message and each upgrade, 0 by default (0.001 is one in three minutes or so
            of a call).
        named: Faults besides, as texts of `turnkit.simulator.Fault`.
        seed: Seed of what is said and of the faults.
        audio: Whether audio is sent; False holds idle connections, to see what these cost. True by default.
        processes: Number of processes for the simulator; 0 for none of its own, 1 by default.
        call_seconds: Seconds that a call lasts; by default (None) a sixth of the whole, 20 to 120.
        slices: Number of parts that the report tells apart; 10 by default.
        growth: Growth an hour that memory and objects may show, as a share of what they are; 0.02 by default. Tasks
            and descriptors may show 0.1, if that is more.
        tuned: Whether Python's collector is set as suits many calls (`collector.tuned`). False by default.
        transport: Library that carries the sessions' connections, as `turnkit.connect` takes it; None is the fastest.
    """

    sessions: int = 10
    seconds: float = 60.0
    faults: float = 0.0
    named: tuple[str, ...] = ()
    seed: int = 0
    audio: bool = True
    processes: int = 1
    call_seconds: float | None = None
    slices: int = 10
    growth: float = 0.02
    tuned: bool = False
    transport: Transport | None = None

    def __post_init__(self) -> None:
        for name, least in (("sessions", 1), ("processes", 0), ("slices", 1)):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= 100_000:
                raise ConfigError(f"{name}={shown(value)}: must be a whole number from {least}")
        for name in ("seconds", "growth", *(() if self.call_seconds is None else ("call_seconds",))):
            value = getattr(self, name)
            if not is_number(value) or value <= 0:
                raise ConfigError(f"{name}={shown(value)}: must be a positive, finite number")
        checked_transport(self.transport)
        for text in self.fault_texts:
            parse_fault(text)

    @property
    def fault_texts(self) -> tuple[str, ...]:
        """Texts of all faults, for the simulator."""
        rate = f"{self.faults:.12f}".rstrip("0").rstrip(".")  # there is no exponent in it
        return (*((f"random:{rate}",) if self.faults else ()), *self.named)

    @property
    def length(self) -> float:
        """Seconds that a call lasts until its caller says no more."""
        return min(120.0, max(20.0, self.seconds / 6)) if self.call_seconds is None else self.call_seconds

    @property
    def ramp(self) -> float:
        """Seconds over which the first calls begin."""
        return min(self.seconds / 3, self.sessions / _DIALS_A_SECOND)

    @property
    def warm(self) -> float:
        """The second from which on growth is measured: by then every session has held its first call."""
        return self.ramp + self.length

    @property
    def descriptors(self) -> int:
        """Files that may be open at once in the process with the sessions; for a while, two sockets a session."""
        return 2 * self.sessions * (2 if self.processes == 0 else 1) + _DESCRIPTORS_BESIDES


def allow_descriptors(needed: int) -> int:
    """Raise the limit of open files to `needed` if it is lower; the limit then. Raises ConfigError if it may not be."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return needed
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= needed or soft == resource.RLIM_INFINITY:
        return soft
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise ConfigError(
            f"sessions: {needed} open files are needed and this process may have {hard} (RLIMIT_NOFILE); "
            f"raise it (ulimit -n {needed}), or hold fewer sessions"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    return needed
