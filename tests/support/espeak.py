"""Speech for the tests, made by espeak-ng: its library comes with the package `espeakng-loader`."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS
_UTF8 = 1
_RATE_PARAMETER, _PITCH_PARAMETER = 1, 3
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
_pieces: list[bytes] = []


def _keep(samples: Any, count: int, _events: Any) -> int:
    if samples and count > 0:
        _pieces.append(ctypes.string_at(samples, 2 * count))
    return 0


_kept = _CALLBACK(_keep)  # alive for as long as the library may call it


@cache
def _library() -> tuple[Any, int]:
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0)
    assert rate > 0, "espeak-ng found no data"
    library.espeak_SetSynthCallback(_kept)
    return library, rate


@cache
def speech(text: str, *, voice: str = "en-us", words_a_minute: int = 160, pitch: int = 50) -> tuple[bytes, int]:
    """A text spoken: 16-bit little-endian mono, and its samples a second."""
    library, rate = _library()
    assert library.espeak_SetVoiceByName(voice.encode()) == 0, f"espeak-ng has no voice {voice}"
    library.espeak_SetParameter(_RATE_PARAMETER, words_a_minute, 0)
    library.espeak_SetParameter(_PITCH_PARAMETER, pitch, 0)
    _pieces.clear()
    spoken = text.encode()
    library.espeak_Synth(spoken, ctypes.c_size_t(len(spoken) + 1), 0, 1, 0, _UTF8, None, None)
    library.espeak_Synchronize()
    return b"".join(_pieces), rate
