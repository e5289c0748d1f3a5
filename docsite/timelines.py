"""What happens in a call, on the axis of time."""

from __future__ import annotations

from .svg import Picture, width_of

LEFT = 92  # where the second 0 is
SCALE = 85  # pixels a second


def _x(second: float) -> float:
    return LEFT + second * SCALE


class Timeline:
    """Lanes one below the other, and what happens in them.

    Args:
        picture: where it is drawn.
        lanes: the name and the middle of each.
    """

    def __init__(self, picture: Picture, lanes: dict[str, int]) -> None:
        self._picture = picture
        self._lanes = lanes
        for name, y in lanes.items():
            picture.text(14, y + 4, _NAMES.get(name, name), css="strong", anchor="start", ink=name)
            picture.line(LEFT, y, picture.width - 14, y, "line", ' stroke-dasharray="2 5"')

    def bar(self, lane: str, start: float, end: float, text: str, ink: str = "", *, ghost: bool = False) -> None:
        """Draw a stretch of time in which somebody does something; as a ghost, would have done it."""
        y, ink = self._lanes[lane], ink or lane
        width = (end - start) * SCALE
        assert ghost or width_of(text, 12) < width, text
        dashes = ' stroke-dasharray="4 3"' if ghost else ""
        self._picture.box(_x(start), y - 14, width, 28, "paper" if ghost else f"{ink}-tint", ink, more=dashes)
        self._picture.text(_x(start) + width / 2, y + 4, text, css="small slant" if ghost else "small")

    def event(self, second: float, name: str, *, before: bool = False) -> None:
        """Write what Flux says, after the moment or, in a row of its own, before it."""
        y = self._lanes["flux"] + (13 if before else -4)
        x, anchor = (_x(second) - 5, "end") if before else (_x(second) + 5, "start")
        self._picture.text(x, y, name, css="code", anchor=anchor, ink="flux")

    def moment(self, second: float, top: str, bottom: str, ink: str = "line") -> None:
        """Draw a line down through the lanes at a moment."""
        self._picture.line(
            _x(second), self._lanes[top] - 18, _x(second), self._lanes[bottom] + 18, ink, ' stroke-opacity="0.75"'
        )

    def signal(self, second: float, name: str, ink: str = "turnkit") -> None:
        """Write what turnkit decides, as a plate."""
        y = self._lanes["turnkit"]
        half = width_of(name, 13) / 2 + 7
        self._picture.box(_x(second) - half, y - 13, 2 * half, 26, f"{ink}-tint", ink, radius=13)
        self._picture.text(_x(second), y + 4, name, css="small strong", ink=ink)


_NAMES = {"flux": "Flux", "llm": "LLM"}


def turn() -> Picture:
    """One turn from its first word to the barge-in that ends its answer."""
    picture = Picture(
        800,
        364,
        "A turn, from its first word to a barge-in",
        "The caller says: I'd like a table, pauses, and goes on: for two please. In the pause comes EagerEndOfTurn; "
        "turnkit says Speculate, and the LLM begins a draft. TurnResumed takes it back: Cancel. At the second "
        "EagerEndOfTurn another draft begins; at EndOfTurn turnkit says Commit, and the voice is heard at once, as the "
        "draft is there. The caller says: Sorry, three. At StartOfTurn turnkit says BargeIn: the voice stops, and the "
        "history holds what was heard of it.",
    )
    line = Timeline(picture, {"caller": 40, "flux": 104, "turnkit": 166, "llm": 222, "voice": 278})
    for second, bottom, ink in ((0.45, "turnkit", "line"), (1.9, "llm", "llm"), (2.72, "llm", "stop")):
        line.moment(second, "flux", bottom, ink)
    for second, bottom, ink in ((4.05, "llm", "llm"), (4.95, "voice", "turnkit"), (7.05, "voice", "stop")):
        line.moment(second, "flux", bottom, ink)
    line.bar("caller", 0.3, 1.55, "“I'd like a table")
    line.bar("caller", 2.55, 3.7, "for two please”")
    line.bar("caller", 6.85, 8.0, "“Sorry, three”")
    picture.text(_x(2.05), 44, "a pause", css="small soft")
    line.event(0.45, "StartOfTurn")
    line.event(1.9, "EagerEndOfTurn", before=True)
    line.event(2.72, "TurnResumed")
    line.event(4.05, "EagerEndOfTurn", before=True)
    line.event(4.95, "EndOfTurn")
    line.event(7.05, "StartOfTurn")
    line.signal(0.62, "TurnStarted")
    line.signal(1.9, "Speculate")
    line.signal(2.72, "Cancel", "stop")
    line.signal(4.05, "Speculate")
    line.signal(4.95, "Commit")
    line.signal(7.05, "BargeIn", "stop")
    line.bar("llm", 1.9, 2.72, "dropped", "stop")
    line.bar("llm", 4.05, 5.5, "a draft, kept")
    line.bar("voice", 7.05, 8.15, "never heard", "stop", ghost=True)
    line.bar("voice", 5.1, 7.05, "“Of course. At what”")
    picture.line(_x(4.95), 318, _x(5.1), 318, "voice")
    picture.line(_x(4.95), 312, _x(4.95), 324, "voice")
    picture.line(_x(5.1), 312, _x(5.1), 324, "voice")
    picture.text(
        _x(4.95) - 9, 322, "the wait: the answer was begun before the turn was final", css="small", anchor="end"
    )
    picture.text(
        14, 350, "Before the Commit nothing is heard and no tool takes effect.", css="small soft", anchor="start"
    )
    picture.text(786, 350, "What goes into the history is what was heard.", css="small soft", anchor="end")
    return picture


def overlap() -> Picture:
    """What a policy makes of words that come while the agent speaks."""
    picture = Picture(
        800,
        262,
        "Words over the agent: a backchannel and an interruption",
        "With HoldThenDecide(IgnoreBackchannels()). At the first word of the caller the voice is paused: Hold. If the "
        "caller says mm-hm, the voice goes on where it fell silent: Resume, and the turn gets no answer. If the caller "
        "says no, wait, it stops: BargeIn, and the turn is answered.",
    )
    line = Timeline(picture, {"caller": 70, "turnkit": 130, "voice": 190})
    picture.text(_x(0.0), 30, "“mm-hm”: the agent goes on", css="strong", anchor="start")
    picture.text(_x(4.4), 30, "“no, wait”: the agent stops", css="strong", anchor="start")
    picture.line(_x(4.2), 18, _x(4.2), 222, "line")
    for second, ink in ((1.1, "turnkit"), (2.2, "voice"), (5.5, "turnkit"), (6.4, "stop")):
        line.moment(second, "caller", "voice", ink)
    line.bar("caller", 1.0, 1.85, "“Mm-hm.”")
    line.bar("caller", 5.4, 6.6, "“No, wait”")
    line.signal(1.1, "Hold")
    line.signal(2.2, "Resume", "voice")
    line.signal(5.5, "Hold")
    line.signal(6.4, "BargeIn", "stop")
    line.bar("voice", 0.1, 1.1, "“We open")
    line.bar("voice", 2.2, 4.0, "at nine, all week.”")
    line.bar("voice", 4.5, 5.5, "“We open")
    line.bar("voice", 6.4, 7.9, "never heard", "stop", ghost=True)
    picture.text(_x(1.65), 194, "silent", css="small soft")
    picture.text(_x(5.95), 194, "silent", css="small soft")
    picture.text(_x(0.1), 244, "No answer; the next turn does not hold it.", css="small soft", anchor="start")
    picture.text(_x(4.5), 244, "The turn goes on, and is answered.", css="small soft", anchor="start")
    return picture
