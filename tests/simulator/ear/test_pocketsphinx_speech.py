"""How recognisers by PocketSphinx use their decoder, without PocketSphinx."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

from turnkit.simulator.ear.pocketsphinx_speech import PocketSphinxRecogniser
from turnkit.simulator.script import SpokenWord

STEP = bytes(1024)
STEP_SECONDS = 0.032


class _Decoder:
    """Finds a word in each second of an utterance, and counts what one had to hold."""

    def __init__(self) -> None:
        self.frames = 0
        self.most_frames = 0
        self.open = False

    def start_utt(self) -> None:
        assert not self.open
        self.open, self.frames = True, 0

    def process_raw(self, pcm: bytes) -> None:
        assert self.open
        self.frames += len(pcm) // 320
        self.most_frames = max(self.most_frames, self.frames)

    def end_utt(self) -> None:
        assert self.open
        self.open = False

    def reinit_feat(self) -> None:
        assert not self.open

    def seg(self) -> list[SimpleNamespace]:
        found = [SimpleNamespace(word="<s>", start_frame=0, end_frame=9)]
        return found + [
            SimpleNamespace(word=f"word({at})", start_frame=at + 10, end_frame=at + 79)
            for at in range(0, self.frames - 80, 100)
        ]


class _All(PocketSphinxRecogniser):
    def understood(self, found: list[SpokenWord], heard: float | None) -> tuple[SpokenWord, ...]:
        return tuple(found)


def test_speech_without_a_pause_costs_no_more_the_longer_it_lasts() -> None:
    """A decoder searches all of an utterance, and keeps it; so none is longer than some seconds, whatever is said."""
    decoder = _Decoder()
    back: list[object] = []
    recogniser = _All(decoder, back.append)
    recogniser.begin()
    heard: tuple[SpokenWord, ...] = ()
    for step in range(1, round(60 / STEP_SECONDS)):
        before, heard = heard, recogniser.hear(STEP)
        assert heard[: len(before)] == before, "what was found stays, and where it was"
        assert len(heard) >= step * STEP_SECONDS * 0.8 - 1
        assert all(one.end <= two.start for one, two in pairwise(heard))
    assert recogniser.end() == heard
    assert decoder.most_frames <= 1020
    recogniser.begin()
    assert recogniser.hear(STEP) == (), "the next stretch begins at second 0, with nothing found"
    recogniser.close()
    assert back == [decoder]
