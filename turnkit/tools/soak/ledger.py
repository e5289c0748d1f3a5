"""Ledger of one call: what was said in it, what became of each word, and which turns and words are lost."""

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
    "empty_start": "the message with the words was emptied",
    "empty_eager": "the message with the words was emptied",
    "empty_end": "the message with the words was emptied",
    "unknown_event": "the message with the words was of an event that nobody knows",
    "false_start": "the end of its turn covered the words before the message with them came",
    "other_words": "the words were replaced by others",
    "chatty_stall": "from then on Flux sent empty Updates: audio counts as covered, and nothing is said of it",
}
"""Faults after which Flux itself has not said, or has taken back, what was said to it; and why that is so."""
_BEGINNINGS = ("StartOfTurn", "EagerEndOfTurn", "TurnResumed", "EndOfTurn")  # all events but Update that are known
_FOR_GOOD = ("chatty_stall",)  # until the connection ends; the others take one message
_BEFORE, _AFTER = 1.5, 0.4  # seconds of speech around a fault that one message may be about
_LASTS = {"false_start": 1.0}  # seconds from a fault to the message that withholds, where it is not the same
_EDGE = 1.0  # seconds around dropped audio: words are cut, and silence of the client's own shifts its time
_NEAR = 15.0  # seconds in which a fault may be to blame for a lost word

_HEARD, _SETTLED, _TAKEN_BACK, _COMMITTED, _TWICE = 1, 2, 4, 8, 16


class Lost(NamedTuple):
    """A word that is in no Commit and no TurnDropped, though it was said.

    Attributes:
        call: Number of the call.
        word: The word.
        second: Second of speech at which it was said.
        heard: Whether Flux had said it.
        faults: Faults that struck this call shortly before or after.
    """

    call: str
    word: str
    second: float
    heard: bool
    faults: tuple[str, ...]


class Account(NamedTuple):
    """What became of the words of a call, up to some second.

    Attributes:
        said: Number of words said.
        lost: The words that are lost.
        withheld: Number of words that Flux did not say, by the reason.
        taken_back: Number of words that Flux said and took back.
        twice: Number of words that two Commits answered.
        utterances: Number of utterances said.
        utterances_lost: Number of those with a lost word.
    """

    said: int
    lost: tuple[Lost, ...]
    withheld: Counter[str]
    taken_back: int
    twice: int
    utterances: int
    utterances_lost: int


class _Connection(NamedTuple):
    """A connection, and the second of speech from which on it was the one."""

    request_id: str
    begin: float


