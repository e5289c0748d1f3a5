"""`turnkit run`: a file to Flux in real time, and what turnkit decides."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Annotated, TypeAlias

import anyio
import typer

from ..errors import TurnkitError
from ..flux import FluxStream, connect
from ..session import Session
from ..trace import Recorder
from ..turns.chart import UserState
from ..turns.events import SIGNALS, Commit
from ..wire import FluxOptions, TurnInfo
from .commands import app
from .flux_url import UnencryptedOption, check_url, key_for
from .live_view import View
from .output import JsonFlag, JsonLines, RecordOption, guard, run_async, warn
from .policy_options import SPECULATION_HELP, speculation_policy
from .recorded_at import hint_at
from .screen import Screen
from .threshold_options import EagerEotThresholdOption, EotThresholdOption
from .wav import WavSource

CHUNK_SECONDS = 0.08
SETTLED_SECONDS = 1.5
"""Silence after the audio before a listening user is believed: Flux announces a turn about 0.6 s after its onset."""

_Flux: TypeAlias = Callable[[], AbstractAsyncContextManager[FluxStream]]
_OPTIONS = {name: f"--{name.replace('_', '-')}" for name in ("eot_threshold", "eager_eot_threshold", "eot_timeout_ms")}
"""The options that Flux's are given with, where those have other names."""


@app.command()
def run(
    audio: Annotated[
        Path, typer.Argument(help="A WAV file: PCM of 8 to 32 bits, float, µ-law or A-law; - reads a pipe.")
    ],
    url: Annotated[
        str, typer.Option(metavar="URL", help="Where Flux is; a simulator's ws://127.0.0.1:PORT, say.")
    ] = "wss://api.deepgram.com",
    model: Annotated[
        str, typer.Option(metavar="NAME", help="Which Flux: flux-general-en or flux-general-multi.")
    ] = "flux-general-en",
    eot_threshold: EotThresholdOption = 0.7,
    eager_eot_threshold: EagerEotThresholdOption = 0.5,
    eot_timeout_ms: Annotated[
        int, typer.Option(metavar="MS", help="Milliseconds of silence that end a turn anyway, 500 to 60000.")
    ] = 5000,
    keyterm: Annotated[
        list[str] | None, typer.Option(metavar="TERM", help="A term Flux should know. May be repeated.")
    ] = None,
    speculation: Annotated[
        str, typer.Option(metavar="POLICY", help=f"When drafts begin: {SPECULATION_HELP}.")
    ] = "on-eager",
    max_silence: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="At most so many seconds of silence are sent after the audio."),
    ] = 15.0,
    channel: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Which channel of several is the caller's; 1 is the left one."),
    ] = None,
    record: RecordOption = None,
    allow_unencrypted: UnencryptedOption = False,
    as_json: JsonFlag = False,
) -> None:
    """Stream a WAV file to Flux in real time and print what turnkit decides.

    The key is taken from DEEPGRAM_API_KEY; a simulator needs none. After the audio, silence follows until the last
    turn has ended. Nobody speaks for the agent: a reply is over as soon as it may begin. With --json, each signal
    has the second of the call (seconds) and of the audio (audio_end) it came at, beside the clock's own (at).

    Other rates than 8, 16, 24, 44.1 and 48 kHz are resampled where turnkit[wav] is installed. Whatever ffmpeg can
    read, a microphone too, comes through a pipe:

        ffmpeg -v error -i CALL.mp3 -ac 1 -ar 16000 -f wav - | turnkit run -
    """
    check_url(url, allow_unencrypted=allow_unencrypted)
    with guard(lambda: WavSource(audio, channel)) as wav:
        options = guard(
            lambda: FluxOptions(
                model=model,
                encoding=wav.encoding,
                sample_rate=wav.sample_rate,
                eot_threshold=eot_threshold,
                eager_eot_threshold=eager_eot_threshold or None,
                eot_timeout_ms=eot_timeout_ms,
                keyterm=tuple(keyterm or ()),
            ),
            _OPTIONS,
        )
        recorder = None if record is None else guard(lambda: Recorder(record, options=options))
        session = guard(
            lambda: Session(
                speculation=speculation_policy(speculation),
                stall_timeout=eot_timeout_ms / 1000 + 3,
                record=recorder,
            )
        )
        key = key_for(url)
        call = _FileCall(
            session,
            wav,
            max_silence,
            lambda: connect(options, api_key=key, url=url, allow_unencrypted=allow_unencrypted),
        )
        known = wav.cut_off
        if known:
            warn(known)
        try:
            with JsonLines(lambda: call.audio_end) if as_json else View(Screen(), f"turnkit run {audio.name}") as view:
                run_async(lambda: call.hold(view))
        finally:
            if recorder is not None and not as_json:
                hint_at(Screen(), recorder)
        if wav.cut_off != known:  # of a pipe, at its end
            warn(wav.cut_off)


class _FileCall:
    """A call whose caller is one file; nobody speaks for the agent."""

    def __init__(self, session: Session, wav: WavSource, max_silence: float, flux: _Flux) -> None:
        self.audio_end = 0.0
        self._session = session
        self._wav = wav
        self._max_silence = max_silence
        self._flux = flux

    async def hold(self, view: View | JsonLines) -> None:
        for kind in SIGNALS:
            self._session.on(kind, lambda signal: view.show(signal, self._session.elapsed(signal)))
        self._session.on(Commit, self._answer)
        async with self._flux() as stream, anyio.create_task_group() as tasks:
            tasks.start_soon(self._speak, stream, view)
            await self._session.run(_TimedStream(stream, self))
            tasks.cancel_scope.cancel()

    def _answer(self, commit: Commit) -> None:
        self._session.playback_started(commit.reply)
        self._session.playback_finished(commit.reply)

    async def _speak(self, stream: FluxStream, view: View | JsonLines) -> None:
        size = round(self._wav.sample_rate * CHUNK_SECONDS) * self._wav.sample_bytes
        began, seconds, silence = anyio.current_time(), 0.0, 0.0
        while not self._wav.over or self._goes_on(silence):
            audio = await self._wav.read(size)
            seconds += CHUNK_SECONDS
            silence += CHUNK_SECONDS * (1 - len(audio) / size)
            # A chunk is there when its last sample has been spoken.
            await anyio.sleep_until(began + seconds)
            try:
                # Where the audio is over, silence: Flux's clock runs on audio only.
                await stream.send_audio(audio.ljust(size, self._wav.silence))
            except TurnkitError:
                # The reader meets the same end of the stream, and tells it better.
                return
            view.tick(seconds)
        with suppress(TurnkitError):
            await stream.close()

    def _goes_on(self, silence: float) -> bool:
        settled = silence >= SETTLED_SECONDS and self._session.user is UserState.LISTENING
        return not settled and silence < self._max_silence


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
