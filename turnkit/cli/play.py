"""`turnkit play`: a call in the browser, seen from the inside."""

from __future__ import annotations

import os
import socket
import sys
import webbrowser
from contextlib import suppress
from typing import Annotated, Any

import typer
from rich.text import Text

from .commands import app
from .flux_url import UnencryptedOption, check_url, key_for
from .layout import tell
from .output import RecordCallsOption, calls_directory, fail, guard
from .screen import Screen
from .talking import (
    BotOption,
    EarOption,
    FoundEar,
    LlmOption,
    ModelOption,
    VoiceOption,
    chosen_bot,
    found_ear,
    found_voice,
)


@app.command()
def play(
    host: Annotated[
        str, typer.Option(metavar="HOST", help="Where to listen; this machine only, unless you say so.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="The port to listen at; 0 takes a free one.")
    ] = 8100,
    url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where the microphone's Flux is, if not at Deepgram: a wss:// address, or a simulator's.",
        ),
    ] = None,
    allow_unencrypted: UnencryptedOption = False,
    show: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = True,
    ear: EarOption = None,
    voice: VoiceOption = None,
    bot: BotOption = "booking",
    llm: LlmOption = None,
    model: ModelOption = "gpt-4o-mini",
    record: RecordCallsOption = None,
) -> None:
    """Talk to a bot in the browser, and see every decision as it falls: no key, no network.

    Type as you would speak: your key strokes become words with times in a simulated Flux, a pause in typing is a pause
    in speech, and you interrupt the bot by typing on. Beside it you see who has the floor, how sure Flux is that you
    are done, drafts begun and dropped, and each signal with its why. Move a threshold in the middle of the call, choose
    when the bot gives way, and open the call in the viewer.

    With turnkit[ear] installed you can use the microphone, and the sound stays on this machine; with
    DEEPGRAM_API_KEY set, Flux listens instead, and the key never reaches the page. With turnkit[voice] the bot of the
    microphone is heard, and each answer tells how long it took, and why. Every page is a call of its own.
    Without --record nothing is kept: the recordings end with the command. Ctrl-C ends it.
    """
    try:
        from ..tools.play.serving import serve
        from ..tools.play.speech import Speech
    except ImportError as error:
        fail(str(error))
    from ..interop.web.serving import listening_at

    if url is not None:
        check_url(url, allow_unencrypted=allow_unencrypted)
    flux = _flux(url, allow_unencrypted)
    if ear is not None and flux is not None:
        fail(
            "--ear and --url: give one of them" if url else "--ear: DEEPGRAM_API_KEY is set, and Flux listens; unset it"
        )
    hears = found_ear(ear) if flux is None else None
    choice = chosen_bot(bot, llm, model, hears.name if hears else None)
    spoken = found_voice(voice)
    calls = calls_directory(record)
    listening = guard(lambda: listening_at(host, port))
    with listening:
        address = _address(host, listening.getsockname()[1])
        console = Screen()
        tell(console, Text(f"Talk to it at {address} (Ctrl-C ends it)"))
        tell(console, Text(_told(hears, flux is not None, spoken is not None)))
        if show and _has_windows():
            _open(address)
        try:
            serve(
                listening,
                flux=flux,
                ear=None if hears is None else hears.ear,
                speech=None if spoken is None else Speech(spoken, choice),
                hosts=(host, socket.gethostname()),
                record=calls,
            )
        except KeyboardInterrupt:
            raise typer.Exit(130) from None


def _told(hears: FoundEar | None, flux: bool, aloud: bool) -> str:
    """What the page can do, in a line."""
    answers = "the bot answers aloud" if aloud else "the bot answers in writing, until turnkit[voice] is installed"
    if hears is not None:
        return f"By keys, or by microphone: the ear {hears.name!r} listens on this machine; {answers}."
    if flux:
        return f"By keys, or by microphone: Flux listens; {answers}."
    return "By keys; by microphone too, once turnkit[ear,voice] is installed, or DEEPGRAM_API_KEY set."


def _flux(url: str | None, allow_unencrypted: bool) -> dict[str, Any] | None:
    """What connects the microphone to Flux; None where nothing can."""
    key = os.environ.get("DEEPGRAM_API_KEY") if url is None else key_for(url)
    if not key and url is None:
        return None
    where = {"url": url, "allow_unencrypted": allow_unencrypted} if url else {}
    return {**({"api_key": key} if key else {}), **where}


def _address(host: str, port: int) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _has_windows() -> bool:
    """Whether a browser would open in a window, and not in this terminal."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _open(address: str) -> None:
    with suppress(webbrowser.Error):
        webbrowser.open(address)
