"""`turnkit demo --mic`: a call with this machine's microphone and loudspeaker."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple

import msgspec

from ..simulator import serve
from ..tools.demo import OPTIONS
from ..tools.talk import card
from ..tools.talk.call import Display, hold_call
from ..tools.talk.stopwatch import Latency
from ..trace import Recorder
from ..turns.events import Note, NoteKind, ReplyEnded, Signal
from .live_view import View
from .output import JsonLines, fail, guard, run_async, say_json
from .recorded_at import hint_at
from .screen import Screen
from .talking import chosen_bot, found_ear, found_voice, warning_of

_HEADPHONES = "With loudspeakers the bot hears itself: use headphones. Ctrl-C ends the call."


class Asked(NamedTuple):
    """What the command line asks for.

    Attributes:
        ear: the name of the ear; None for the one that there is.
        voice: the language of the voice; None for English.
        bot: who answers.
        llm: the address of an LLM that answers instead.
        model: that this is asked for.
        device: part of the name of the sound device.
    """

    ear: str | None
    voice: str | None
    bot: str
    llm: str | None
    model: str
    device: str | None


def talk(asked: Asked, record: str | None, as_json: bool) -> None:
    """Hold the call until Ctrl-C, and say where it was recorded."""
    ear = found_ear(asked.ear)
    if ear is None:
        fail("--mic: something must listen: pip install 'turnkit[ear]'")
    choice = chosen_bot(asked.bot, asked.llm, asked.model, ear.name)
    voice, device = found_voice(asked.voice), asked.device
    if voice is None:
        fail("--mic: the bot needs a voice: pip install 'turnkit[voice]', or apt-get install libespeak-ng1")
    try:
        guard(lambda: card.check(device, voice.sample_rate))
    except ImportError as error:
        fail(f"--mic: {error}")
    recorder = None
    if record is not None or not as_json:
        target = record or Path(mkdtemp(prefix="turnkit-")) / "call.jsonl"
        recorder = guard(lambda: Recorder(target, options=OPTIONS))
    view = None if as_json else View(Screen(), f"turnkit demo --mic --ear {ear.name}")
    shown: Display = JsonCall() if view is None else ViewedCall(view)

    async def hold() -> None:
        async with serve(ear.ear) as flux:
            microphone = card.microphone(device)
            with card.loudspeaker(voice.sample_rate, device) as sink:
                await hold_call(
                    flux.url, microphone, sink, voice, shown, options=OPTIONS, choice=choice, record=recorder
                )

    with ExitStack() as stack:
        if view is not None:
            stack.enter_context(view)
            view.tell(_HEADPHONES, "bold")
        try:
            run_async(hold)
        finally:
            stack.close()
            if recorder is not None and view is not None:
                hint_at(Screen(), recorder)


class ViewedCall:
    """The call for people, on a live view."""

    def __init__(self, view: View) -> None:
        self._view = view

    def show(self, signal: Signal | ReplyEnded, seconds: float) -> None:
        """Show a signal, and what a Warning of the ear means."""
        self._view.show(signal, seconds)
        if isinstance(signal, Note) and signal.kind is NoteKind.FLUX_WARNING and (told := warning_of(signal.detail)):
            self._view.tell(told, "yellow")

    def tick(self, seconds: float) -> None:
        """Show the time."""
        self._view.tick(seconds)

    def draft(self, reply: int, text: str) -> None:
        """Show nothing: a draft may come to nothing."""

    def said(self, reply: int, heard: str, rest: str) -> None:
        """Show what is heard."""
        self._view.play(heard, rest)

    def failed(self, reply: int, problem: str) -> None:
        """Show why there is no answer."""
        self._view.tell(problem, "red")

    def took(self, latency: Latency) -> None:
        """Show how long the answer took."""
        self._view.tell(str(latency))


class JsonCall:
    """The call for programs, a JSON object a line."""

    def __init__(self) -> None:
        self._lines = JsonLines()

    def show(self, signal: Signal | ReplyEnded, seconds: float) -> None:
        """Print a signal."""
        self._lines.show(signal, seconds)

    def tick(self, seconds: float) -> None:
        """Print nothing."""

    def draft(self, reply: int, text: str) -> None:
        """Print nothing."""

    def said(self, reply: int, heard: str, rest: str) -> None:
        """Print nothing: ReplyEnded says what was heard."""

    def failed(self, reply: int, problem: str) -> None:
        """Print why there is no answer."""
        say_json({"problem": problem, "reply": reply})

    def took(self, latency: Latency) -> None:
        """Print how long the answer took, in seconds."""
        rounded = {name: round(value, 4) if isinstance(value, float) else value for name, value in _fields(latency)}
        say_json({"latency": rounded})


def _fields(latency: Latency) -> list[tuple[str, object]]:
    return list(msgspec.structs.asdict(latency).items())
