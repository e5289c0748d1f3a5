"""WAV files and pipes as Flux takes them: opened, read piece by piece at the pace of who asks, and never whole."""

from __future__ import annotations

import io
import os
import select
import shlex
import stat
from pathlib import Path
from typing import NamedTuple

import anyio

from ..checks import check_regular_file, os_problem, shown_path
from ..errors import ConfigError
from .wav_header import NotReadable, Soundless, read_header
from .wav_samples import Samples

STDIN = Path("-")
_PIECE_BYTES = 1 << 14


class Wav(NamedTuple):
    """Audio in memory.

    Attributes:
        sample_rate: Samples a second, in Hz.
        audio: Little-endian 16-bit samples of one channel.
    """

    sample_rate: int
    audio: bytes

    @property
    def seconds(self) -> float:
        """Seconds that it lasts."""
        return len(self.audio) / 2 / self.sample_rate


class WavSource:
    """A WAV file or pipe that is read as it is wanted; a context manager, as it stays open.

    Args:
        path: of the file; `-` is standard input.
        channel: which one of several, from 1. Default None: the only one.

    Attributes:
        encoding: of what `read` gives, as Flux names it.
        sample_rate: of that, in Hz.
        sample_bytes: of a sample of that.
        silence: a byte of it.
        cut_off: what is wrong with its end, in a sentence; "" if nothing is, or the end is not known yet.

    Raises:
        ConfigError: naming the file, what is wrong with it, and the way out.
    """

    def __init__(self, path: Path, channel: int | None = None) -> None:
        self._name = "standard input" if path == STDIN else shown_path(path)
        self._path = path
        self._file = self._open()
        try:
            self._form = read_header(self._read_exactly)
            self._samples = Samples(self._form, channel)
            status = os.fstat(self._file.fileno())
            there = status.st_size - self._file.tell() if stat.S_ISREG(status.st_mode) else None
            if there == 0:
                raise Soundless("holds no audio")
        except NotReadable as error:
            self._file.close()
            way_out = "" if isinstance(error, Soundless) and path != STDIN else self._way_out()
            raise ConfigError(f"{self._name}: {error}{way_out}") from None
        except BaseException:
            self._file.close()
            raise
        self.encoding, self.sample_rate = self._samples.encoding, self._samples.sample_rate
        self.sample_bytes, self.silence = self._samples.width, self._samples.silence
        self.cut_off = ""
        self._left = self._form.data_bytes
        self._ready = bytearray()
        self._ended = False
        self._may_wait = stat.S_ISFIFO(status.st_mode) or stat.S_ISSOCK(status.st_mode)
        if there is not None and self._left is not None:
            self._note_missing(self._left - there)

    def __enter__(self) -> WavSource:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    @property
    def over(self) -> bool:
        """Whether there is nothing more to read."""
        return self._ended and not self._ready

    async def read(self, size: int) -> bytes:
        """Wait for so many bytes of audio; fewer come only at its end. Raises ConfigError if the file fails."""
        while len(self._ready) < size and not self._ended:
            if self._may_wait:
                await anyio.wait_readable(self._file)
            self._read_more()
        return self._taken(size)

    def read_rest(self) -> bytes:
        """All the audio that is left. Raises ConfigError if the file fails."""
        while not self._ended:
            self._read_more()
        return self._taken(len(self._ready))

    def _taken(self, size: int) -> bytes:
        audio = bytes(self._ready[:size])
        del self._ready[:size]
        return audio

    def _read_more(self) -> None:
        data = self._read_some(_PIECE_BYTES if self._left is None else min(self._left, _PIECE_BYTES))
        if self._left is not None:
            self._left -= len(data)
        self._ready += self._samples.take(data)
        if not data or self._left == 0:
            self._ended = True
            self._ready += self._samples.finish()
            self._note_missing(self._left or 0)

    def _note_missing(self, missing: int) -> None:
        if missing > 0 and not self.cut_off:
            rate = self._samples.frame * self._form.sample_rate
            claimed = (self._form.data_bytes or 0) / rate
            self.cut_off = (
                f"{self._name}: is cut off: its header says {claimed:.1f} s of sound, and there are "
                f"{max(claimed - missing / rate, 0):.1f} s"
            )

    def _open(self) -> io.FileIO:
        try:
            if self._path == STDIN:
                file = io.FileIO(0, closefd=False)
                if file.isatty():
                    raise ConfigError(
                        "standard input: is a terminal; pipe a WAV into it: "
                        "ffmpeg -v error -i CALL.mp3 -ac 1 -ar 16000 -f wav - | turnkit run -"
                    )
                return file
            check_regular_file("audio", self._path)
            return io.FileIO(self._path)
        except ConfigError as error:
            if self._path == STDIN:
                raise
            raise ConfigError(f"{error}; `turnkit run -` reads a pipe as standard input") from None
        except (OSError, ValueError) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> ConfigError:
        return ConfigError(f"{self._name}: cannot be read: {os_problem(error)}")

    def _read_exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self._read_some(size - len(data))
            if not piece:
                break
            data += piece
        return data

    def _read_some(self, size: int) -> bytes:
        try:
            # Whoever shares a pipe may have made it one that does not wait.
            while (data := self._file.read(size)) is None:
                select.select([self._file], [], [])
        except OSError as error:
            raise self._unreadable(error) from error
        return data

    def _way_out(self) -> str:
        if self._path == STDIN:
            return "; ffmpeg makes a fitting one: ffmpeg -v error -i - -ac 1 -ar 16000 -f wav - | turnkit run -"
        made = self._path.with_name(f"{self._path.stem}-16k.wav")
        ends = shlex.quote(str(self._path)), shlex.quote(str(made))
        command = "ffmpeg -i {} -ac 1 -ar 16000 -c:a pcm_s16le {}".format(*ends)
        return f"; ffmpeg makes a fitting one: {command}"


def read_wav(path: Path) -> Wav:
    """Read a whole WAV file as linear16. Raises ConfigError naming the file, what it holds and what is needed."""
    with WavSource(path) as source:
        if source.encoding != "linear16":
            raise ConfigError(f"{shown_path(path)}: holds {source.encoding}; must be PCM of 8 to 32 bits")
        audio = source.read_rest()
    if not audio:
        raise ConfigError(f"{shown_path(path)}: holds no audio")
    return Wav(source.sample_rate, audio)
