"""Scripts of a simulated caller: starts, pauses, paces, and lines that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from turnkit.errors import ConfigError
from turnkit.simulator import Script, SpokenWord, Utterance, say


def test_a_script_reads_starts_pauses_paces_and_comments() -> None:
    """A few readable lines make a conversation."""
    script = Script.parse("1.0 Hello there. # hi\n\n# nothing\n+1.5 [read] We (0.5) the people.\n")
    first, second = script.utterances
    assert (first.start, first.transcript, first.pace) == (1.0, "Hello there.", "talk")
    assert second.start == pytest.approx(first.end + 1.5)
    assert (second.transcript, second.pace) == ("We the people.", "read")
    assert second.words[1].start == pytest.approx(second.words[0].end + 0.5)
    assert script.end == second.end


def test_words_come_at_about_three_a_second_and_longer_ones_take_longer() -> None:
    """The rate of speech is a natural one."""
    words = say("Could you tell me when the restaurant opens again tomorrow morning?", at=0.0).words
    assert 2.5 < len(words) / words[-1].end < 3.5
    seconds = {word.text: word.end - word.start for word in words}
    assert seconds["restaurant"] > seconds["tell"] > 0.15


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("hello", "a second and words"),
        ("1.0", "a second and words"),
        ("-1 hello", "a second and words"),
        ("0.5 too early", "before the last utterance has ended"),
        ("9 [sung] la la", "sung"),
        ("9 wait (long) here", "seconds in parentheses"),
        ("9 (0.5) wait", "between two words"),
        ("9 wait (0.5)", "between two words"),
        ("9 wait (0.5) (0.5) here", "between two words"),
        ("9 well - yes", "letter or digit"),
    ],
)
def test_a_bad_line_is_refused_with_its_number(line: str, rule: str) -> None:
    """The error names the source, the line and the rule."""
    with pytest.raises(ConfigError, match=f"^talk.txt, line 3: .*{rule}"):
        Script.parse(f"0.0 Hello there.\n\n{line}", source="talk.txt")


def test_a_script_without_words_or_file_is_refused(tmp_path: Path) -> None:
    """Nothing said is a mistake, and so is a file that is not there."""
    with pytest.raises(ConfigError, match="nothing is said"):
        Script.parse("# silence\n")
    with pytest.raises(ConfigError, match="cannot be read"):
        Script.read(tmp_path / "none.txt")
    path = tmp_path / "talk.txt"
    path.write_text("1.0 Hello.\n", encoding="utf-8")
    assert Script.read(path, seed=3) == Script((say("Hello.", at=1.0),), seed=3)


def test_words_out_of_order_are_refused() -> None:
    """Nobody says two words at once."""
    with pytest.raises(ConfigError, match="begins before"):
        Utterance((SpokenWord("a", 0.0, 0.5), SpokenWord("b", 0.4, 0.8)))
    with pytest.raises(ConfigError, match="begins before"):
        Script((say("Hello there.", at=1.0), say("Hello.", at=1.2)))
    with pytest.raises(ConfigError, match="must end after it starts"):
        SpokenWord("a", 1.0, 1.0)
    with pytest.raises(ConfigError, match="at least one word"):
        say("", at=0.0)
