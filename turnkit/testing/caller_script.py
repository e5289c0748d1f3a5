"""What a caller does, as text: a line an utterance.

    1.0              I'd like a table [eager] for two, please.    # second 1.0; a draft that comes to nothing
    +0.5             Thanks.                                      # 0.5 s after the line before it
    @speaking+0.4    Sorry, (0.7) for three. [end]                # 0.4 s after the agent is first heard; no draft
    @"at eight"      Wait!                                        # once these words of the agent have been heard
    @done+2          [hang up]                                    # 2 s after the agent has finished

Words follow each other at about three a second, with pauses as seconds in parentheses; `#` begins a comment. What Flux
makes of them stands in brackets, with the seconds that pass before it:

    [eager 0.3]      an eager end of turn; words after it resume the turn by themselves
    [resumed 0.3]    the turn goes on, though there are no new words yet
    [end 0.3]        the end of the turn, judged by the model; [timeout 5.0] and [forced 0] are the other triggers
    [as WORDS]       Flux now takes all that was said in this turn for WORDS, or for nothing; told with what comes next
    [open]           the turn does not end with its line
    [lost 0] [restored 0]    the stream to Flux breaks; it is back
    [hang up 0]      the call ends here; without it, it ends with the last line

A line whose turn does not end in it ends with [eager] [end], or with [end] if an eager end was its last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..errors import ConfigError
from ..simulator.script import say

Kind: TypeAlias = Literal["word", "as", "eager", "resumed", "end", "timeout", "forced", "lost", "restored", "hang up"]

SECONDS = {
    "eager": 0.3,
    "resumed": 0.3,
    "end": 0.3,
    "timeout": 5.0,
    "forced": 0.0,
    "lost": 0.0,
    "restored": 0.0,
    "hang up": 0.0,
}
"""The steps in brackets, and how long each takes if its line does not say."""

_ENDS = {"end", "timeout", "forced", "lost"}
_LINE = re.compile(
    r"(?:(?P<plus>\+?)(?P<at>\d+(?:\.\d+)?)|@(?:(?P<event>speaking|done)|\"(?P<heard>[^\"]+)\")(?:\+(?P<after>\d+(?:\.\d+)?))?)"
    r"\s+(?P<steps>\S.*)",
    re.ASCII,
)
_STEP = re.compile(r"\[(?P<inside>[^\[\]]*)\]|(?P<words>[^\[\]]+)|(?P<stray>[\[\]])")
_INSIDE = re.compile(rf"(?P<kind>{'|'.join(SECONDS)})(?:\s+(?P<seconds>\d+(?:\.\d+)?))?", re.ASCII)


@dataclass(frozen=True)
class LineStart:
    """When a line begins: so many seconds after something.

    Attributes:
        after: `start` of the call; end of the `line` before; the agent is `speaking`: its first sound is heard; it is
            `done`: it has finished; words of it are `heard`.
        seconds: How long after that.
        words: The words of the agent that must have been heard; empty otherwise.
    """

    after: Literal["start", "line", "speaking", "done", "heard"]
    seconds: float
    words: str = ""


@dataclass(frozen=True)
class Step:
    """One thing that happens in a line.

    Attributes:
        kind: A word, or what stands in brackets.
        seconds: How long after the step before.
        text: The word, or the words of `as`; empty otherwise.
    """

    kind: Kind
    seconds: float
    text: str = ""


@dataclass(frozen=True)
class ScriptLine:
    """One line of a script.

    Attributes:
        start: When it begins.
        steps: What happens then.
        number: Its number in the script, from 1.
    """

    start: LineStart
    steps: tuple[Step, ...]
    number: int


def parse(text: str, source: str = "caller") -> tuple[ScriptLine, ...]:
    """Read a script.

    Args:
        text: The script, as the docstring of this module has it.
        source: What messages call it. Default `caller`.

    Returns:
        Its lines, without those that are blank or comments.

    Raises:
        ConfigError: It cannot be played; told with line, value and rule.
    """
    lines: list[ScriptLine] = []
    for number, line in enumerate(text.splitlines(), start=1):
        written = line.partition("#")[0].strip()
        if written:
            try:
                lines.append(_line(written, number))
            except ConfigError as error:
                raise ConfigError(f"{source}, line {number}: {error}") from None
    if not lines:
        raise ConfigError(f"{source}: nothing is said in it; a line is a second and words, such as: 1.0 Hello.")
    return tuple(lines)


def _line(written: str, number: int) -> ScriptLine:
    match = _LINE.fullmatch(written)
    if match is None:
        raise ConfigError(
            f"{written[:60]!r}: must begin with when it is said, 1.0 or +0.5 or @speaking+0.4 or @done or "
            '@"words of the agent", and go on with words or [steps]'
        )
    if match["at"] is not None:
        start = LineStart("line" if match["plus"] else "start", float(match["at"]))
    else:
        after = float(match["after"] or 0.0)
        start = LineStart("speaking" if match["event"] == "speaking" else "done", after)
        if match["heard"] is not None:
            start = LineStart("heard", after, match["heard"])
    return ScriptLine(start, tuple(_completed(list(_steps(match["steps"])))), number)


def _steps(written: str) -> Iterator[Step | None]:
    """The steps as they stand; None for [open]."""
    for match in _STEP.finditer(written):
        if match["stray"]:
            raise ConfigError(f"{written!r}: brackets must come in pairs, as in [eager 0.3]")
        if match["words"]:
            if match["words"].strip():
                yield from _words(match["words"])
            continue
        inside = match["inside"].strip()
        if inside == "open":
            yield None
        elif inside == "as" or inside.startswith("as "):
            yield Step("as", 0.0, inside[3:].strip())
        else:
            step = _INSIDE.fullmatch(inside)
            if step is None:
                raise ConfigError(
                    f"[{inside}]: must be one of {', '.join(f'[{kind}]' for kind in SECONDS)}, with seconds if need "
                    "be, or [as WORDS] or [open]"
                )
            kind: Kind = step["kind"]  # type: ignore[assignment]
            yield Step(kind, SECONDS[kind] if step["seconds"] is None else float(step["seconds"]))


def _words(written: str) -> Iterator[Step]:
    end = 0.0
    for word in say(written.strip(), at=0.0).words:
        yield Step("word", round(word.end - end, 4), word.text)
        end = word.end


def _completed(steps: list[Step | None]) -> Iterator[Step]:
    """The steps with what stands for itself: words resume a turn, and a line ends its turn."""
    last: str | None = None
    turn = False  # whether anything of a turn is in the line
    for place, step in enumerate(steps):
        if step is None:
            if place != len(steps) - 1:
                raise ConfigError("[open]: must be the last of its line")
            return
        if last == "hang up":
            raise ConfigError(f"[{step.kind}]: nothing can come after [hang up]")
        if step.kind != "as":
            last = step.kind
            turn = step.kind not in _ENDS and (turn or step.kind not in ("restored", "hang up"))
        yield step
    if turn and last in ("word", "resumed"):
        yield Step("eager", SECONDS["eager"])
    if turn and last != "hang up":
        yield Step("end", SECONDS["end"])
