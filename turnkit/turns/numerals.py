"""Numbers as they are said and as they are written: "forty euros" and "€40" in one form.

Own code, and no library: what there is turns digits into words for a language that must be known, and costs more to
import than the whole engine. Here no language is known, and only this is asked: whether two texts may say the same
number. English, German, Dutch, French, Spanish, Portuguese, Italian, Russian, Japanese and Chinese are read; a number
in the words of another language is a word like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple


class Said(NamedTuple):
    """A word, or the words that make up a number.

    Attributes:
        form: the word, or the digits of the number.
        words: how many words it was.
    """

    form: str
    words: int

    @property
    def is_number(self) -> bool:
        """Whether it is a number."""
        return self.form[:1].isdigit()


def _counting(words: str, *values: int) -> dict[str, int]:
    """The words against the values; several words for one value have a stroke between them."""
    return {word: value for words_, value in zip(words.split(), values, strict=True) for word in words_.split("|")}


def _words(words: str, meaning: str) -> dict[str, str]:
    """Each of the words against what all of them mean."""
    return dict.fromkeys(words.split(), meaning)


_TENS = range(20, 100, 10)
_HUNDREDS = range(100, 1000, 100)
_ENGLISH = {
    **_counting("zero one two three four five six seven eight nine ten", *range(11)),
    **_counting("eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen", *range(11, 20)),
    **_counting("twenty thirty forty fifty sixty seventy eighty ninety", *_TENS),
    **_counting("first second third fourth fifth sixth seventh eighth ninth tenth", *range(1, 11)),
    **_counting("eleventh twelfth thirteenth fourteenth fifteenth sixteenth", *range(11, 17)),
    **_counting("seventeenth eighteenth nineteenth twentieth thirtieth", 17, 18, 19, 20, 30),
}
_GERMAN = {
    **_counting("null ein|eins|eine zwei|zwo drei vier fünf sechs sieben acht neun zehn elf zwölf", *range(13)),
    **_counting("dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn", *range(13, 20)),
    **_counting("zwanzig dreißig|dreissig vierzig fünfzig sechzig siebzig achtzig neunzig", *_TENS),
}
_DUTCH = {
    **_counting("nul een|één twee drie vier vijf zes zeven acht negen tien elf twaalf", *range(13)),
    **_counting("dertien veertien vijftien zestien zeventien achttien negentien", *range(13, 20)),
    **_counting("twintig dertig veertig vijftig zestig zeventig tachtig negentig", *_TENS),
}
_FRENCH = {
    **_counting("zéro un|une deux trois quatre cinq six sept huit neuf dix onze douze treize", *range(14)),
    **_counting("quatorze quinze seize", 14, 15, 16),
    **_counting("vingt|vingts trente quarante cinquante soixante septante huitante|octante nonante", *_TENS),
}
_SPANISH = {
    **_counting("cero uno|una dos tres cuatro cinco seis siete ocho nueve diez once doce trece", *range(14)),
    **_counting("catorce quince dieciséis diecisiete dieciocho diecinueve", *range(14, 20)),
    **_counting("veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa", *_TENS),
    **_counting("veintiuno|veintiún|veintiuna veintidós veintitrés veinticuatro veinticinco", *range(21, 26)),
    **_counting("veintiséis veintisiete veintiocho veintinueve", *range(26, 30)),
    **_counting("doscientos trescientos cuatrocientos quinientos", 200, 300, 400, 500),
    **_counting("seiscientos setecientos ochocientos novecientos", 600, 700, 800, 900),
}
_PORTUGUESE = {
    **_counting("um|uma dois|duas três quatro cinco seis sete oito nove dez onze doze treze", *range(1, 14)),
    **_counting("catorze|quatorze quinze dezesseis|dezasseis dezessete|dezassete dezoito dezenove", *range(14, 20)),
    **_counting("vinte trinta quarenta cinquenta sessenta setenta oitenta noventa", *_TENS),
    **_counting("duzentos trezentos quatrocentos quinhentos", 200, 300, 400, 500),
    **_counting("seiscentos setecentos oitocentos novecentos", 600, 700, 800, 900),
}
_ITALIAN = {
    **_counting("uno due tre|tré quattro cinque sei sette otto nove dieci undici dodici tredici", *range(1, 14)),
    **_counting("quattordici quindici sedici diciassette diciotto diciannove", *range(14, 20)),
    **_counting("venti trenta quaranta cinquanta sessanta settanta ottanta novanta", *_TENS),
}
_RUSSIAN = {
    **_counting("ноль|нуль один|одна|одно два|две три четыре пять шесть семь восемь девять десять", *range(11)),
    **_counting("одиннадцать двенадцать тринадцать четырнадцать пятнадцать", *range(11, 16)),
    **_counting("шестнадцать семнадцать восемнадцать девятнадцать", *range(16, 20)),
    **_counting("двадцать тридцать сорок пятьдесят шестьдесят семьдесят восемьдесят девяносто", *_TENS),
    **_counting("сто двести триста четыреста пятьсот шестьсот семьсот восемьсот девятьсот", *_HUNDREDS),
}
_CHINESE = _counting("零|〇 一 二|两 三 四 五 六 七 八 九", *range(10))

_SMALL = {
    word: value
    for table in (_FRENCH, _ITALIAN, _PORTUGUESE, _SPANISH, _DUTCH, _GERMAN, _RUSSIAN, _CHINESE, _ENGLISH)
    for word, value in table.items()
}
_COMPOUND = {
    **{f"{unit}und{ten}": n + t for unit, n in _GERMAN.items() if 0 < n < 10 for ten, t in _GERMAN.items() if t >= 20},
    **{f"{unit}{en}{ten}": n + t
        for unit, n in _DUTCH.items() if 0 < n < 10 for ten, t in _DUTCH.items() if t >= 20 for en in ("en", "ën")},
    **{(ten[:-1] if unit[0] in "uo" else ten) + unit: t + n
        for ten, t in _ITALIAN.items() if t >= 20 for unit, n in _ITALIAN.items() if n < 10},
}  # fmt: skip
_TIMES = {
    **_counting("十 百|hundred|hundredth|hundert|honderd|cent|cents|cien|ciento|cem|cento", 10, 100),
    **_counting("千|thousand|thousandth|tausend|duizend|mille|mil|mila|тысяча|тысячи|тысяч", 1000),
    **_counting("万|萬", 10_000),
    **_counting("million|millions|millionen|miljoen|millón|millones|milhão|milhões|milione|milioni|миллион", 1_000_000),
}
_PARTED_BY = re.compile(r"(.*?)(tausend|duizend|mila|mille|hundert|honderd|cento)(.*)")
_AND = frozenset(_words("and et y e und en и point comma komma coma vírgula virgule virgola", ""))
_SIGNS = {
    **_words("dollar dollars dólar dólares dollari доллар доллара долларов", "$"),
    **_words("euro euros евро ユーロ", "€"),
    **_words("pound pounds pfund libra libras", "£"),
    **_words("yen 円", "¥"),
    **_words("percent prozent procent процент процента процентов", "%"),
    **_words("degree degrees grad", "°"),
    "dr": "doctor",
    "mr": "mister",
    "mrs": "missus",
}
_PER_CENT = frozenset({("per", "cent"), ("pour", "cent"), ("por", "ciento"), ("por", "cento"), ("per", "cento")})
_LONGEST = 60  # letters of a number in one word
_DIGITS = re.compile(r"(\W*)(\d+)(?:st|nd|rd|th|er|e|º|ª)?(\D*)")


def as_written(words: Sequence[str]) -> list[Said]:
    """The words of a text, in order, with each number in digits, and the signs that go with it behind it.

    Args:
        words: parted, in lower case and without punctuation, as `parted_words_of` gives them.

    Returns:
        The words and the numbers. Numbers that follow each other are one: "twenty twenty six" is 2026.
    """
    said: list[Said] = []
    index = 0
    while index < len(words):
        end = _end_of_number(words, index)
        if end > index:
            number, sign = _digits_of(words[index:end])
            said.append(Said(number, end - index))
            said += [Said(sign, 0)] if sign else []
            index = end
        elif tuple(words[index : index + 2]) in _PER_CENT:
            said.append(Said("%", 2))
            index += 2
        else:
            said.append(Said(_SIGNS.get(words[index], words[index]), 1))
            index += 1
    return said


def _end_of_number(words: Sequence[str], index: int) -> int:
    """Where the number ends that begins there; there, if none does."""
    end = index
    while index < len(words):
        if _is_numeral(words[index]):
            index = end = index + 1
            if not words[index - 1].isdigit() and _DIGITS.fullmatch(words[index - 1]):
                return end  # a sign belongs to it: the next is another number
        elif words[index] in _AND and end == index and index:
            index += 1
        else:
            break
        if tuple(words[index - 1 : index + 1]) in _PER_CENT:
            return end
    return end


def _is_numeral(word: str) -> bool:
    return _DIGITS.fullmatch(word) is not None or word in _TIMES or _value(word) is not None


@lru_cache(1024)
def _value(word: str) -> int | None:
    """The number below a hundred that the word says, or one that is made up of several words without spaces."""
    if len(word) > _LONGEST:
        return None
    if (value := _SMALL.get(word, _COMPOUND.get(word))) is not None:
        return value
    parts = _PARTED_BY.fullmatch(word)
    if parts is None or word in _TIMES:
        return None
    times = 1000 if parts[2][0] in "tdm" else 100
    before = _value(parts[1]) if parts[1] else 1
    rest = parts[3].removeprefix("und")
    after = (_value(rest) or _TIMES.get(rest)) if rest else 0
    return None if before is None or after is None else before * times + after


def _digits_of(words: Sequence[str]) -> tuple[str, str]:
    """The digits that the words say one after the other, and the sign that was written at them."""
    digits, sign, spoken = "", "", list[str]()
    for word in words:
        if (written := _DIGITS.fullmatch(word)) is not None:
            digits += "".join(map(str, _numbers(spoken))) + written[2]
            sign = written[1] or written[3]
            spoken = []
        elif word in _TIMES and not spoken and digits:
            digits += str(_TIMES[word])[1:]  # 4 million
        elif word not in _AND:
            spoken.append(word)
    return digits + "".join(map(str, _numbers(spoken))), sign


def _numbers(words: Sequence[str]) -> Iterator[int]:
    """The numbers that the words say: "nineteen ninety nine" are 19 and 99."""
    total = group = 0
    begun, before = False, ""
    for word in words:
        times = _TIMES.get(word)
        value = _value(word)
        if times == 10:
            group += max(group % 10, 1) * 10 - group % 10
        elif times is not None:
            if times == 100:
                group = max(group, 1) * 100
            else:
                total, group = (total + group or 1) * times if times > 1000 else total + max(group, 1) * times, 0
        elif value is not None:
            if value == 20 and before == "quatre":
                value, group = 80, group - 4
            elif begun and not _goes_with(value, group, total, before, word):
                yield total + group
                total = group = 0
            group += value
        begun, before = True, word
    if begun:
        yield total + group


def _goes_with(value: int, group: int, total: int, before: str, word: str) -> bool:
    """Whether a number below a hundred, or in hundreds, is part of the one that has been said so far."""
    if not value or not (group or total):
        return False
    if value < 10:
        return group % 10 == 0 and (group % 100 != 10 or before in ("dix", "十"))
    if value < 20 and group % 100 in (60, 80) and word in _FRENCH:
        return True
    return group % (100 if value < 100 else 1000) == 0
