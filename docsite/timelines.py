"""What happens in a call, on the axis of time: from left to right, and for narrow screens from top to bottom."""

from __future__ import annotations

from typing import NamedTuple

from .svg import Picture, width_of

_NAMES = {"flux": "Flux", "llm": "LLM"}


class Stretch(NamedTuple):
    """A stretch of time in which somebody does something.

    Attributes:
        lane: whose.
        start: in seconds.
        end: in seconds.
        text: what it is; where lines may be broken if need be.
        ink: the name of its colour; the lane's if empty.
        ghost: whether it did not happen.
    """

    lane: str
    start: float
    end: float
    text: str
    ink: str = ""
    ghost: bool = False


class Moment(NamedTuple):
    """What Flux says, what turnkit makes of it, and down to which lane that is felt.

    Attributes:
        second: when.
        event: what Flux says; nothing if empty.
        signal: what turnkit says.
        lane: the last one that it concerns.
        ink: the name of its colour.
    """

    second: float
    event: str
    signal: str
    lane: str
    ink: str = "turnkit"


class Timeline:
    """Lanes one below the other.

    Args:
        picture: where it is drawn.
        lanes: the middle of each, in pixels.
        left: where the second 0 is.
        scale: pixels a second.
    """

    def __init__(self, picture: Picture, lanes: dict[str, int], left: float, scale: float) -> None:
        self._picture = picture
        self._lanes = lanes
        self._left = left
        self._scale = scale

    def x(self, second: float) -> float:
        """Where a moment is."""
        return self._left + second * self._scale

    def name_lanes(self, end: float) -> None:
        """Write whose each is, and draw it as far as a second."""
        for name, y in self._lanes.items():
            self._picture.text(14, y + 4, _NAMES.get(name, name), css="strong", anchor="start", ink=name)
            if name != "flux":
                self._picture.line(self.x(0), y, self.x(end), y, "line", ' stroke-dasharray="2 5"')

    def stretch(self, one: Stretch) -> None:
        """Draw a stretch as a bar with its words in it."""
        y, ink = self._lanes[one.lane], one.ink or one.lane
        width = (one.end - one.start) * self._scale
        assert width_of(one.text, 12) < width, one.text
        dashes = ' stroke-dasharray="4 3"' if one.ghost else ""
        fill = "paper" if one.ghost else f"{ink}-tint"
        self._picture.box(self.x(one.start), y - 15, width, 30, fill, ink, radius=7, more=dashes)
        self._picture.text(self.x(one.start) + width / 2, y + 4, one.text, css="small slant" if one.ghost else "small")

    def moment(self, one: Moment) -> None:
        """Draw a line from the caller through the lanes that it concerns."""
        x, top, bottom = self.x(one.second), self._lanes["caller"] + 15, self._lanes[one.lane]
        self._picture.line(x, top, x, bottom, one.ink, ' stroke-opacity="0.8"')

    def plate(self, one: Moment) -> None:
        """Write what Flux says, and what turnkit decides as a plate, over the lines."""
        x = self.x(one.second)
        if one.event:
            self._picture.text(x, self._lanes["flux"] + 4, one.event, css="code over", ink="flux")
        _plate(self._picture, x, self._lanes["turnkit"], one)


def _plate(picture: Picture, x: float, y: float, one: Moment) -> None:
    half = width_of(one.signal, 13) / 2 + 8
    picture.box(x - half, y - 13, 2 * half, 26, f"{one.ink}-tint", one.ink, radius=13)
    picture.text(x, y + 4, one.signal, css="small strong", ink=one.ink)


