"""`turnkit run`: a file to Flux in real time, and what turnkit decides."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import anyio
import typer

from ..errors import TurnkitError
from ..flux import FluxStream, connect
from ..session import Session
from ..trace import Recorder
from ..turns.chart import UserState
from ..turns.events import SIGNALS, Commit
from ..wire import FluxOptions, TurnInfo
from .app import app
from .live_view import View
from .output import JsonFlag, JsonLines, guard, run_async
from .policy_options import SPECULATION_HELP, speculation_policy
from .screen import Screen
from .wav import Wav, read_wav

CHUNK_SECONDS = 0.08
SETTLED_SECONDS = 1.5
"""Silence after the audio before a listening user is believed: Flux announces a turn about 0.6 s after its onset."""


@app.command()
def run(
    audio: Annotated[Path, typer.Argument(help="A WAV file: mono, 16 bits, 8 to 48 kHz.")],
    url: Annotated[
        str, typer.Option(help="Where Flux is; a simulator's ws://127.0.0.1:PORT, say.")
    ] = "wss://api.deepgram.com",
    model: Annotated[str, typer.Option(help="flux-general-en or flux-general-multi.")] = "flux-general-en",
    eot_threshold: Annotated[float, typer.Option(help="Confidence that ends a turn, 0.5 to 1.")] = 0.7,
    eager_eot_threshold: Annotated[
        float, typer.Option(help="Confidence worth a draft, 0.3 to 0.9 and not above the other; 0: no drafts.")
    ] = 0.5,
    eot_timeout_ms: Annotated[int, typer.Option(help="Silence that ends a turn anyway, 500 to 60000.")] = 5000,
    keyterm: Annotated[list[str] | None, typer.Option(help="A term Flux should know; may be repeated.")] = None,
    speculation: Annotated[str, typer.Option(help=f"{SPECULATION_HELP}.")] = "on-eager",
    max_silence: Annotated[
        float, typer.Option(min=0, help="At most so many seconds of silence are sent after the audio.")
    ] = 15.0,
    record: Annotated[
        Path | None, typer.Option(help="Record the call here, for `turnkit replay`: a new file, or a directory.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Stream a WAV file to Flux in real time and print what turnkit decides.

    The key is taken from DEEPGRAM_API_KEY; a simulator needs none. After the audio, silence follows until the last
    turn has ended. Nobody speaks for the agent: a reply is over as soon as it may begin. With --json, each signal
    has the second of the call (seconds) and of the audio (audio_end) it came at, beside the clock's own (at).
    """
    wav = guard(lambda: read_wav(audio))
    options = guard(
        lambda: FluxOptions(
            model=model,
            sample_rate=wav.sample_rate,
            eot_threshold=eot_threshold,
            eager_eot_threshold=eager_eot_threshold or None,
            eot_timeout_ms=eot_timeout_ms,
            keyterm=tuple(keyterm or ()),
        )
    )
    session = guard(
        lambda: Session(
            speculation=speculation_policy(speculation),
            stall_timeout=eot_timeout_ms / 1000 + 3,
            record=None if record is None else Recorder(record, options=options),
        )
    )
    call = _FileCall(session, wav, max_silence)
    view = JsonLines(lambda: call.audio_end) if as_json else View(Screen(), f"turnkit run {audio.name}")
    with view:
        run_async(lambda: call.hold(options, url, view))


class _FileCall:
    """A call whose caller is one file; nobody speaks for the agent."""

    def __init__(self, session: Session, wav: Wav, max_silence: float) -> None:
        self.audio_end = 0.0
        self._session = session
        self._wav = wav
        self._max_silence = max_silence

    async def hold(self, options: FluxOptions, url: str, view: View | JsonLines) -> None:
        began = anyio.current_time()
        for kind in SIGNALS:
            self._session.on(kind, lambda signal: view.show(signal, signal.at - began))
        self._session.on(Commit, self._answer)
        async with connect(options, api_key=os.environ.get("DEEPGRAM_API_KEY") or None, url=url) as stream:
            began = anyio.current_time()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._speak, stream, view)
                await self._session.run(_TimedStream(stream, self))
                tasks.cancel_scope.cancel()

    def _answer(self, commit: Commit) -> None:
        self._session.playback_started(commit.reply)
        self._session.playback_finished(commit.reply)

    async def _speak(self, stream: FluxStream, view: View | JsonLines) -> None:
        size = round(self._wav.sample_rate * CHUNK_SECONDS) * 2
        began, seconds = anyio.current_time(), 0.0
        try:
            while self._goes_on(seconds):
                start = round(seconds / CHUNK_SECONDS) * size
                seconds += CHUNK_SECONDS
                # A chunk is there when its last sample has been spoken.
                await anyio.sleep_until(began + seconds)
                # Where the audio is over, silence: Flux's clock runs on audio only.
                await stream.send_audio(self._wav.audio[start : start + size].ljust(size, b"\0"))
                view.tick(seconds)
            await stream.close()
        except TurnkitError:
            # The reader meets the same end of the stream, and tells it better.
            return

    def _goes_on(self, seconds: float) -> bool:
        silence = seconds - self._wav.seconds
        settled = silence >= SETTLED_SECONDS and self._session.user is UserState.LISTENING
        return not settled and silence < max(self._max_silence, 0.0)


class _TimedStream:
    """The stream as the session reads it; it tells the call how far Flux has heard."""

    def __init__(self, stream: FluxStream, call: _FileCall) -> None:
        self.send_force_end_turn = stream.send_force_end_turn
        self._stream = stream
        self._call = call

    def __aiter__(self) -> _TimedStream:
        return self

    async def __anext__(self) -> object:
        message = await anext(self._stream)
        if isinstance(message, TurnInfo):
            self._call.audio_end = message.audio_window_end
        return message
