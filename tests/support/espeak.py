"""Speech for the tests, made by espeak-ng: its library comes with the package `espeakng-loader`.

python -m tests.support.espeak 'Yes.' en-us 160 50 >samples
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

_RATE = 22050
_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS
_UTF8, _PHONEMES = 1, 0x100  # what stands in [[ ]] is how it sounds
_RATE_PARAMETER, _PITCH_PARAMETER = 1, 3
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
_ROOT = Path(__file__).resolve().parents[2]


@cache
def speech(text: str, *, voice: str = "en-us", words_a_minute: int = 160, pitch: int = 50) -> tuple[bytes, int]:
    """A text spoken: 16-bit little-endian mono, and its samples a second; the same each time.

    By a process of its own: in what the library speaks can be heard what it spoke before.
    """
    command = [sys.executable, "-m", __name__, text, voice, str(words_a_minute), str(pitch)]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout, _RATE


def _speak(text: str, voice: str, words_a_minute: int, pitch: int) -> bytes:
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0)
    assert rate == _RATE, "espeak-ng found no data"
    pieces: list[bytes] = []

    def keep(samples: Any, count: int, _events: Any) -> int:
        if samples and count > 0:
            pieces.append(ctypes.string_at(samples, 2 * count))
        return 0

    kept = _CALLBACK(keep)  # alive for as long as the library may call it
    library.espeak_SetSynthCallback(kept)
    assert library.espeak_SetVoiceByName(voice.encode()) == 0, f"espeak-ng has no voice {voice}"
    library.espeak_SetParameter(_RATE_PARAMETER, words_a_minute, 0)
    library.espeak_SetParameter(_PITCH_PARAMETER, pitch, 0)
    spoken = text.encode()
    flags = _UTF8 | _PHONEMES
    library.espeak_Synth(spoken, ctypes.c_size_t(len(spoken) + 1), 0, 1, 0, flags, None, None)
    library.espeak_Synchronize()
    return b"".join(pieces)


if __name__ == "__main__":
    sys.stdout.buffer.write(_speak(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
