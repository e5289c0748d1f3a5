"""What a voice is given for a text: a filter between what a reply says and its TTS, apart from the history.

A filter is any function from text to text. It is given the reply from its beginning, as far as it has come, and what it
adds to its last answer goes to the TTS: so it needs no state, and markup that began earlier is seen whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from ..errors import LocalProtocolError

TextFilter: TypeAlias = Callable[[str], str]
"""A function from what a reply has said, from its beginning, to what a voice is to say of it."""


class Filtering:
    """A filter at work on one reply.

    Args:
        text_filter: the filter; None leaves the text as it is.
    """

    def __init__(self, text_filter: TextFilter | None) -> None:
        self._filter = text_filter
        self._said = ""
        self._given = ""

    def spoken(self, piece: str) -> str:
        """What the TTS gets for the next piece of the reply.

        Args:
            piece: what is said next.

        Returns:
            What the filter has added; if it has changed what was given before, what it makes of the piece alone.

        Raises:
            LocalProtocolError: if the filter returns no text.
        """
        if self._filter is None:
            return piece
        self._said += piece
        given, self._given = self._given, self._apply(self._said)
        return self._given[len(given) :] if self._given.startswith(given) else self._apply(piece)

    def _apply(self, text: str) -> str:
        assert self._filter is not None
        made: object = self._filter(text)
        if not isinstance(made, str):
            raise LocalProtocolError(f"the text filter returned {type(made).__name__}; must be text")
        return made


# Markdown and emoji ---------------------------------------------------------------------------------------------------

# Also of a text that has not all come: what may become markup at its end is taken for it, so that nothing that was
# given to the TTS has to be taken back.
_CODE = re.compile(
    r"```([^`\n]+)```|(?:```|^[ \t]*~~~)[^`\n]*(?:\n.*?(?:^[ \t]*(?:```|~~~)[ \t]*$|\Z)|\Z)", re.MULTILINE | re.DOTALL
)
_RULE = re.compile(r"^[ \t]*(?:[-*_=][ \t]*)+$", re.MULTILINE)
_ROW = re.compile(r"^[ \t]*\|(.*)$", re.MULTILINE)
_LINE_MARK = re.compile(
    r"^[ \t]*(?:(?:>|#{1,6}(?=\s|$)|[-+*•](?=\s|$)(?:[ \t]+\[[ xX]?(?:\]|$))?)[ \t]*)+", re.MULTILINE
)
_HEADING_END = re.compile(r"[ \t]+#+[ \t]*$", re.MULTILINE)
_LINK_TARGET = re.compile(r"\](?:\((?:[^()\n]|\([^()\n]*(?:\)|\Z))*(?:\)|\Z)|\[[^\]\n]*(?:\]|\Z))")
_BRACKET = re.compile(r"!?\[|\]")
_EMPHASIS = re.compile(
    r"\*\*+|~~|~\Z|`+|(?<!\w)_+|_+(?!\w)"  # `_` is one inside of a name
    r"|(?<![\s*\d])\*|\*(?![\s*\d])|(?<=\d)\*(?=\s|\Z)|(?<!\S)\*(?=\d|\Z)"  # `*` is none where it multiplies
)
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+.!|~>-])")
_EMOJI = re.compile(
    "[\U0001f000-\U0001faff\u2600-\u27bf\u2300-\u23ff\u2b00-\u2bff]"
    "[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff\u20e3\U000e0020-\U000e007f\u200d]*|[\ufe0f\u20e3]"
)
_BLANKS = re.compile(r"[ \t]+(?=$|[.,;:!?](?:\s|\Z))|(?<=[ \t])[ \t]+", re.MULTILINE)  # at the end, or left over


def speakable(text: str) -> str:
    """Markdown and emoji as a voice can say them: their words.

    Bold, italics, headings, lists, quotations, links and inline code lose their signs, a row of a table becomes its
    cells with commas between; blocks of code, rules and emoji are left out. A `text_filter` for `speaker`.

    Args:
        text: what an LLM wrote, or the beginning of it.

    Returns:
        The words in it, with their punctuation.
    """
    text = _CODE.sub(lambda code: code[1] or "", text)
    text = _RULE.sub("", text)
    text = _ROW.sub(lambda row: _cells(row[1]), text)
    text = _HEADING_END.sub("", _LINE_MARK.sub("", text))
    text = _BRACKET.sub("", _LINK_TARGET.sub("", text))
    escaped = _ESCAPED.split(text.removesuffix("\\"))  # at odd places what is meant as it stands
    text = "".join(part if place % 2 else _EMPHASIS.sub("", part) for place, part in enumerate(escaped))
    return _BLANKS.sub("", _EMOJI.sub("", text))


def _cells(row: str) -> str:
    """The cells of a table's row; none of the row that draws the line under the heads."""
    if not row.strip(" \t:|-"):
        return ""
    return ", ".join(filter(None, (cell.strip() for cell in row.split("|"))))
