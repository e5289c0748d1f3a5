"""Live view of a conversation: a line a signal, and below them who has the floor.

Without a terminal it is the lines alone, in plain text.
"""

from __future__ import annotations

from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ..turns.events import (
    BargeIn,
    Cancel,
    Commit,
    Hold,
    Note,
    NoteKind,
    Outcome,
    ReplyEnded,
    Resume,
    Signal,
    Speculate,
    TurnDropped,
    TurnStalled,
    TurnStarted,
    TurnUpdated,
    UserIdle,
)
from .layout import flowing, on_terminal, one_line, room

_MEANT = {  # what a Warning of a simulator's ear asks for; its own words are with the simulator
    "EAR_CANNOT_DECODE": ", the ear cannot hear sound in this encoding",
    "EAR_HEARS_NO_SPEECH": ", sound without speech: is it in another encoding? The simulator's output has a guess",
}

_STYLES: dict[type, str] = {
    TurnStarted: "cyan",
    Speculate: "yellow",
    Cancel: "red",
    Commit: "bold green",
    BargeIn: "bold magenta",
    Hold: "magenta",
    Resume: "magenta",
    TurnDropped: "bright_black",
    TurnStalled: "red",
    UserIdle: "blue",
    Note: "bright_black",
    ReplyEnded: "green",
}


_NAME_AT = 9  # the column at which the name of a signal stands, after its second
_TEXT_AT = 22  # the column at which what is said of it stands
_WIDE = 60  # columns from which on further lines begin there too


def describe(signal: Signal | ReplyEnded) -> str:
    """Describe a signal in a few words, without its name and time."""
    match signal:
        case TurnStarted():
            over = "" if signal.overlaps is None else f"  over reply {signal.overlaps}"
            return f"turn {signal.turn}{over}  “{signal.transcript}”"
        case TurnUpdated() | TurnStalled():
            return f"turn {signal.turn}  “{signal.transcript}”"
        case Speculate():
            return f"turn {signal.turn}  reply {signal.reply} drafted at confidence {signal.confidence:.2f}"
        case Cancel():
            return f"{_of(signal.turn)}  reply {signal.reply} cancelled: {signal.reason}"
        case Commit():
            how = f"reply {signal.reply} {'kept, as drafted' if signal.speculative else 'begins'}"
            owed = f", with {len(signal.unanswered)} unanswered" if signal.unanswered else ""
            said = f"  “{signal.transcript}”" if signal.transcript else ""
            said = f", typed{said}" if signal.trigger == "typed" else said
            return f"{_of(signal.turn)}  {how}{owed}{said}"
        case BargeIn():
            who = "nobody" if signal.turn is None else f"turn {signal.turn}"
            return f"{who}  stops reply {signal.reply}: {signal.why}"
        case Hold():
            return f"turn {signal.turn}  pauses reply {signal.reply}: {signal.why}"
        case Resume():
            return f"turn {signal.turn}  reply {signal.reply} goes on: {signal.reason}"
        case TurnDropped():
            why = f", {signal.why}" if signal.why else ""
            return f"turn {signal.turn}  no answer: {signal.reason}{why}  “{signal.transcript}”"
        case UserIdle():
            return f"nobody has spoken, {signal.count} times over"
        case Note():
            meant = _MEANT.get(signal.detail, "") if signal.kind is NoteKind.FLUX_WARNING else ""
            return f"{signal.kind}: {signal.detail}{meant}"
        case ReplyEnded():
            return f"{_of(signal.turn)}  reply {signal.reply} {signal.outcome}{_end_of(signal)}"


def _end_of(ended: ReplyEnded) -> str:
    error = "" if ended.error is None else f": {type(ended.error).__name__}"
    if not ended.reported:
        return f"{error}, nobody reported what was heard"
    if ended.outcome is Outcome.FINISHED:
        return ", heard to its end" if ended.heard else ", with nothing to say"
    return f"{error}, heard “{ended.heard}”" if ended.heard else f"{error}, nothing heard"


def _of(turn: int | None) -> str:
    return "agent " if turn is None else f"turn {turn}"