_EAGER, _COMMIT, _SOUND, _BARGE = 4.2, 5.1, 5.25, 6.75
_MOMENTS = (
    Moment(0.55, "StartOfTurn", "TurnStarted", "turnkit"),
    Moment(1.85, "EagerEndOfTurn", "Speculate", "llm", "llm"),
    Moment(2.95, "TurnResumed", "Cancel", "llm", "stop"),
    Moment(_EAGER, "EagerEndOfTurn", "Speculate", "llm", "llm"),
    Moment(_COMMIT, "EndOfTurn", "Commit", "voice", "voice"),
    Moment(_BARGE, "StartOfTurn", "BargeIn", "voice", "stop"),
)
_STRETCHES = (
    Stretch("caller", 0.3, 1.55, "“I'd like a table"),
    Stretch("caller", 2.75, 3.9, "for two, please”"),
    Stretch("caller", 6.55, 7.6, "“Sorry, three”"),
    Stretch("llm", 1.85, 2.95, "draft, dropped", "stop"),
    Stretch("llm", _EAGER, 5.7, "draft, kept"),
    Stretch("voice", _SOUND, _BARGE, "“Of course. At what"),
    Stretch("voice", _BARGE, 7.7, "never heard", "stop", ghost=True),
)
_TITLE = "A turn, from its first word to a barge-in"
_SHOWN = (
    "The caller says: I'd like a table, pauses, and goes on: for two, please. In the pause comes EagerEndOfTurn; "
    "turnkit says Speculate, and the LLM begins a draft. TurnResumed takes it back: Cancel. At the second "
    "EagerEndOfTurn another draft begins; at EndOfTurn turnkit says Commit, and the voice is heard 0.15 s later, as "
    "the draft is there; without it, it would be a second. Until the Commit nothing is heard and no tool takes "
    "effect. The caller says: Sorry, three. At StartOfTurn turnkit says BargeIn: the voice stops, and the history "
    "holds what was heard of it."
)


def turn() -> Picture:
    """One turn from its first word to the barge-in that ends its answer."""
    picture = Picture(800, 356, _TITLE, _SHOWN)
    line = Timeline(picture, {"caller": 34, "flux": 84, "turnkit": 118, "llm": 178, "voice": 258}, 84, 92)
    line.name_lanes(7.7)
    for moment in _MOMENTS:
        line.moment(moment)
    _door(picture, line, 218)
    for stretch in _STRETCHES:
        line.stretch(stretch)
    for moment in _MOMENTS:
        line.plate(moment)
    picture.text(line.x(2.15), 38, "a pause", css="small soft")
    _measure(picture, line.x(_COMMIT), line.x(_SOUND), 296, "voice", "the caller waits 0.15 s")
    _measure(picture, line.x(_COMMIT), line.x(_COMMIT + 1), 322, "soft", "without the draft, 1 s")
    for second in range(8):
        picture.text(line.x(second), 346, f"{second} s", css="small soft")
    picture.text(14, 296, "The draft began before the turn was final:", css="small soft", anchor="start")
    picture.text(14, 314, "that is the time it saves.", css="small soft", anchor="start")
    return picture


def _door(picture: Picture, line: Timeline, y: float) -> None:
    """What may be heard, which is nothing until the Commit."""
    picture.text(14, y + 4, "heard", css="small soft", anchor="start")
    parts = (
        (0.0, _COMMIT, "nothing is heard, and no tool takes effect", "line"),
        (_COMMIT, _BARGE, "may be heard", "voice"),
        (_BARGE, 7.7, "silent", "line"),
    )
    for start, end, text, ink in parts:
        fill = "voice-tint" if ink == "voice" else "panel"
        picture.box(line.x(start), y - 10, line.x(end) - line.x(start), 20, fill, ink, radius=0)
        picture.text((line.x(start) + line.x(end)) / 2, y + 4, text, css="small soft")


def _measure(picture: Picture, start: float, end: float, y: float, ink: str, text: str) -> None:
    picture.line(start, y, end, y, ink)
    for x in (start, end):
        picture.line(x, y - 5, x, y + 5, ink)
    picture.text(end + 9, y + 4, text, css="small strong" if ink == "voice" else "small soft", anchor="start")


class _Column(NamedTuple):
    middle: int
    width: int


def turn_narrow() -> Picture:
    """The same for a narrow screen: time runs down."""
    columns = {
        "caller": _Column(48, 80),
        "turnkit": _Column(152, 108),
        "llm": _Column(246, 60),
        "voice": _Column(317, 68),
    }
    top, scale = 34.0, 84.0
    picture = Picture(360, 740, _TITLE, _SHOWN)
    for name, column in columns.items():
        label = "Flux, turnkit" if name == "turnkit" else _NAMES.get(name, name)
        picture.text(column.middle, 24, label, css="strong", ink=name)
        if name != "turnkit":
            picture.line(column.middle, top, column.middle, top + 7.7 * scale, "line", ' stroke-dasharray="2 5"')
    for one in _MOMENTS:
        y = top + one.second * scale
        end = columns[one.lane]
        last = end.middle + end.width / 2 if one.lane != "turnkit" else end.middle
        picture.line(columns["caller"].middle, y, last, y, one.ink, ' stroke-opacity="0.8"')
    for stretch in _STRETCHES:
        column, ink = columns[stretch.lane], stretch.ink or stretch.lane
        y, height = top + stretch.start * scale, (stretch.end - stretch.start) * scale
        fill = "paper" if stretch.ghost else f"{ink}-tint"
        dashes = ' stroke-dasharray="4 3"' if stretch.ghost else ""
        left = column.middle - column.width / 2
        picture.box(left, y, column.width, height, fill, ink, radius=7, more=dashes)
        lines = _broken(stretch.text, column.width - 8)
        for count, text in enumerate(lines):
            below = y + height / 2 + 4 + 16 * (count - (len(lines) - 1) / 2)
            picture.text(column.middle, below, text, css="small slant" if stretch.ghost else "small")
    for one in _MOMENTS:
        y = top + one.second * scale
        picture.text(columns["turnkit"].middle, y - 19, one.event, css="code over", ink="flux")
        _plate(picture, columns["turnkit"].middle, y, one)
    picture.text(columns["caller"].middle, top + 2.2 * scale, "a pause", css="small soft over")
    picture.text(180, 706, "Until the Commit nothing is heard. The caller waits", css="small soft")
    picture.text(180, 724, "0.15 s after the turn's end; without the draft, 1 s.", css="small soft")
    return picture


