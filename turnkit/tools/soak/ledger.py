"""What was said in one call, and what became of it: the account that turns and words are lost by."""

from __future__ import annotations

from collections import Counter
from math import inf
from typing import NamedTuple

from ...turns.events import Commit, Signal, TurnDropped, TurnStarted
from ...wire import Connected, TurnInfo
from .speech import Speech

WITHHOLDING = {
    "lose": "the message with the words was never sent",
    "malformed": "the message with the words could not be read",
    "stale_index": "the message with the words said it was of a turn that is over",
    "delay": "the message with the words came after the end of its turn",
    "swap": "the message with the words came after the end of its turn",
    "empty_end": "the message with the words was emptied",
    "other_words": "the words were replaced by others",
    "chatty_stall": "from then on Flux sent empty Updates: audio counts as covered, and nothing is said of it",
}
"""Faults after which Flux itself has not said, or has taken back, what was said to it; and how that comes."""
_FOR_GOOD = ("chatty_stall",)  # until the connection ends; the others take one message
_BEFORE, _AFTER = 1.5, 0.4  # seconds of speech around a fault that one message may be about
_EDGE = 1.0  # seconds around dropped audio: words are cut, and silence of the client's own shifts its time
_NEAR = 15.0  # seconds in which a fault may be to blame for a lost word

_HEARD, _SETTLED, _TAKEN_BACK, _COMMITTED, _TWICE = 1, 2, 4, 8, 16


class Lost(NamedTuple):
    """A word that is in no Commit and no TurnDropped, though it was said; `heard`: Flux had said so.

    `call` and `second` of it say where it was; `faults` that struck this call shortly before or after.
    """

    call: str
    word: str
    second: float
    heard: bool
    faults: tuple[str, ...]


class Judgement(NamedTuple):
    """Of a call up to some second: words `said`, those `lost`, `withheld` by Flux and why, `taken_back` by Flux, and
    those that two Commits answered (`twice`); `utterances` said and those with a lost word."""

    said: int
    lost: tuple[Lost, ...]
    withheld: Counter[str]
    taken_back: int
    twice: int
    utterances: int
    utterances_lost: int


class _Line(NamedTuple):
    """A connection: the seconds of speech between which it was the one."""

    request_id: str
    begin: float