class Ledger:
    """Keeps account of the words of one call.

    It takes what the client gives (`take_message`), what the session decides (`take_signal`), which audio was dropped
    (`drop_audio`) and which faults struck (`add_fault`).

    Args:
        speech: What the caller says.
        call: Number of the call.
        begin: Second of the speech with which the call begins.
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
        self._flux_began_turn = False  # Flux has said that the turn of this index began
        self._connections: list[_Connection] = []
        self._faults: list[tuple[str, float, str]] = []  # request id, second of the connection, name
        self._dropped: list[tuple[float, float]] = []

    @property
    def turns_open(self) -> int:
        """Turns that began and have not ended."""
        return len(self._open)

    @property
    def request_ids(self) -> list[str]:
        """Ids of its connections."""
        return [connection.request_id for connection in self._connections]

    @property
    def fault_names(self) -> list[str]:
        """The faults that struck, in the order in which they were added."""
        return [name for _, _, name in self._faults]

    # What happens -------------------------------------------------------------------------------------------------

    def take_message(self, message: TurnInfo, shift: float = 0.0) -> None:
        """Take a `message` from the client; its times are `shift` seconds before those of the speech."""
        self.covered = max(self.covered, message.audio_window_end + shift)
        index, event = message.turn_index, message.event
        if index <= self._ended_index or (event != "Update" and event not in _BEGINNINGS):
            return  # it is of a turn that is over, or not known, and turnkit drops it, as documented
        if index > self._turn_index:
            self._turn_index, self._turn_words, self._transcript, self._flux_began_turn = index, set(), "", False
        ends = event == "EndOfTurn"
        if not ends and message.transcript == self._transcript:
            return
        self._transcript = message.transcript
        places = self._speech.places(message.transcript)
        for place in places - self._turn_words:
            self._words[place] = self._words[place] & ~_TAKEN_BACK | _HEARD
        blank = not message.transcript.strip()
        self._flux_began_turn |= event == "StartOfTurn" or not (blank or event == "Update")
        if blank and not self._flux_began_turn and (ends or event == "Update"):
            # Words without a turn, and then none: Flux thought better of it.
            self._take_back(self._turn_words)
            self._turn_words = set()
        elif not blank:
            self._take_back(self._turn_words - places)
            self._turn_words = places
        if ends:
            self._ended_index, self._turn_words = index, set()

    def _take_back(self, places: set[int]) -> None:
        for place in places:
            self._words[place] |= _TAKEN_BACK

    def add_connection(self, message: Connected) -> None:
        """Begin a connection, which counts turns from 0; a Connected that comes twice begins none."""
        if self._connections and self._connections[-1].request_id == message.request_id:
            return
        self._connections.append(_Connection(message.request_id, self.covered))
        self._turn_index = self._ended_index = -1
        self._turn_words, self._transcript, self._flux_began_turn = set(), "", False

    def take_signal(self, signal: Signal) -> None:
        """Take a decision of the session."""
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

    def drop_audio(self, seconds: float) -> None:
        """Count so many seconds of audio, after what was covered, as dropped by the client."""
        self._dropped.append((self.covered, self.covered + seconds))
        self.covered += seconds

    def drop_rest(self) -> None:
        """Count all audio that Flux has not covered as dropped, because the stream has failed for good."""
        self._dropped.append((self.covered, inf))

    def add_fault(self, request_id: str, name: str, second: float) -> None:
        """Add a fault that struck a connection.

        Args:
            request_id: of the connection.
            name: of the fault.
            second: of its audio at which it struck.
        """
        self._faults.append((request_id, second, name))

    # The account --------------------------------------------------------------------------------------------------

    def settled(self, until: float) -> bool:
        """Whether no word said by second `until` is lost, as things stand."""
        return not self.account(until).lost

    def account(self, until: float) -> Account:
        """The account of every word said by second `until`."""
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
            lost.append(Lost(self.call, word.text, word.start, bool(state & _HEARD), self._faults_near(word.start)))
            hurt.add(self._speech.utterance[place])
        return Account(said, tuple(lost), withheld, taken_back, twice, len(utterances), len(hurt))

    def _gaps(self) -> list[tuple[float, float, str]]:
        """Seconds of speech that turnkit cannot know the words of, and why."""
        gaps = [(begin - _EDGE, end + _EDGE, "audio dropped") for begin, end in self._dropped]
        for name, second, end in self._strikes():
            if name in _FOR_GOOD:
                gaps.append((second - _BEFORE, end, name))
            elif name in WITHHOLDING:
                gaps.append((second - _BEFORE, second + _LASTS.get(name, 0.0) + _AFTER, name))
        return gaps

    def _strikes(self) -> list[tuple[str, float, float]]:
        """Each fault: its name, its second of speech, and the second at which its connection ends."""
        spans: dict[str, tuple[float, float]] = {}
        end = inf
        for connection in reversed(self._connections):
            spans[connection.request_id] = connection.begin, end
            end = connection.begin
        return [
            (name, spans[request_id][0] + second, spans[request_id][1])
            for request_id, second, name in self._faults
            if request_id in spans
        ]

    def _faults_near(self, second: float) -> tuple[str, ...]:
        return tuple(name for name, struck, _ in self._strikes() if abs(struck - second) <= _NEAR)
