"""Key strokes become words with times: as fast as they come, with the pauses that are left between them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from turnkit.simulator import FRAME, LiveCaller, Settings
from turnkit.tools.play.typist import Typist


class Desk:
    """Somebody who types, and who hears them; the clock of both is the audio's."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.caller = LiveCaller(seed=150)
        self.detector = self.caller.listen(settings or Settings(eager_eot_threshold=0.4, eot_timeout_ms=3000))
        self.typist = Typist(self.caller)
        self.text = ""
        self.field = 0
        self.messages: list[dict[str, Any]] = []
        self.at = 0.0

    def wait(self, seconds: float) -> None:
        self.at += seconds
        self.messages += self.detector.hear(self.at)

    def type(self, text: str, interval: float = 0.16) -> None:
        for letter in text:
            self.put(self.text + letter)
            self.wait(interval)

    def put(self, text: str, *, kept: bool = False) -> None:
        """What stands in the field is another."""
        self.text = text
        self.typist.typed(text, self.field, self.at, kept=kept)

    def empty(self) -> None:
        self.text, self.field = "", self.field + 1

    def events(self) -> list[str]:
        return [message["event"] for message in self.messages if message["event"] != "Update"]

    def ends(self) -> list[str]:
        return [message["transcript"] for message in self.messages if message["event"] == "EndOfTurn"]


def test_a_sentence() -> None:
    """Typed without a pause it is one turn, without a draft in between; the full stop ends it at once."""
    desk = Desk()
    desk.type("I'd like a table for two, please.")
    typed = desk.at
    desk.wait(3.0)
    assert desk.ends() == ["I'd like a table for two, please."]
    assert desk.events()[:2] == ["StartOfTurn", "EagerEndOfTurn"]
    assert desk.events().count("TurnResumed") == 0
    ended = next(m for m in desk.messages if m["event"] == "EndOfTurn")
    assert ended["audio_window_end"] < typed + 0.8
    assert [word["word"] for word in ended["words"]] == ["I'd", "like", "a", "table", "for", "two,", "please."]


def test_words_have_the_times_of_their_keys() -> None:
    """From the first key of each, to the first of the next where none came too late."""
    desk = Desk()
    desk.wait(1.6)
    desk.type("yes and")
    desk.wait(8.0)
    ended = next(m for m in desk.messages if m["event"] == "EndOfTurn")
    yes, also = ended["words"]
    assert abs(yes["start"] - 1.6) <= FRAME
    assert abs(also["start"] - (1.6 + 4 * 0.16)) <= 2 * FRAME
    assert yes["end"] <= also["start"]


def test_a_pause_in_typing_is_a_pause_in_speech() -> None:
    """A draft is begun in it, and withdrawn when the keys go on."""
    desk = Desk()
    desk.type("I'd like a table")
    desk.wait(1.2)
    assert desk.events() == ["StartOfTurn", "EagerEndOfTurn"]
    desk.type(" for two, please.")
    desk.wait(2.0)
    assert desk.events()[2] == "TurnResumed"
    assert desk.ends() == ["I'd like a table for two, please."]


def test_who_types_slowly_does_not_pause() -> None:
    """What is between two keys is measured on this person's own pace."""
    desk = Desk()
    desk.type("well I mean", interval=0.3)
    fast = Typist(LiveCaller()).hold
    assert desk.typist.hold > fast
    assert desk.events() == ["StartOfTurn"]
    desk.wait(0.1)
    assert desk.typist.hold <= 0.8


def test_nobody_is_told_half_a_word() -> None:
    """So that "mm-hm" is a backchannel from the first."""
    desk = Desk()
    desk.type("mm-hm.")
    desk.wait(2.0)
    assert {m["transcript"] for m in desk.messages} == {"", "mm-hm."}


def test_a_correction() -> None:
    """The last word is said anew; what was said before it stays said."""
    desk = Desk()
    desk.type("a table fro")
    for text in (
        "a table fr",
        "a table f",
        "a table fo",
        "a table for",
        "a table for ",
        "a bable for ",
        "a bable for me.",
    ):
        desk.put(text)
        desk.wait(0.1)
    desk.wait(2.0)
    assert desk.ends() == ["a table for me."]


def test_pasted_words_take_the_time_of_speech() -> None:
    """One after the other; what is typed after them comes after them, and an hour of them is not taken."""
    desk = Desk()
    desk.put("Once upon a time there was a lighthouse keeper.")
    assert desk.caller.last is not None
    assert 2.0 < desk.caller.last.end < 6.0
    desk.put(desk.text + " And")
    assert desk.caller.last.text == "And"
    desk.put("word " * 100_000)
    assert desk.caller.last.end < 40.0
    desk.wait(60.0)
    assert desk.ends()


def test_an_emptied_field() -> None:
    """Its words are new ones, but for one in the middle of which it was emptied; what comes late counts for nothing."""
    desk = Desk()
    desk.type("Hello.")
    desk.wait(2.0)
    desk.empty()
    desk.type("Hello.")
    desk.wait(2.0)
    assert desk.ends() == ["Hello.", "Hello."]
    desk.put("Hello. wor")
    desk.wait(0.1)
    desk.empty()
    desk.put("wor", kept=True)
    desk.wait(0.1)
    desk.put("world.")
    desk.typist.typed("of an older field", 0, desk.at)
    desk.wait(4.0)
    assert desk.ends()[2:] == ["world."]


def test_a_word_that_goes_on_after_its_turn() -> None:
    """Its rest is said, and not all of it again."""
    desk = Desk()
    desk.type("sun")
    desk.wait(8.0)
    assert desk.ends() == ["sun"]
    desk.put("sun")
    desk.put("sun ")
    desk.put("sunday.")
    desk.wait(3.0)
    assert desk.ends() == ["sun", "day."]


@given(st.lists(st.tuples(st.text(max_size=30), st.integers(-1, 3), st.booleans(), st.floats(0, 3)), max_size=15))
def test_whatever_stands_in_the_field(typed: list[tuple[str, int, bool, float]]) -> None:
    """Nothing of it is refused by the simulator, and turns keep their numbers."""
    desk = Desk()
    for text, field, kept, seconds in typed:
        desk.typist.typed(text, field, desk.at, kept=kept)
        desk.wait(seconds)
    desk.wait(30.0)
    indexes = [m["turn_index"] for m in desk.messages]
    assert indexes == sorted(indexes)
    assert desk.detector.active is False
