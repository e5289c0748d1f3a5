"""Text cut into sentences in the scripts and languages that voices speak, as an LLM streams it."""

from __future__ import annotations

import pytest

from turnkit.speaking import sentences
from turnkit.speaking.sentences import ends_sentence, without_tags

CASES = {
    "English": [
        "It costs 3.5 euros, at 5 p.m.",
        "Dr. Smith, e.g. Mr. J. Doe, said so.",
        "No. 5 is in the U.S. Army.",
        "He asked “why?”",
        "Then I.",
    ],
    "German": [
        "Das kostet z. B. 3,5 Euro, bzw. 1.000 Euro.",
        "Am 3. Mai kommt Dr. Huber.",
        "Er sagte „Gut.“",
        "»Ja!«",
        "Nein.",
    ],
    "French": ["M. Dupont a dit : « Bonjour. »", "Mme. Petit dit « Quoi ? »", "Il coûte 3,5 euros !", "Bon."],
    "Spanish": ["¿Cómo está la Sra. Gil?", "¡Adiós, Dr. Ruiz!", "Son 3,5 euros.", "Vale."],
    "Portuguese": ["O Dr. Silva e a Sra. Reis chegaram.", "Custa 1.000,50 euros.", "Tchau!"],
    "Italian": ["Il dott. Rossi e il sig. Bianchi sono qui.", "Costa 3,5 euro.", "Perché?", "Sì."],
    "Russian": ["Это т. е. так, 3,5 рубля.", "Г-н Иванов и А. С. Пушкин пришли.", "Это я.", "Да!"],
    "Hindi": ["नमस्ते।", "डॉ. शर्मा 3.5 बजे आए।", "आप कैसे हैं?", "ठीक॥"],
    "Arabic": ["كيف حالك؟", "السعر 3.5 يورو.", "شكرا!"],
    "Urdu": ["یہ اچھا ہے۔", "کیا حال ہے؟", "جی۔"],
    "Japanese": ["今日は晴れ。", "「はい。」", "本当！？", "５．５円と３.５円です。", "そう｡"],
    "Chinese": ["你好。", "你好吗？", "他说：“好。”", "５．５元。", "太好了！"],
    "Khmer": ["ខ្ញុំសុខសប្បាយ។", "ហើយអ្នក?"],
    "SSML": [
        '<prosody rate="slow. Very">One. Two! <emphasis>Three.</emphasis></prosody>',
        'Four.<break time="1.5s"/>',
        "<speak>Five. <s>Six.</s> <break/>Seven.</speak>",
        "Is a < b?",
        "Dear <name>.",
    ],
}
PARTED = {"Japanese": "", "Chinese": ""}


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
@pytest.mark.parametrize("language", CASES)
def test_sentences_of(language: str, size: int) -> None:
    """Each is one piece, whatever the chunks: never cut at a decimal, an abbreviation, or within an element."""
    expected = [sentence.strip() for sentence in CASES[language]]
    text = PARTED.get(language, " ").join(expected)
    said: list[str] = []
    rest = ""
    for start in range(0, len(text), size):
        pieces, rest = sentences(rest + text[start : start + size])
        said += pieces
    assert [piece.strip() for piece in [*said, rest]] == expected


def test_a_clause_of_thai_ends_at_a_blank() -> None:
    """There are no marks at the end of its sentences, and no blanks between its words."""
    text = "สวัสดีครับผมชื่อสมชาย ยินดีที่ได้รู้จัก ราคา 3.5 บาท"
    assert sentences(text, first=True) == (["สวัสดีครับผมชื่อสมชาย"], " ยินดีที่ได้รู้จัก ราคา 3.5 บาท")
    pieces, rest = sentences(f"{text} " * 9)
    assert "".join(pieces) + rest == f"{text} " * 9
    assert all(len(piece) <= 300 and piece.endswith(("สมชาย", "รู้จัก", "บาท")) for piece in pieces)


def test_a_clause_is_not_cut_out_of_an_element() -> None:
    """The first piece may be a clause, but a voice cannot read half an element."""
    assert sentences("<prosody>Well, as I said, it is", first=True) == ([], "<prosody>Well, as I said, it is")
    assert sentences("<speak>" + "One two three, four. " * 30)[0] == []
    assert sentences("Then <pros")[1] == "Then <pros"


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("One moment.", True),
        ("It costs 3.", False),  # .5 million
        ("５．", False),
        ("See Dr.", False),
        ("Fruit, e.g.", False),
        ("z. B.", False),
        ("डॉ.", False),
        ("At 5 p.m.", True),
        ("No.", True),
        ("It is I.", True),
        ("Wait...", True),
        ("नमस्ते।", True),
        ("كيف حالك؟", True),
        ("はい。」", True),
        ("« Oui. »", True),
        ("<prosody>One.", False),
        ("<prosody>One.</prosody>", True),
        ("Half a", False),
        ("", False),
    ],
)
def test_what_may_be_said_when_nothing_more_comes(text: str, complete: bool) -> None:
    """After a number or an abbreviation the sentence may well go on; within an element it does."""
    assert ends_sentence(text) is complete


def test_tags_are_no_words() -> None:
    """Of elements that are paired, empty, or on their way; a smaller-than is no tag."""
    assert without_tags('<speak>It <break time="1s"/>is 3 < 4 <pro') == "It is 3 < 4 "
