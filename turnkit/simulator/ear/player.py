"""The player of an ear: what a connection is told about the sound that it sends."""

from __future__ import annotations

from typing import Any

from ..detector import FRAME
from ..parameters import Settings
from ..player import ScriptPlayer
from .decoding import Decoder, NotDecodable
from .hearing import HearingDetector
from .interface import Ear
from .voice import VoiceEar
from .wrong_audio import HEARS_NO_SPEECH, SpeechWatch

CANNOT_DECODE = "EAR_CANNOT_DECODE"
"""The code of the Warning that a connection's sound cannot be heard at all."""


class EarPlayer(ScriptPlayer):
    """Says what an ear hears in the sound itself, and warns of sound that it can make nothing of.

    Args:
        ear: what hears.
        settings: that the client asked for.
        request_id: of the connection.
        seed: of what the detector leaves to chance. Default None: 0.
    """

    def __init__(self, ear: Ear, settings: Settings, request_id: str, seed: int | None = None) -> None:
        self._hearing = HearingDetector(settings, step=ear.step, start=ear.start, seed=seed or 0)
        super().__init__(self._hearing, request_id)
        self._stream = ear.open_stream()
        # It is speech or not, whatever the words: a recogniser is not needed for that.
        self._watch = SpeechWatch(VoiceEar() if isinstance(ear, VoiceEar) else ear, settings)
        self._decoder: Decoder | None = None
        self._untold: list[dict[str, Any]] = []
        try:
            self._decoder = Decoder(settings.encoding, settings.sample_rate, ear.rate)
        except NotDecodable as error:
            self._cannot_hear(error)

    def take(self, audio: bytes) -> None:
        """Take the sound that `hear` will be about."""
        if self._decoder is None:
            return
        self._watch.take(audio)
        try:
            self._decoder.take(audio)
        except NotDecodable as error:
            self._cannot_hear(error)

    def hear(self, seconds: float) -> list[str]:
        """What the ear hears by this second of audio."""
        texts: list[str] = []
        if self._decoder is None:
            texts += super().hear(seconds)
        else:
            for sound in self._decoder.frames():
                heard = self._stream.hear(sound)
                self._hearing.take(heard)
                texts += super().hear(self._hearing.heard + FRAME)
                problem = self._watch.hear(sound, heard.speech)
                if problem:
                    self._warn(HEARS_NO_SPEECH, problem)
                    texts += self._tell()
        return texts + self._tell()

    def _cannot_hear(self, error: NotDecodable) -> None:
        self._decoder = None
        rule = "Send linear16, linear32, mulaw or alaw, or WAV of those."
        self._warn(CANNOT_DECODE, f"This ear hears nothing on this connection: {error}. {rule}")

    def _warn(self, code: str, description: str) -> None:
        self.warnings.append(description)
        self._untold.append({"type": "Warning", "code": code, "description": description})

    def _tell(self) -> list[str]:
        texts = [self.answer(warning) for warning in self._untold]
        self._untold.clear()
        return texts
