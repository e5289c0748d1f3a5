"""Redacted traces hold none of the words, and are equal where the words are."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.support.recorded_call import SETTINGS
from turnkit import FluxOptions, TurnMachine, Verdict
from turnkit.trace import Recorder, read, replay
from turnkit.trace.redaction import Pseudonyms
from turnkit.turns.events import (
    Commit,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    Interrupt,
    Outcome,
    PlaybackAdvanced,
    PlaybackStarted,
    ReplyEnded,
    Speculate,
    StartOfTurn,
    TimedWord,
)
from turnkit.turns.words import has_words, same_words, words_of
from turnkit.wire import TurnInfo, decode

sayings = st.text(st.sampled_from("tea TEA.'’-35,:$%é ß我想。はいｶﾞกิ๓３．\u200bहाँ\n"), max_size=24)


@given(sayings, sayings)
def test_redacted_texts_are_equal_where_the_texts_are(one: str, other: str) -> None:
    """Turn-taking asks whether two texts say the same words, and whether there are any: the answers stay."""
    words = Pseudonyms()
    hidden, also = words.text(one), words.text(other)
    assert same_words(hidden, also) == same_words(one, other)
    assert has_words(hidden) == has_words(one)
    assert len(words_of(hidden)) == len(words_of(one))
    assert words.text(one) == hidden


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=8), max_size=60))
def test_no_two_words_become_one(texts: list[str]) -> None:
    """However many words of one shape there are."""
    words = Pseudonyms()
    hidden = [words.text(text) for text in texts]
    for one, its in zip(texts, hidden, strict=True):
        for other, others in zip(texts, hidden, strict=True):
            if not same_words(one, other) and not any(c.isdigit() and not c.isascii() for c in one + other):
                assert not same_words(its, others)


def test_redaction_hides_what_was_said() -> None:
    """Words go, their number, length and punctuation stay; floor words and the policies' own phrases stay too."""
    words = Pseudonyms(["righty-o"])
    hidden = words.text("Righty-o, no: call Mr. O'Neill at 555-0199, 5 p.m. Call O'Neill!")
    assert not {"call", "neill", "555", "0199"} & set(hidden.lower().replace("-", " ").replace("'", " ").split())
    assert hidden.startswith("Righty-o, no: ")
    assert [len(word) for word in hidden.split()] == [9, 3, 4, 3, 7, 2, 9, 1, 4, 4, 8]
    assert hidden.split()[2].lower() == hidden.split()[-2].lower()


def test_a_redacted_file_holds_none_of_the_words(tmp_path: Path) -> None:
    """In no event, signal, fact, frame, option or list of words."""
    recorder = Recorder(tmp_path / "a.jsonl", redact=True, frames=True)
    recorder.begin("s", "", 0.0, SETTINGS, options=FluxOptions(keyterm=("Zanzibar",), tag=("Zanzibar",)))
    frame = decode(
        '{"type":"TurnInfo","event":"EndOfTurn","turn_index":0,"transcript":"Zanzibar","words":[{"word":"Zanzibar"}]}'
    )
    assert isinstance(frame, TurnInfo)
    recorder.frame(0.5, frame)
    recorder.frame(0.6, decode('{"type":"New","text":"Zanzibar"}'))
    machine = TurnMachine(barge_in=lambda _: (Verdict.YIELD, "Zanzibar"))
    said = (TimedWord("Zanzibar,", 0.5, 0.9, 0.75), TimedWord("Zanzibar", 1.0))
    events: list[Event] = [StartOfTurn(0, "Zanzibar"), EagerEndOfTurn(0, "Zanzibar", words=said, languages=("en",))]
    events += [EndOfTurn(0, "Zanzibar, Zanzibar", words=said, languages=("en", "fr")), StartOfTurn(1, "Zanzibar")]
    events += [EndOfTurn(1, "Zanzibar"), PlaybackStarted(2), PlaybackAdvanced(2, "Zanzibar"), Interrupt("Zanzibar")]
    for at, event in enumerate(events):
        recorder.fed(at, event, machine.feed(event, at))
    recorder.told(ReplyEnded(0, 1, Outcome.FINISHED, "Zanzibar", at=7.0))
    recorder.fact(8.0, "Said", texts=["Zanzibar", {"more": "Zanzibar"}])
    recorder.closed(9.0, machine.close(9.0))
    recorder.end()
    assert "zanzibar" not in recorder.path.read_text().lower()
    trace = read(recorder.path)
    assert trace.header.redacted
    commits = [signal for signal in trace.signals() if isinstance(signal, Commit)]
    assert [len(commit.transcript) for commit in commits] == [18, 8, 8]
    assert commits[1].unanswered == (commits[0].transcript,)
    # Each word stands for itself wherever it is; when it was said, how surely, and in which language is nobody's word.
    ends = [event for _, event in trace.events() if isinstance(event, (EagerEndOfTurn, EndOfTurn))]
    (draft,) = [signal for signal in trace.signals() if isinstance(signal, Speculate)]
    assert commits[0].words == ends[1].words == draft.words == ends[0].words
    assert [word.word for word in commits[0].words] == commits[0].transcript.split()
    times = [(word.start, word.end, word.confidence) for word in commits[0].words]
    assert times == [(0.5, 0.9, 0.75), (1.0, None, 0.0)]
    assert (commits[0].languages, draft.languages) == (("en", "fr"), ("en",))
    assert replay(trace, barge_in=lambda _: Verdict.YIELD).signals
    assert recorder.lost == 0
