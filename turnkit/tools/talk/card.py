"""Microphone and loudspeaker of this machine, by PortAudio. Needs `turnkit[mic]`."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import anyio
import anyio.to_thread

from ...errors import ConfigError
from ...speaking import AudioSink

MICROPHONE_RATE = 16000
"""In Hz, of the linear16 that the microphone gives, mono."""
_CHUNK_SECONDS = 0.02
_LATENCY = 0.05  # seconds of the loudspeaker: with the least that a card offers, a busy machine stutters
_MISSING = "microphone and loudspeaker need sounddevice: pip install 'turnkit[mic]'"
_NO_LIBRARY = "sounddevice finds no PortAudio: apt-get install libportaudio2"


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ImportError as error:
        raise ImportError(_MISSING) from error
    except OSError as error:
        raise ImportError(_NO_LIBRARY) from error
    return sounddevice


def devices() -> list[str]:
    """The sound devices there are, a line each, by the names that they are asked for by.

    Raises:
        ImportError: there is no sounddevice, or no PortAudio; the message says how to get it.
    """
    return [
        f"{device['name']} ({device['max_input_channels']} in, {device['max_output_channels']} out)"
        for device in _sounddevice().query_devices()
    ]


def check(device: str | None, rate: int) -> None:
    """Find out whether there is a microphone and a loudspeaker.

    Args:
        device: a part of its name; None for the system's own choice.
        rate: in Hz, of what the loudspeaker is to play.

    Raises:
        ConfigError: there is none, or not at that rate.
        ImportError: there is no sounddevice, or no PortAudio; the message says how to get it.
    """
    card = _sounddevice()
    for what, find, wanted in (
        ("microphone", card.check_input_settings, MICROPHONE_RATE),
        ("loudspeaker", card.check_output_settings, rate),
    ):
        try:
            find(device=device, samplerate=wanted, channels=1, dtype="int16")
        except (card.PortAudioError, ValueError) as error:
            raise ConfigError(_no_device(what, device, wanted, error)) from None


def _no_device(what: str, device: str | None, rate: int, error: Exception) -> str:
    named = "" if device is None else f" named {device!r}"
    found = "; ".join(devices()) or "none at all"
    reason = str(error).partition("\n")[0].rstrip(".")
    return f"no {what}{named} for 16-bit sound at {rate} Hz ({reason}); PortAudio finds: {found}"


async def microphone(device: str | None = None) -> AsyncGenerator[bytes, None]:
    """What the microphone hears: 16 kHz linear16, mono, 20 ms at a time, for ever.

    Raises:
        ConfigError: it cannot be opened, or is gone.
        ImportError: there is no sounddevice.
    """
    card = _sounddevice()
    frames = round(MICROPHONE_RATE * _CHUNK_SECONDS)
    try:
        with card.RawInputStream(device=device, samplerate=MICROPHONE_RATE, channels=1, dtype="int16") as stream:
            while True:
                audio, _ = await anyio.to_thread.run_sync(stream.read, frames)
                yield bytes(audio)
    except card.PortAudioError as error:
        raise ConfigError(_no_device("microphone", device, MICROPHONE_RATE, error)) from None


class Loudspeaker(AudioSink):
    """A sound card, which takes its audio from here in a thread of its own.

    What counts as played is what has come out of the card, by what the card says of its delay.

    Args:
        rate: of the audio, in Hz.
    """

    def __init__(self, rate: int) -> None:
        self._bytes_per_second = 2 * rate
        self._lock = threading.Lock()
        self.begin(0)

    def begin(self, reply: int) -> None:
        """Start at 0, with nothing queued and not paused."""
        with self._lock:
            self._queue = bytearray()
            self._taken = 0
            self._paused = False
            self._played = 0.0
            self._to_be_heard: deque[tuple[float, int]] = deque()  # when, and how much has been by then

    async def play(self, audio: bytes) -> None:
        """Queue the audio."""
        with self._lock:
            self._queue += audio

    def played(self) -> float:
        """Seconds that have come out of the card."""
        now = monotonic()
        with self._lock:
            while self._to_be_heard and self._to_be_heard[0][0] <= now:
                self._played = self._to_be_heard.popleft()[1] / self._bytes_per_second
            return self._played

    def pause(self) -> None:
        """Take nothing more out of the queue; what the card has is still heard."""
        with self._lock:
            self._paused = True

    def resume(self) -> None:
        """Go on."""
        with self._lock:
            self._paused = False

    def clear(self) -> None:
        """Drop what is queued; what the card has, some hundredths of a second, is still heard."""
        with self._lock:
            self._queue.clear()

    def give(self, size: int, delay: float) -> bytes:
        """What the card is to play next: in the card's thread.

        Args:
            size: bytes.
            delay: seconds until the first of them is heard.
        """
        with self._lock:
            audio = b"" if self._paused else bytes(self._queue[:size])
            del self._queue[: len(audio)]
            if audio:
                self._taken += len(audio)
                heard = monotonic() + max(delay, 0.0) + len(audio) / self._bytes_per_second
                self._to_be_heard.append((heard, self._taken))
        return audio.ljust(size, b"\0")


@contextmanager
def loudspeaker(rate: int, device: str | None = None) -> Iterator[Loudspeaker]:
    """The loudspeaker, open.

    Args:
        rate: of what it is to play, in Hz: 16-bit, mono.
        device: a part of its name; None for the system's own choice.

    Raises:
        ConfigError: it cannot be opened.
        ImportError: there is no sounddevice.
    """
    card = _sounddevice()
    sink = Loudspeaker(rate)

    def give(out: Any, frames: int, time: Any, status: Any) -> None:
        out[:] = sink.give(len(out), time.outputBufferDacTime - time.currentTime)

    settings = {"device": device, "samplerate": rate, "channels": 1, "dtype": "int16", "latency": _LATENCY}
    try:
        stream = card.RawOutputStream(callback=give, **settings)
    except (card.PortAudioError, ValueError) as error:
        raise ConfigError(_no_device("loudspeaker", device, rate, error)) from None
    with stream:
        yield sink
