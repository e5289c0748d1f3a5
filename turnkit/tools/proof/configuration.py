"""The configurations that are explored: the settings of the machine, and the bounds on words, replies and seconds."""

from __future__ import annotations

import msgspec

from ...errors import ConfigError

LEVELS = ("quick", "default", "deep")


class Configuration(msgspec.Struct, frozen=True):
    """One exploration. Times are whole seconds: a tick of the clock is one second.

    Attributes:
        name: what it is called where results are shown.
        hold_timeout: the machine's setting; default 1, as are those of the next three.
        lost_turn_grace: the machine's setting.
        stall_timeout: the machine's setting.
        stall_grace: the machine's setting.
        idle_timeout: the machine's setting. Default None: there are no idle timeouts.
        texts: what can be said, the empty text first.
        ahead: whether every text is tried for the turn to come too, and reports about replies that never were.
        late: whether the machine is woken long after every deadline, too.
        late_events: whether every event is tried at a deadline that nobody woke the machine for, and a tick after it.
        exact: whether states that differ only in texts that are handed on are different ones.
        unanswered: how many unanswered texts are told apart. Default 1.
        waiting: how many initiatives may wait at once. Default 0.
        most: no more states than that are expanded. Default 10 million: all of them.
    """

    name: str
    hold_timeout: float = 1.0
    lost_turn_grace: float = 1.0
    stall_timeout: float = 1.0
    stall_grace: float = 1.0
    idle_timeout: float | None = None
    texts: tuple[str, ...] = ("", "tea", "Tea.", "stop")
    ahead: bool = False
    late: bool = False
    late_events: bool = False
    exact: bool = False
    unanswered: int = 1
    waiting: int = 0
    most: int = 10_000_000

    @property
    def seconds(self) -> dict[str, float | None]:
        """The machine's settings but its policies."""
        return {
            "hold_timeout": self.hold_timeout,
            "lost_turn_grace": self.lost_turn_grace,
            "stall_timeout": self.stall_timeout,
            "stall_grace": self.stall_grace,
            "idle_timeout": self.idle_timeout,
        }

    @property
    def long(self) -> float:
        """Seconds, more than all timeouts together."""
        return 1.0 + sum(seconds or 0.0 for seconds in self.seconds.values())


_TWO_TEXTS = ("", "tea", "stop")
# The same last letter, marks without words, and words without a letter of ASCII: each takes its own way to be compared.
_ODD_TEXTS = ("", " ?!", "tea", "sea", "हाँ", "हाँ।")
_MANY_TEXTS = ("", " ?!", "tea", "Tea.", "sea", "tea 3.5", "tea 35", "हाँ")

_QUICK = (
    Configuration("quick", texts=_TWO_TEXTS, most=330),
    Configuration("quick, with initiatives that wait", texts=("", "tea"), waiting=1, most=200),
    Configuration("quick, with an idle timeout", texts=("", "tea"), idle_timeout=1.0, late_events=True, most=120),
)

# The longest first: they are explored side by side.
_DEFAULT = (
    Configuration("every text a state of its own", stall_grace=0.0, texts=_TWO_TEXTS, exact=True),
    Configuration("events at and after deadlines", idle_timeout=1.0, texts=_TWO_TEXTS, late_events=True),
    Configuration("a hold ends before a stall", stall_timeout=2.0, texts=_TWO_TEXTS, ahead=True),
    Configuration(
        "no grace, and an idle timeout",
        lost_turn_grace=0.0,
        stall_grace=0.0,
        idle_timeout=2.0,
        texts=_TWO_TEXTS,
        late=True,
    ),
    Configuration("texts that are hard to compare", lost_turn_grace=0.0, stall_grace=0.0, texts=_ODD_TEXTS),
    Configuration("a stall comes before a hold ends", hold_timeout=3.0, lost_turn_grace=2.0, late=True),
    Configuration("initiatives that wait", idle_timeout=1.0, texts=("", "tea"), stall_grace=0.0, waiting=2),
)

_DEEP = (
    Configuration("every text a state of its own", exact=True, unanswered=2, late=True),
    Configuration(
        "long timeouts, and an idle timeout",
        hold_timeout=2.0,
        lost_turn_grace=2.0,
        stall_timeout=3.0,
        stall_grace=2.0,
        idle_timeout=3.0,
        late=True,
    ),
    Configuration(
        "events at and after deadlines",
        hold_timeout=2.0,
        stall_timeout=2.0,
        idle_timeout=1.0,
        ahead=True,
        late=True,
        late_events=True,
        unanswered=2,
    ),
    Configuration("many texts", texts=_MANY_TEXTS, ahead=True, late=True, stall_timeout=2.0),
    *_DEFAULT[2:],
)


def configurations(level: str) -> tuple[Configuration, ...]:
    """The configurations of a level.

    Args:
        level: `quick`, `default` or `deep`.

    Raises:
        ConfigError: it is none of these.
    """
    try:
        return {"quick": _QUICK, "default": _DEFAULT, "deep": _DEEP}[level]
    except KeyError:
        raise ConfigError(f"level={level!r}: must be one of {', '.join(LEVELS)}") from None
