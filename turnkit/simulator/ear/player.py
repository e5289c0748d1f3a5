"""The player of an ear: what a connection is told about the sound that it sends."""

from __future__ import annotations

from typing import Any

from ..detector import FRAME
from ..parameters import Settings
from ..player import ScriptPlayer
from .decoding import Decoder, NotDecodable
from .hearing import HearingDetector
from .interface import Ear

CANNOT_DECODE = "EAR_CANNOT_DECODE"
"""The code of the Warning that a connection's sound cannot be heard at all."""


class EarPlayer(ScriptPlayer):
    """Says what an ear hears in the sound itself.

    Args:
        ear: what hears.
        settings: that the client asked for.
        request_id: of the connection.
        seed: of what the detector leaves to chance. Default None: 0.
    """

    def __init__(self, ear: Ear, settings: Settings, request_id: str, seed: int | None = None) -> None:
        self._hearing = HearingDetector(settings, step=ear.step, seed=seed or 0)
        super().__init__(self._hearing, request_id)
        self._stream = ear.open_stream()
        self._decoder: Decoder | None = None
        self._warnings: list[dict[str, Any]] = []
        try:
            self._decoder = Decoder(settings.encoding, settings.sample_rate, ear.rate)
        except NotDecodable as error:
            self._cannot_hear(error)

    def take(self, audio: bytes) -> None:
        """Take the sound that `hear` will be about."""
        if self._decoder is None:
            return
        try:
            self._decoder.take(audio)
        except NotDecodable as error:
            self._cannot_hear(error)

    def hear(self, seconds: float) -> list[str]:
        """What the ear hears by this second of audio."""
        texts: list[str] = []
        if self._decoder is not None:
            for sound in self._decoder.frames():
                self._hearing.take(self._stream.hear(sound))
                texts += super().hear(self._hearing.heard + FRAME)
        else:
            texts += super().hear(seconds)
        texts += [self.answer(warning) for warning in self._warnings]
        self._warnings.clear()
        return texts

    def _cannot_hear(self, error: NotDecodable) -> None:
        self._decoder = None
        self._warnings.append(
            {
                "type": "Warning",
                "code": CANNOT_DECODE,
                "description": f"This ear hears nothing on this connection: {error}. Send linear16, linear32, mulaw "
                "or alaw, or WAV of those.",
            }
        )
