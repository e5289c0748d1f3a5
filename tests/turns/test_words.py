"""What counts as the same words, and what does not."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.effort import tries
from turnkit.turns.words import fold, has_words, last_letter, numbers_of, same_words, words_of

SPOKEN = "%&@#*"


UNSPACED = (
    *("CJK ", "HIRAGANA ", "HENTAIGANA ", "KATAKANA", "COMBINING KATAKANA", "BOPOMOFO "),
    *("THAI ", "LAO ", "MYANMAR ", "KHMER "),
)


def letter_or_mark(character: str) -> str:
    """Whether a character counts as a word, or is a mark that belongs to one before it; else empty."""
    kind, code = unicodedata.category(character), ord(character)
    own = unicodedata.name(character, "").startswith(UNSPACED) and not 0xFE30 <= code <= 0xFE4F
    if own or (0x2E80 <= code <= 0x9FFF and not 0x3130 <= code <= 0x318F):
        return "mark" if kind[0] == "M" else "letter" if kind[0] != "Z" and kind != "Nd" else ""
    selector = unicodedata.name(character, "").startswith("VARIATION SELECTOR-")
    return "mark" if 0x300 <= code <= 0x36F or selector or character in "\u200c\u200d\u2060" else ""


def reference_spaced(text: str) -> str:
    """The text in usual width, and with its letters that count as words set apart, the slow way."""
    for run in re.findall("[\uff01-\uffee]+", text):
        text = text.replace(run, unicodedata.normalize("NFKC", run), 1)
    out, after = "", ""
    for character in unicodedata.normalize("NFC", text):
        what = letter_or_mark(character)
        apart = what == "letter" or (after and what != "mark")
        out += f" {character}" if apart else character
        after = what if what == "letter" or after else ""
        after = after if what else ""
    return out


def reference_words(text: str) -> list[str]:
    """The words of a text the slow way, a character at a time."""
    kept = ""
    for character in unicodedata.normalize("NFC", reference_spaced(text)).casefold():
        silent = unicodedata.category(character)[0] == "P" or unicodedata.category(character) == "Cf"
        if character in SPOKEN or not (silent or character == "ʼ"):
            kept += character
        elif character == "\u200b":
            kept += " "
    return kept.split()


def reference_numbers(text: str) -> list[str]:
    """What the digits of a text say, with the signs that stand between them, and a point or minus that begins them."""
    numbers = []
    for word in reference_spaced(text).split():
        for span in re.finditer(r"[\d.,:/-]*\d", word):
            number = span[0].lstrip(".,:/-")
            before = word[: span.end() - len(number)]
            sign = "-." if before == "-." else before[-1:] if before in (".", "-") or before.endswith("-.") else ""
            numbers.append(sign + number)
    return numbers


def reference_same(one: str, other: str) -> bool:
    return reference_words(one) == reference_words(other) and reference_numbers(one) == reference_numbers(other)


SAME = [
    ("", ""),
    ("", " ... "),
    ("yes", "Yes."),
    ("I, um, need help", "i um need HELP!"),
    ("one two", " one \t two\n"),
    ("can't", "cant"),
    ("“Hello”, she said…", '"Hello," she said.'),
    ("I’m here", "I'm here"),
    ("¿Qué tal?", "qué tal"),
    ("cafe\u0301", "caf\u00e9"),
    ("STRASSE", "straße"),
    ("今日は、元気ですか。", "今日は元気ですか"),
    ("「はい」", "はい"),
    ("नमस्ते।", "नमस्ते"),
    ("3.5", "3.5."),
    ("call 555-1234", "Call 555-1234!"),
    ("at 12:30, then", "At 12:30 then"),
    ("* and *", "* And *."),
    ("canʼt", "can't"),
    ("今日は元気", "今日 は 元 気"),
    ("東京Towerへ", "東京 tower へ"),
    ("八時、です", "八 時 です。"),
    ("你好，吗？", "你 好 吗"),
    ("สวัสดีครับ", "สวัสดี ครับ"),
    ("สวัสดี\u200bครับ", "สวัสดีครับ"),
    ("ສະບາຍດີ", "ສະ ບາຍ ດີ"),
    ("ខ្ញុំទៅ។", "ខ្ញុំ ទៅ"),
    ("မင်္ဂလာပါ။", "မင်္ဂလာ ပါ"),
    ("هل أنت هنا؟", "هل أنت هنا"),
    ("Ｙｅｓ！", "yes"),
    ("ﾊﾞｽ", "バス"),
    ("か\u3099", "が"),
    ("３．５", "3.5"),
    ("100％です", "１００% です"),
    ("3時", "3 時。"),
    ("午後-5度", "午後 -5 度"),
    ("सही\u200d।", "सही"),
]
DIFFERENT = [
    ("", "yes"),
    ("yes", "yes yes"),
    ("yes no", "no yes"),
    ("3.5", "35"),
    ("1,000", "1000"),
    ("12:30", "1230"),
    ("1/2", "12"),
    ("555-1234", "5551234"),
    ("٣٫٥", "٣٥"),
    ("call * now", "call now"),
    ("* *", "*"),
    ("5%", "5"),
    ("$5", "5"),
    ("me @ home", "me home"),
    ("हिन्दी", "हिनदी"),
    ("कि", "क"),
    ("が", "か"),
    ("今日は", "今日"),
    ("resume", "resumé"),
    ("３．５", "３５"),
    ("3.5時", "35時"),
    ("๓.๕", "๓๕"),
    ("今日", "日今"),
    ("ที่", "ทิ่"),
    ("は", "ば"),
    ("안녕 하세요", "안녕하세요"),
    ("５％", "５"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_same_words(one: str, other: str) -> None:
    """Case, punctuation, quotes, composed letters and spaces say nothing."""
    assert same_words(one, other)
    assert same_words(other, one)
    assert fold(one) == fold(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_words(one: str, other: str) -> None:
    """Letters, marks, numbers, signs that are said and redactions all count."""
    assert not same_words(one, other)
    assert not same_words(other, one)


@pytest.mark.parametrize(("text", "folded"), [("  Hello,  World! ", "hello world"), ("Ça va?", "ça va"), ("...", "")])
def test_fold(text: str, folded: str) -> None:
    """What is left is words in lower case with single spaces, as UTF-8."""
    assert fold(text) == folded.encode()


WORDS = [
    ("well, actually — no", ["well", "actually", "no"]),
    ("Uh-huh, 3.5!", ["uhhuh", "35"]),
    ("今日は。", ["今", "日", "は"]),
    ("ラーメン 2つ", ["ラ", "ー", "メ", "ン", "2", "つ"]),
    ("ที่นี่", ["ที่", "นี่"]),
    ("ខ្ញុំ", ["ខ្", "ញុំ"]),
    ("AIは๑๒", ["ai", "は", "๑๒"]),
    ("네 안녕하세요 ㅋㅋ", ["네", "안녕하세요", "ㅋㅋ"]),
    ("-- …", []),
]


@pytest.mark.parametrize(("text", "words"), WORDS)
def test_words_of(text: str, words: list[str]) -> None:
    """White space parts words; where a script has none, each letter with its marks is one."""
    assert words_of(text) == words


@pytest.mark.parametrize(
    ("text", "numbers"), [("3.5 or -2, 10:30.", ["3.5", "-2", "10:30"]), ("３．５時に2つ", ["3.5", "2"]), ("八時", [])]
)
def test_numbers_of(text: str, numbers: list[str]) -> None:
    """Digits with the signs that are said in them, in usual width."""
    assert numbers_of(text) == numbers


@pytest.mark.parametrize("text", ["", " ", "\t\n", "...", "…", "—", "。", "“”", " , . ", "\u200b", "！？", "؟", "។"])
def test_punctuation_has_no_words(text: str) -> None:
    """A text of punctuation and white space says nothing."""
    assert not has_words(text)


@pytest.mark.parametrize("text", ["a", " 5 ", "*", "%", "$", "か", "\u093f", "é.", "👋"])
def test_anything_else_has_words(text: str) -> None:
    """One letter, digit, mark or sign that is said is enough."""
    assert has_words(text)


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("Yes", "s"),
        ("YES! ", "s"),
        ("in 1984.", "4"),
        ('"Hi," he said, ("OK").', "k"),
        ("", ""),
        ("...", ""),
        ("café", ""),
        ("yes…", ""),
        ("5%", ""),
        ("*", ""),
        ("e\u0301", ""),
    ],
)
def test_last_letter(text: str, letter: str) -> None:
    """The last ASCII letter or digit is found behind punctuation; what else ends a text is not judged."""
    assert last_letter(text) == letter


LONG = "we the people of the united states in order to form a more perfect union establish justice, "


@pytest.mark.parametrize("start", [LONG, LONG * 20, "a" * 100 + " ", "3.5 " * 40, "今日は、" * 30 + " "])
@pytest.mark.parametrize(
    ("one", "other"),
    [("and so on", "And so on."), ("3.5", "35"), ("1,000", "1000"), ("yes", "no"), ("", "."), ("", "more"), ("*", "")],
)
def test_equal_beginnings_change_nothing(start: str, one: str, other: str) -> None:
    """However long two texts agree, their ends decide as they would alone."""
    assert same_words(start + one, start + other) is reference_same(one, other)
    assert same_words(start + one, other) is reference_same(start + one, other)


def test_number_where_long_texts_part_is_compared_whole() -> None:
    """However much follows it, a number that stands where two long texts part is not cut in two."""
    for more in range(80):
        start, end = LONG + "3", " " + "m" * more
        assert not same_words(start + ".5" + end, start + "5" + end)
        assert not same_words(start + ",000" + end, start + "000" + end)
        assert same_words(start + ".5" + end, start + ".5, " + end.upper())


# Words of all kinds that Flux sends, and the signs it puts between and behind them.
letters = st.sampled_from("aAbBsSßéÉẞİıſñçаБ今日はがｶﾞＡ５．กิ्្ញकिन्हीǰ") | st.characters(
    exclude_categories=("C", "Z", "P", "Nd")
)
numbers = st.from_regex(r"[0-9]{1,3}([.,:/-][0-9]{1,3}){0,2}", fullmatch=True)
signs = st.sampled_from(
    [*("", " ", "  ", "\t", "\n", ", ", ".", "!", "?", "…", "。", "、", "“", "’", " - ", "—", "*", "%"), *"\u200b？．"]
)
texts = st.lists(st.text(letters, max_size=4) | numbers | signs, max_size=8).map("".join)
silence = st.text(st.sampled_from(" \t\n.,!?;:'\"()[]{}_-/\\…。、“”’—¿¡।"), max_size=5)
long_texts = st.tuples(st.sampled_from(["", LONG, LONG * 2]), texts).map("".join)


@settings(deadline=None)
@given(long_texts, long_texts)
@example("a.5", "a5")
@example(LONG + "3.5", LONG + "35")
@example(LONG + ".5", LONG + "5")
def test_agrees_with_a_slow_reference(one: str, other: str) -> None:
    """The quick comparison is the plain one: same characters but for case and punctuation, and same numbers."""
    assert same_words(one, other) is reference_same(one, other)
    assert has_words(one) is bool(reference_words(one))
    assert fold(one).decode() == " ".join(reference_words(one))


@settings(deadline=None)
@given(texts, silence, silence)
def test_revisions_that_say_nothing(text: str, before: str, after: str) -> None:
    """Punctuation and spaces around a text change none of its words, nor does its case."""
    padded = f"{before} {text} {after}"
    assert fold(padded) == fold(text)
    assert same_words(padded, text)
    assert has_words(padded) is has_words(text)
    assert same_words(text.casefold(), text) or not text.isascii()


@settings(deadline=None)
@given(texts, st.lists(silence, min_size=2, max_size=2), st.booleans())
def test_same_words_is_an_equivalence(text: str, around: list[str], changed: bool) -> None:
    """Every text says what it says itself; the relation is symmetric, and carries over a third text."""
    one, other = f"{text} {around[0]}", f"{around[1]} {text}{' x' if changed else ''}"
    assert same_words(text, text)
    assert same_words(one, other) is same_words(other, one)
    assert same_words(text, one)
    assert same_words(one, other) is same_words(text, other) is not changed


@settings(deadline=None)
@given(texts, texts)
def test_relation_is_transitive(one: str, other: str) -> None:
    """Whatever says the same as one of two texts says the same as the other exactly if the two agree."""
    middle = one.upper() if one.isascii() else unicodedata.normalize("NFD", one)
    assert same_words(one, middle)
    assert same_words(middle, other) is same_words(one, other)


@settings(deadline=None)
@given(long_texts, long_texts)
def test_differing_last_letters_mean_different_words(one: str, other: str) -> None:
    """The quick look at the end of a text never contradicts the comparison of the whole."""
    first, second = last_letter(one), last_letter(other)
    if first and second and first != second:
        assert not same_words(one, other)
    if first:
        assert reference_words(one)[-1].endswith(first)


@settings(deadline=None, max_examples=tries(400))
@given(st.text(max_size=12), st.text(max_size=4), st.text(max_size=4))
def test_the_quick_looks_are_exact_for_any_text(text: str, one: str, other: str) -> None:
    """Of any characters of Unicode: no quick look calls two texts different that the whole comparison calls equal."""
    for left, right in ((text + one, text + other), (one + text, other + text), (one, other)):
        first, second = last_letter(left), last_letter(right)
        if first and second and first != second:
            assert fold(left) != fold(right)
        equal = fold(left) == fold(right) and numbers_of(left) == numbers_of(right)
        assert same_words(left, right) is equal
        assert has_words(left) is bool(fold(left)) is bool(words_of(left))
        if first:
            assert fold(left).endswith(first.encode())


unspaced = st.text(st.sampled_from("今日はがラーｶﾞกิที่ລາខ្ញុំမင်္ဂ5aA。、！"), max_size=8)


@settings(deadline=None)
@given(st.lists(unspaced, max_size=6), st.sampled_from([" ", "  ", "\u3000", "\u200b"]))
def test_blanks_between_letters_that_are_words_say_nothing(parts: list[str], blank: str) -> None:
    """Whether Flux puts them between its tokens or not."""
    apart = [part for part in parts if part[:1] in "今日はがラー" or part[:1] in "กทລ"]
    assert same_words("".join(apart), blank.join(apart))
    assert words_of("".join(apart)) == words_of(blank.join(apart))


def test_separators() -> None:
    """White space is what Unicode says, with and without other letters."""
    assert fold("a\x1cb") == b"a b"
    assert same_words("a\x1cb", "a\x1cb…")
    assert not has_words("\x1c")


@pytest.mark.parametrize(("one", "other"), [("-5", "5"), (".5", "5"), ("it is -5", "it is 5"), ("-.5", "-5")])
def test_signs_of_numbers(one: str, other: str) -> None:
    """A sign or a point before the digits is said."""
    assert not same_words(one, other)