class View:
    """Shows the conversation on a console; used as a context manager, fed every signal and every report of playback."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._seconds = 0.0
        self._turn: int | None = None
        self._words = ""
        self._draft: int | None = None
        self._reply: int | None = None
        self._reply_is = ""
        self._heard = ""
        self._rest = ""
        self._live = Live(self, console=console, auto_refresh=False, transient=True) if on_terminal(console) else None

    def __enter__(self) -> View:
        if self._live is None:
            self._console.print(self._title, highlight=False, soft_wrap=True, markup=False)
        else:
            try:
                self._live.start()
            except BaseException:  # Ctrl-C in the middle of it: the terminal gets its cursor back
                self._live.stop()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def tick(self, seconds: float) -> None:
        """Set the clock of the view to `seconds`."""
        self._seconds = seconds
        if self._live is not None:
            self._live.refresh()

    def show(self, signal: Signal | ReplyEnded, seconds: float) -> None:
        """Show a signal, at this second of the conversation."""
        silent = isinstance(signal, TurnUpdated) or (
            # The Cancel has said it.
            isinstance(signal, ReplyEnded) and signal.outcome is Outcome.CANCELLED
        )
        if not silent:
            self._print(seconds, type(signal).__name__, _STYLES[type(signal)], describe(signal))
        self._follow(signal)
        self.tick(seconds)

    def play(self, heard: str, rest: str) -> None:
        """Show the agent's reply: what of it has been heard, and what is to come."""
        if not heard:
            self._print(None, "", "", f"agent   “{rest}”")
        self._heard, self._rest = heard, rest
        self._reply_is = "speaking"

    def tell(self, text: str, style: str = "bright_black") -> None:
        """Show a line that is no signal."""
        self._print_line(Text.assemble(" " * _TEXT_AT, (text, style)))

    def _print(self, seconds: float | None, name: str, style: str, text: str) -> None:
        when = " " * 9 if seconds is None else f"{seconds:7.2f}  "
        line = Text.assemble((when, "bright_black"), (f"{name:<13}", style), (text, "" if name else "green"))
        self._print_line(line)

    def _print_line(self, line: Text) -> None:
        width = room(self._console)
        hang = _TEXT_AT if width is None or width >= _WIDE else _NAME_AT
        for part in flowing(line, width, hang):
            self._console.print(part, soft_wrap=True, highlight=False)

    def _finish(self, reply: int) -> None:
        if reply == self._reply:
            self._reply, self._reply_is, self._heard, self._rest = None, "", "", ""

    def _follow(self, signal: Signal | ReplyEnded) -> None:
        match signal:
            case TurnStarted() | TurnUpdated():
                self._turn, self._words = signal.turn, signal.transcript
            case Speculate():
                self._draft = signal.reply
            case Cancel():
                self._draft = None if self._draft == signal.reply else self._draft
                self._finish(signal.reply)
            case Commit():
                self._turn = None if signal.turn == self._turn else self._turn
                self._draft, self._reply, self._reply_is = None, signal.reply, "about to speak"
            case BargeIn() | ReplyEnded():
                self._finish(signal.reply)
            case Hold():
                self._reply_is = "held"
            case Resume():
                self._reply_is = "speaking"
            case TurnDropped():
                self._turn = None if signal.turn == self._turn else self._turn
            case _:
                pass

    def __rich__(self) -> RenderableType:
        floor = (
            "user" if self._turn is not None and not self._heard else "agent" if self._reply is not None else "nobody"
        )
        if self._turn is not None and self._heard:
            floor = "agent, disputed"
        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(width=6)
        table.add_column(width=16)
        table.add_column(ratio=1)
        user = "● speaking" if self._turn is not None else "○ listening"
        words = Text(self._words, style="bold cyan" if self._turn is not None else "bright_black", overflow="ellipsis")
        table.add_row("user", Text(user, style="cyan"), _one_line(words))
        agent = f"● {self._reply_is}" if self._reply is not None else "○ silent"
        reply = Text.assemble((self._heard, "bold green"), " ", (self._rest, "bright_black"))
        if self._draft is not None and self._reply is None:
            agent, reply = "◌ drafting", Text(f"reply {self._draft}: not to be heard yet", style="yellow")
        table.add_row("agent", Text(agent, style="green"), _one_line(reply))
        title = Text.assemble((f"{self._seconds:6.2f} s", "bold"), "  the floor: ", (floor, "bold"))
        # Terminals show a Ctrl-C as ^C at the end of the last line: a line that had no room for it would be broken in
        # two, and the panel could not be erased.
        width = max(self._console.width - len("^C"), 1)
        return Group(
            Panel(table, title=title, title_align="left", subtitle=self._title, subtitle_align="right", width=width)
        )


def _one_line(text: Text) -> Text:
    text = one_line(text)
    text.no_wrap = True
    text.overflow = "ellipsis"
    return text
