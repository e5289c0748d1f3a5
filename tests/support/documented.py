"""Pieces of code in a page of the documentation."""

from __future__ import annotations

import re

from tests.support.package_source import ROOT

PAGE = ROOT / "docs" / "many-recordings.md"


def pieces(language: str) -> list[str]:
    """The pieces of code in that language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def piece(language: str, having: str) -> str:
    """The one piece that has this in it."""
    (found,) = [one for one in pieces(language) if having in one]
    return found


def column_tables() -> str:
    """What the page says of the columns, as it should."""
    from turnkit.tables import COLUMNS

    lines = []
    for table, columns in COLUMNS.items():
        lines += [f"### {table}", "", "| column | type | unit | what it is |", "| --- | --- | --- | --- |"]
        for one in columns:
            words = " Only with `--words`." if one.words else ""
            lines.append(f"| `{one.name}` | {one.kind} | {one.unit} | {one.meaning}{words} |")
        lines.append("")
    return "\n".join(lines)


def write() -> None:
    """Write the columns into the page: `python -m tests.support.documented`."""
    text = PAGE.read_text("utf-8")
    before, after = text.split("<!-- columns -->")[0], text.split("<!-- /columns -->")[1]
    PAGE.write_text(f"{before}<!-- columns -->\n{column_tables()}<!-- /columns -->{after}", "utf-8")


if __name__ == "__main__":
    write()
