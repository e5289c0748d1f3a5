"""Live caller: somebody who is told what to say while the call goes on, for the simulator to hear. No socket, no clock.

A script says it all beforehand. Here words come one by one, with their times on the audio clock, and the last one may
still grow: what somebody types, or clicks, or what a test thinks of on the way.
"""

from __future__ import annotations

from ..checks import shown
from ..errors import ConfigError, LocalProtocolError
from .detector import Detector
from .parameters import Settings
from .script import Script, SpokenWord


class LiveCaller:
    """A caller for `serve`, whose words are said while they are heard; one connection at a time hears them.

        caller = LiveCaller()
        async with serve(caller) as flux, connect(url=flux.url) as stream:
            ...  # audio flows
            caller.say("Hello", start=caller.now, end=caller.now + 0.4)

    A word can be read once it is over, or the next one has begun: until then it may be amended, and nobody is told half
    a word. Another connection hears only what is said from then on.

    Args:
        seed: of everything random about how the words are heard. Default 0.
        language: that is detected by the multilingual model. Default "en".
    """

    def __init__(self, *, seed: int = 0, language: str = "en") -> None:
        self.seed = seed
        self._script = Script((), seed=seed, language=language)
        self._detector: Detector | None = None
        self._last: SpokenWord | None = None

    @property
    def now(self) -> float:
        """The second of stream audio up to which the connection has heard; 0 before there is one."""
        return 0.0 if self._detector is None else self._detector.heard

    @property
    def last(self) -> SpokenWord | None:
        """The word that was said last on this connection; it may lie ahead."""
        return self._last

    def listen(self, settings: Settings, seed: int | None = None) -> Detector:
        """What hears the caller from now on, on a connection of its own: for the server.

        Args:
            settings: the thresholds to begin with.
            seed: of what is drawn, such as confidences; None takes the script's.
        """
        self._last = None
        self._detector = Detector(self._script, settings, seed=seed)
        return self._detector

    def say(self, text: str, *, start: float, end: float) -> None:
        """Say a word. It is heard as the audio gets there.

        Args:
            text: the word, punctuated as it sounds.
            start: the second of stream audio where it begins: not before `now`, nor before the last one's end.
            end: the second of stream audio where it ends.

        Raises:
            ConfigError: for what is no word, or has no time left to be heard in; nothing is said.
            LocalProtocolError: if there is no connection to hear it.
        """
        detector = self._heard_by("say")
        word = SpokenWord(text, start, end)
        earliest = max(self.now, 0.0 if self._last is None else self._last.end)
        if start < earliest:
            raise ConfigError(f"word of {len(text)} letters at {shown(start)} s: must not begin before {earliest:g} s")
        detector.append(word)
        self._last = word

    def amend(self, text: str, *, end: float) -> bool:
        """Have the last word be another, or last longer or shorter: somebody is still saying it, or says it better.

        An eager end of turn that was told of other words is taken back, as Flux does.

        Args:
            text: the word as it is now.
            end: the second of stream audio where it ends; before `now` counts as `now`.

        Returns:
            Whether it could be: not if there is none, or if its turn is over.

        Raises:
            ConfigError: for what is no word.
            LocalProtocolError: if there is no connection to hear it.
        """
        detector = self._heard_by("amend")
        if self._last is None:
            return False
        word = SpokenWord(text, self._last.start, max(end, min(self.now, self._last.end), self._last.start + 0.01))
        if not detector.amend(word):
            return False
        self._last = word
        return True

    def _heard_by(self, asked: str) -> Detector:
        if self._detector is None:
            raise LocalProtocolError(f"{asked}(): nobody listens; connect a client to the simulator first")
        return self._detector
