"""Text that is safe to print: what would steer a terminal, or the order of what is read, is left out."""

from __future__ import annotations

_CONTROLS = [*range(0x20), *range(0x7F, 0xA0)]
_BIDI = [0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_SEPARATORS = [0x2028, 0x2029]  # end a line in some places and not in others
_KEPT = {ord("\n"), ord("\t")}
_STEERING = {code for code in (*_CONTROLS, *_BIDI, *_SEPARATORS) if code not in _KEPT}

_LEFT_OUT: dict[int, str | None] = dict.fromkeys(_STEERING)
_LEFT_OUT |= dict.fromkeys(range(0xD800, 0xE000), "\ufffd")  # half a character, which no terminal takes
_ESCAPED = {code: f"\\u{code:04x}" for code in _STEERING}


def printable(text: str) -> str:
    """The text without what steers a terminal: what others said, named or wrote can hold anything.

    Left out, not shown as something else: what is left takes as much room as was reckoned with. Line ends and tabs
    stay.
    """
    return text if text.isascii() and text.isprintable() else text.translate(_LEFT_OUT)


def printable_json(line: str) -> str:
    """The JSON of one line, which says the same, with all that steers a terminal escaped."""
    return line if line.isascii() and line.isprintable() else line.translate(_ESCAPED)
