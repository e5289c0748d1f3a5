"""Turn detection on the audio clock: from words with times to the messages Flux sends about them.

It keeps what Flux promises of its turns (https://developers.deepgram.com/docs/flux/state) and imitates how Flux
behaves otherwise, as far as that is public:

- Updates every 0.24 s of audio, and on every 80 ms frame while the confidence is high; one may carry words before
  StartOfTurn, which comes about 0.6 s after the first sound.
- Words show up a moment after they begin; the newest may still change.
- Confidence is low while somebody speaks, wanders while nobody has a turn, and rises in a pause: soon and far after
  words that sound finished, slowly and rarely after others. The curves are set so that conversation ends within
  0.3 s in the median and 1.5 s at p95 (https://developers.deepgram.com/docs/flux/nova-3-migration,
  https://www.together.ai/models/flux), that a threshold of 0.70 ends nearly all finished turns and 0.80 only half,
  and that a pause in mid-sentence is taken for an end in 13 % and 5 % of cases
  (https://github.com/livekit/eot-bench). Speech read aloud ends late, as in a recorded session. Errands (`[task]`) end
  as in that benchmark's data, in English: sooner and with hardly a straggler, and a pause in them is sooner taken for
  an end at 0.70 and seldom at 0.79.

What somebody sounds like depends on the script's seed alone, never on the thresholds in force, so that two settings
can be compared on the same conversation. No socket, no clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import msgspec

from .parameters import Settings
from .script import Pace, Script, SpokenWord

FRAME = 0.08
"""Seconds of audio that Flux takes at a time: every window ends on a multiple of it."""

_UPDATE_FRAMES = 3
_BUSY_CONFIDENCE = 0.5  # at or above this, or the eager threshold, every frame is reported
START_SECONDS = 0.56
"""Seconds from the first sound of a turn to its StartOfTurn, as in a recorded session."""

_WORD_DELAY = 0.16  # from where a word begins until it can be read
_SMALLEST_PAUSE = 0.08
_EPSILON = 1e-6
_MOST_CONFIDENT = 0.98  # so that a threshold of 1.0 is never met


class _Sound(msgspec.Struct, frozen=True, gc=False):
    """How a word sounds, above all how much like a last one.

    `certainty` of having understood it; `rise`, the second of the pause after it at which confidence reaches the knee
    of its curve; `plateau`, the most it comes to.
    """

    certainty: float
    rise: float
    plateau: float


class Detector:
    """Hears a script as the audio clock goes on, and says what Flux would say.

    Messages are dictionaries in Flux's key order, without `request_id` and `sequence_id`, which belong to the
    connection.

    Args:
        script: what is heard.
        settings: the thresholds to begin with.
        seed: of what is drawn, such as confidences; None takes the script's.

    Attributes:
        settings: the thresholds in force; may be replaced at any time.
    """

    def __init__(self, script: Script, settings: Settings, *, seed: int | None = None) -> None:
        self.settings = settings
        self._language = script.language
        self._seed = script.seed if seed is None else seed
        self._words: list[SpokenWord] = []
        self._paces: list[Pace] = []
        for utterance in script.utterances:
            self._words += utterance.words
            self._paces += [utterance.pace] * len(utterance.words)
        self._missed = 0  # words said before the stream began
        self._sounds: dict[int, _Sound] = {}
        self._told: dict[int, dict[str, Any]] = {}  # words of a script that are over, and told the same ever after
        self._noise = Random(f"{self._seed} noise")
        self._idle = 0.45
        self._frame = 0
        self._started = 0  # words that have begun
        self._first = 0  # the first word that belongs to the turn
        self._turn_index = 0
        self._window_start_frame = 0
        self._active = False
        self._eager = False
        self._last: dict[str, Any] = {}  # the latest message of the turn
        self._last_words = 0
        self._live = False  # whether words come while they are heard
        self._amended = False  # a word that was told was replaced since
        self._start_seconds = START_SECONDS

    @property
    def active(self) -> bool:
        """Whether a turn is open: StartOfTurn was said and EndOfTurn was not."""
        return self._active

    @property
    def heard(self) -> float:
        """The second of audio up to which it has heard, a whole number of frames."""
        return self._frame * FRAME

    def append(self, word: SpokenWord) -> None:
        """Another word, after all there are; to be said before its time. Words are told whole from now on."""
        self._live = True
        self._words.append(word)
        self._paces.append("talk")

    def amend(self, word: SpokenWord) -> bool:
        """Replace the last word; False, and nothing changes, if there is none or its turn is over."""
        index = len(self._words) - 1
        if index < self._first:
            return False
        if self._words[index].text != word.text:
            self._sounds.pop(index, None)
            self._amended = self._amended or index < self._last_words
        self._words[index] = word
        self._told.pop(index, None)
        return True

    def revise(self, words: Sequence[SpokenWord]) -> None:
        """Hear these words instead of all that were heard or told since the last turn was over."""
        told = [word.text for word in self._words[self._first : self._last_words]]
        for index in range(self._first, len(self._words)):
            place = index - self._first
            if place >= len(words) or words[place].text != self._words[index].text:
                self._sounds.pop(index, None)
        self._words[self._first :] = words
        self._paces[self._first :] = ["talk"] * len(words)
        self._started = min(self._started, len(self._words))
        self._live = True
        self._amended = self._amended or [word.text for word in words[: len(told)]] != told

    def begin_at(self, second: float) -> None:
        """The stream begins at this second of the script; to be said before anything is heard.

        A word that is more than half over by then is not heard; the others sound as they would have from the start.
        """
        missed = sum(word.start + word.end < 2 * second for word in self._words)
        self._missed += missed
        self._words = [
            SpokenWord(word.text, max(0.0, word.start - second), word.end - second) for word in self._words[missed:]
        ]
        self._paces = self._paces[missed:]

    def hear(self, seconds: float) -> list[dict[str, Any]]:
        """The messages that are due once `seconds` of stream audio are there; none if there is no more than before."""
        messages: list[dict[str, Any]] = []
        until = int((seconds + _EPSILON) / FRAME)
        while self._frame < until:
            self._frame += 1
            messages += self._step(self._frame)
        return messages

    def force_end(self) -> dict[str, Any] | None:
        """End the open turn on its latest text, at its latest window, as ForceEndTurn does; None if none is open.

        Source: https://developers.deepgram.com/docs/flux/force-end-turn.
        """
        if not self._active:
            return None
        return self._end({**self._last, "event": "EndOfTurn"}, "manual")

    def finish(self) -> list[dict[str, Any]]:
        """The Update for what CloseStream left unreported; the turn stays open, and its end is never said.

        Source: https://developers.deepgram.com/docs/flux/close-stream.
        """
        if self._frame <= self._reported_frame():
            return []
        return [self._message("Update", self._frame, self._confidence(self._frame, 0.5))]

    def _step(self, frame: int) -> list[dict[str, Any]]:
        now = frame * FRAME
        while self._started < len(self._words) and self._words[self._started].start <= now + _EPSILON:
            self._started += 1
        confidence = self._confidence(frame, self._noise.random())
        if not self._active:
            return self._step_idle(frame, confidence)
        if self._eager and (self._visible(now) > self._last_words or self._told_otherwise()):
            self._eager = False
            return [self._message("TurnResumed", frame, confidence)]
        silence = self._silence(now) + _EPSILON
        if silence * 1000 >= self.settings.eot_timeout_ms:
            return [self._end(self._message("EndOfTurn", frame, confidence), "timeout")]
        eager = self.settings.eager_eot_threshold
        messages = []
        if silence >= _SMALLEST_PAUSE:
            if eager is not None and not self._eager and confidence >= eager:
                self._eager = True
                messages.append(self._message("EagerEndOfTurn", frame, confidence))
            if confidence >= self.settings.eot_threshold:
                messages.append(self._end(self._message("EndOfTurn", frame, confidence), "model"))
        return messages or self._update(frame, confidence)

    def _told_otherwise(self) -> bool:
        """Whether the words that were told are others by now, as only a live caller's can be."""
        told = self._words[self._first : self._last_words]
        return self._amended and " ".join(word.text for word in told) != self._last["transcript"]

    def _step_idle(self, frame: int, confidence: float) -> list[dict[str, Any]]:
        now = frame * FRAME
        if self._visible(now) > self._first:
            onset = max(self._words[self._first].start, self._window_start_frame * FRAME)
            if now - onset + _EPSILON >= self._start_seconds:
                self._active = True
                return [self._message("StartOfTurn", frame, confidence)]
        return self._update(frame, confidence)

    def _update(self, frame: int, confidence: float) -> list[dict[str, Any]]:
        busy = self.settings.eager_eot_threshold or _BUSY_CONFIDENCE
        if (frame - self._window_start_frame) % _UPDATE_FRAMES and confidence < busy:
            return []
        return [self._message("Update", frame, confidence)]

    def _message(self, event: str, frame: int, confidence: float) -> dict[str, Any]:
        now = frame * FRAME
        visible = self._visible(now)
        words = [self._word(index, now) for index in range(self._first, visible)]
        message = {
            "type": "TurnInfo",
            "event": event,
            "turn_index": self._turn_index,
            "audio_window_start": round(self._window_start_frame * FRAME, 2),
            "audio_window_end": round(now, 2),
            "transcript": " ".join(word["word"] for word in words),
            "words": words,
            "end_of_turn_confidence": confidence,
        }
        if self.settings.multilingual:
            message["languages"] = [self._language] if words else []
            message["languages_hinted"] = list(self.settings.language_hints)
        self._last = message
        self._last_words = visible
        self._amended = False
        return message

    def _end(self, message: dict[str, Any], trigger: str) -> dict[str, Any]:
        """Complete an EndOfTurn and begin the next turn at once where its window ends."""
        ended = {key: message[key] for key in message if not key.startswith("languages")}
        ended["trigger"] = trigger
        ended |= {key: message[key] for key in message if key.startswith("languages")}
        self._window_start_frame = self._reported_frame()
        self._turn_index += 1
        self._first = self._last_words
        self._active = self._eager = False
        self._last = {}
        return ended

    def _reported_frame(self) -> int:
        return round(self._last["audio_window_end"] / FRAME) if self._last else self._window_start_frame

    def _visible(self, now: float) -> int:
        """How many words of the script can be read by now."""
        visible = self._started
        if visible > self._first:
            newest = self._words[visible - 1]
            if self._live:
                # Nobody knows what it will be, but what was told of it stays told.
                readable = 0.0 if visible <= self._last_words else newest.end
            else:
                readable = min(newest.start + _WORD_DELAY, newest.end)
            if now + _EPSILON < readable:
                visible -= 1
        return visible

    def _word(self, index: int, now: float) -> dict[str, Any]:
        if index in self._told:
            return self._told[index].copy()
        spoken = self._words[index]
        text, certainty = spoken.text, self._sound(index).certainty
        if now + _EPSILON < spoken.end:
            text = spoken.text if self._live else _unfinished(spoken, now, certainty)
            certainty = 0.5 + certainty * 0.45
        start = min(round(spoken.start / FRAME), round(now / FRAME) - 1)
        end = max(start + 1, min(round(spoken.end / FRAME), round(now / FRAME)))
        word = {
            "word": text,
            "confidence": round(certainty, 4),
            "start": round(start * FRAME, 2),
            "end": round(end * FRAME, 2),
        }
        if not self._live and now > spoken.end + FRAME:
            self._told[index] = word
        return word

    def _confidence(self, frame: int, noise: float) -> float:
        """How sure it is that the turn is over; `noise` is 0 to 1, one draw a frame."""
        self._idle = min(0.82, max(0.1, self._idle + (noise - 0.5) * 0.3))
        if self._started <= self._first:
            return round(self._idle, 4)
        silence = self._silence(frame * FRAME)
        if silence < 0:
            return round(float(10 ** (-3 + 2.1 * noise)), 4)
        dip = 0.9 if noise < 0.1 else 1.0
        return round(dip * self._belief(self._started - 1, silence), 4)

    def _silence(self, now: float) -> float:
        """Seconds since the last sound of the words begun by now; below 0 while there is sound."""
        return now - self._words[self._started - 1].end

    def _belief(self, index: int, silence: float) -> float:
        """The confidence that the turn is over with this word, after so much silence."""
        curve = _confidence_reading if self._paces[index] == "read" else _confidence_talking
        return curve(self._sound(index), silence)

    def _sound(self, index: int) -> _Sound:
        if index not in self._sounds:
            random = Random(f"{self._seed} {index + self._missed} {self._words[index].text}")
            self._sounds[index] = _draw_sound(random, self._words[index].text, self._paces[index])
        return self._sounds[index]