def _broken(text: str, width: float) -> list[str]:
    """A text in lines that are no wider than so much."""
    lines: list[str] = []
    for word in text.split():
        if lines and width_of(f"{lines[-1]} {word}", 12) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


_OVERLAP_TITLE = "Words over the agent: a backchannel and an interruption"
_OVERLAP_SHOWN = (
    "With HoldThenDecide(IgnoreBackchannels()). At the first word of the caller the voice is paused: Hold. If the "
    "caller says mm-hm, the voice goes on where it fell silent: Resume, and the turn gets no answer. If the caller "
    "says no, wait, it stops: BargeIn, and the turn is answered."
)


class _Case(NamedTuple):
    title: str
    end: str
    stretches: tuple[Stretch, ...]
    moments: tuple[Moment, ...]


_CASES = (
    _Case(
        "“Mm-hm”: the agent goes on",
        "No answer, and no part of the next turn.",
        (
            Stretch("caller", 1.0, 1.9, "“Mm-hm”"),
            Stretch("voice", 0.1, 1.1, "“We open"),
            Stretch("voice", 2.3, 3.6, "at nine, daily.”"),
        ),
        (Moment(1.1, "", "Hold", "voice", "turnkit"), Moment(2.3, "", "Resume", "voice", "voice")),
    ),
    _Case(
        "“No, wait”: the agent stops",
        "The turn goes on, and is answered.",
        (
            Stretch("caller", 1.0, 2.4, "“No, wait”"),
            Stretch("voice", 0.1, 1.1, "“We open"),
            Stretch("voice", 2.2, 3.6, "never heard", "stop", ghost=True),
        ),
        (Moment(1.1, "", "Hold", "voice", "turnkit"), Moment(2.2, "", "BargeIn", "voice", "stop")),
    ),
)


def _case(picture: Picture, case: _Case, line: Timeline, top: int, *, named: bool) -> None:
    picture.text(line.x(0.1), top + 28, case.title, css="strong", anchor="start")
    if named:
        line.name_lanes(3.7)
    for moment in case.moments:
        line.moment(moment)
    for stretch in case.stretches:
        line.stretch(stretch)
    for moment in case.moments:
        line.plate(moment)
    picture.text(line.x(1.67), top + 174, "silent", css="small soft over")
    picture.text(line.x(0.1), top + 218, case.end, css="small soft", anchor="start")


def overlap() -> Picture:
    """What a policy makes of words that come while the agent speaks."""
    picture = Picture(800, 236, _OVERLAP_TITLE, _OVERLAP_SHOWN)
    lanes = {"caller": 62, "turnkit": 114, "voice": 170}
    first, second = Timeline(picture, lanes, 84, 92), Timeline(picture, lanes, 450, 92)
    first.name_lanes(7.7)
    picture.line(437, 16, 437, 222, "line")
    _case(picture, _CASES[0], first, 0, named=False)
    _case(picture, _CASES[1], second, 0, named=False)
    return picture


def overlap_narrow() -> Picture:
    """The same for a narrow screen: one below the other."""
    picture = Picture(360, 472, _OVERLAP_TITLE, _OVERLAP_SHOWN)
    for case, top in zip(_CASES, (0, 236), strict=True):
        lanes = {"caller": top + 62, "turnkit": top + 114, "voice": top + 170}
        _case(picture, case, Timeline(picture, lanes, 66, 76), top, named=True)
    picture.line(14, 236, 346, 236, "line")
    return picture