class Ledger:
    """The account of one call, which begins with second `begin` of the speech.

    It is told what the client gives (`took`), what the session decides (`told`), what audio was dropped (`dropped`)
    and which faults struck (`struck`).
    """

    def __init__(self, speech: Speech, call: str, begin: float = 0.0) -> None:
        self.call = call
        self._begin = begin
        self.turns = 0
        self.turns_wrong = 0  # ended twice, or without having begun
        self.covered = begin  # seconds of speech that Flux has said something about
        self._speech = speech
        self._words = bytearray(len(speech.words))
        self._open: set[int] = set()  # turns of the machine
        self._turn_words: set[int] = set()
        self._turn_index = -1
        self._ended_index = -1
        self._transcript = ""
        self._begun = False  # Flux has said that the turn of this index began
        self._lines: list[_Line] = []
        self._faults: list[tuple[str, float, str]] = []  # request id, second of the connection, name
        self._dropped: list[tuple[float, float]] = []

    @property
    def turns_open(self) -> int:
        """Turns that began and have not ended."""
        return len(self._open)

    @property
    def request_ids(self) -> list[str]:
        """Of its connections."""
        return [line.request_id for line in self._lines]

    @property
    def fault_names(self) -> list[str]:
        """The faults that struck, in the order told."""
        return [name for _, _, name in self._faults]

    # What happens -------------------------------------------------------------------------------------------------

    def took(self, message: TurnInfo, shift: float = 0.0) -> None:
        """The client gave a message; its times are the stream's, which are `shift` seconds before the speech's."""
        self.covered = max(self.covered, message.audio_window_end + shift)
        index = message.turn_index
        if index <= self._ended_index:
            return  # it is of a turn that is over: turnkit says that it drops such
        if index > self._turn_index:
            self._turn_index, self._turn_words, self._transcript, self._begun = index, set(), "", False
        ends = message.event == "EndOfTurn"
        if not ends and message.transcript == self._transcript:
            return
        self._transcript = message.transcript
        places = self._speech.places(message.transcript)
        for place in places - self._turn_words:
            self._words[place] = self._words[place] & ~_TAKEN_BACK | _HEARD
        self._begun = self._begun or message.event != "Update"
        if not self._begun and not message.transcript.strip():
            # Words without a turn, and then none: Flux thought better of it.
            self._take_back(self._turn_words)
            self._turn_words = set()
        elif ends:
            if message.transcript.strip():
                self._take_back(self._turn_words - places)
            self._ended_index, self._turn_words = index, set()
        else:
            self._turn_words |= places

    def _take_back(self, places: set[int]) -> None:
        for place in places:
            self._words[place] |= _TAKEN_BACK

    def connected(self, message: Connected) -> None:
        """The client has a connection, which counts turns from 0."""
        self._lines.append(_Line(message.request_id, self.covered))
        self._turn_index = self._ended_index = -1
        self._turn_words, self._transcript, self._begun = set(), "", False

    def told(self, signal: Signal) -> None:
        """The session decided."""
        if isinstance(signal, TurnStarted):
            self.turns += 1
            self._open.add(signal.turn)
        elif isinstance(signal, Commit):
            for place in self._speech.places(signal.transcript):
                self._words[place] |= _TWICE if self._words[place] & _COMMITTED else _COMMITTED | _SETTLED
            for place in self._speech.places(" ".join(signal.unanswered)):
                self._words[place] |= _SETTLED
            self._end(signal.turn)
        elif isinstance(signal, TurnDropped):
            for place in self._speech.places(signal.transcript):
                self._words[place] |= _SETTLED
            self._end(signal.turn)

    def _end(self, turn: int | None) -> None:
        if turn is None:
            return
        if turn not in self._open:
            self.turns_wrong += 1
        self._open.discard(turn)

    def dropped(self, seconds: float) -> None:
        """The client says that it dropped so much audio after what was covered."""
        self._dropped.append((self.covered, self.covered + seconds))
        self.covered += seconds

    def dropped_rest(self) -> None:
        """The stream has failed for good: what Flux had not covered by then is dropped."""
        self._dropped.append((self.covered, inf))

    def struck(self, request_id: str, name: str, second: float) -> None:
        """A fault struck this second of a connection."""
        self._faults.append((request_id, second, name))

    # The account --------------------------------------------------------------------------------------------------

    def settled(self, until: float) -> bool:
        """Whether nothing of what was said by second `until` is still owed."""
        return not self.judge(until).lost

    def judge(self, until: float) -> Judgement:
        """The account of everything said by second `until`."""
        gaps = self._gaps()
        lost: list[Lost] = []
        withheld: Counter[str] = Counter()
        taken_back = said = twice = 0
        utterances: set[int] = set()
        hurt: set[int] = set()
        for place, word in enumerate(self._speech.words):
            if word.start < self._begin:
                continue
            if word.end > until:
                break
            state = self._words[place]
            said += 1
            twice += bool(state & _TWICE)
            utterances.add(self._speech.utterance[place])
            if state & _SETTLED:
                continue
            if state & _TAKEN_BACK:
                taken_back += 1
                continue
            why = next((why for begin, end, why in gaps if word.end > begin and word.start < end), "")
            if why and not state & _HEARD:
                withheld[why] += 1
                continue
            lost.append(Lost(self.call, word.text, word.start, bool(state & _HEARD), self._blamed(word.start)))
            hurt.add(self._speech.utterance[place])
        return Judgement(said, tuple(lost), withheld, taken_back, twice, len(utterances), len(hurt))

    def _gaps(self) -> list[tuple[float, float, str]]:
        """Seconds of speech that turnkit cannot know the words of, and why."""
        gaps = [(begin - _EDGE, end + _EDGE, "audio dropped") for begin, end in self._dropped]
        for name, second, end in self._strikes():
            if name in _FOR_GOOD:
                gaps.append((second - _BEFORE, end, name))
            elif name in WITHHOLDING:
                gaps.append((second - _BEFORE, second + _AFTER, name))
        return gaps

    def _strikes(self) -> list[tuple[str, float, float]]:
        """Each fault: its name, its second of speech, and the second at which its connection ends."""
        lines: dict[str, tuple[float, float]] = {}
        end = inf
        for line in reversed(self._lines):
            lines[line.request_id] = line.begin, end
            end = line.begin
        return [
            (name, lines[request_id][0] + second, lines[request_id][1])
            for request_id, second, name in self._faults
            if request_id in lines
        ]

    def _blamed(self, second: float) -> tuple[str, ...]:
        return tuple(name for name, struck, _ in self._strikes() if abs(struck - second) <= _NEAR)