def _unfinished(spoken: SpokenWord, now: float, certainty: float) -> str:
    """A word still being said: of a long one only the half that was heard, and its punctuation a guess."""
    text = spoken.text.rstrip(".,;:?!…") or spoken.text
    heard = (now - spoken.start) / (spoken.end - spoken.start)
    if len(text) >= 6 and heard < 0.6:
        return text[: len(text) // 2]
    return f"{text}," if text == spoken.text and certainty < 1.0 else text


def _sounds_finished(text: str) -> bool:
    bare = text.rstrip("\"'”’)")
    return bare.endswith((".", "?", "!")) and not bare.endswith("...")


def _draw_sound(random: Random, text: str, pace: Pace) -> _Sound:
    certainty = 1.0 if random.random() < 0.6 else random.uniform(0.9, 1.0)
    finished = _sounds_finished(text)
    if pace == "read":
        rise = random.gauss(1.24, 0.03)
        plateau = random.gauss(0.91, 0.01) if finished else random.gauss(0.35, 0.15)
    elif pace == "task":
        rise = random.lognormvariate(-2.05, 0.85) if finished else random.lognormvariate(-1.1, 0.5)
        plateau = random.gauss(0.791, 0.032) if finished else random.gauss(0.632, 0.094)
    elif finished:
        rise = random.lognormvariate(-1.65, 1.15)
        # The cliff: nearly everything passes 0.70, half of it passes 0.80.
        plateau = random.gauss(0.795, 0.042)
    else:
        rise = random.lognormvariate(-0.8, 0.5)
        plateau = random.gauss(0.52, 0.21)
    return _Sound(certainty, rise, min(_MOST_CONFIDENT, max(0.05, plateau)))


def _confidence_talking(sound: _Sound, silence: float) -> float:
    """Conversation: steeply up to 0.7, then on to the plateau."""
    if silence < sound.rise:
        return min(sound.plateau, float(0.7 * (silence / sound.rise) ** 0.35))
    beyond = min(1.0, (silence - sound.rise) / (0.5 * sound.rise + FRAME))
    return min(sound.plateau, 0.7) + max(0.0, sound.plateau - 0.7) * beyond


def _confidence_reading(sound: _Sound, silence: float) -> float:
    """Read aloud: undecided for over a second, then certain within two frames."""
    if silence < sound.rise:
        return min(sound.plateau, 0.17 + 0.25 * silence / sound.rise)
    return sound.plateau if silence >= sound.rise + 2 * FRAME else min(sound.plateau, 0.79)
