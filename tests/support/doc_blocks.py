"""The code blocks of the README and of docs: which there are, how each is held to its word, and a page's Python run.

A block is run as it stands, after what the page says in comments that a reader of the page does not see:

- `<!-- given: ... -->`: Python that comes before it, such as stand-ins for what is the reader's own;
- `<!-- then: ... -->`: Python that comes after it, such as what must have come of it;
- `<!-- run by tests/... -->`, just above a block: that test runs it, as it needs what is not installed here; what is
  given to it is then `<!-- given, run by tests/...: ... -->`;
- `<!-- not run: ... -->`, just above a block: why nothing runs it.

All blocks of a page that are run together share their names, from top to bottom.
`python -m tests.support.doc_blocks PAGE` runs one page.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PART = re.compile(
    r"^<!-- (?P<hidden>given|then)(?:, run by (?P<by>\S+))?:\n(?P<code>.*?)^-->$"
    r"|^(?:<!-- (?P<how>run by|not run)[ :]\s*(?P<why>[^\n]*?) -->\n)?```(?P<language>\w*)[^\n]*\n(?P<block>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """A block of a page.

    Attributes:
        page: its file, as a path below the root.
        line: the first line of its code.
        language: as its fence says; "given" and "then" for those that are not seen.
        code: what stands in it.
        how: "", "run by" or "not run".
        why: the test that runs it, or why nothing does.
    """

    page: str
    line: int
    language: str
    code: str
    how: str
    why: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """The pages, as paths below the root."""
    docs = sorted((ROOT / "docs").rglob("*.md"))
    return ["README.md", "CONTRIBUTING.md", *(path.relative_to(ROOT).as_posix() for path in docs)]


def blocks(page: str) -> list[Block]:
    """The blocks of a page, those that are not seen among them."""
    text = (ROOT / page).read_text("utf-8")
    found = []
    for part in _PART.finditer(text):
        code = "code" if part["hidden"] else "block"
        found.append(
            Block(
                page=page,
                line=text.count("\n", 0, part.start(code)) + 1,
                language=part["hidden"] or part["language"],
                code=part[code],
                how=part["how"] or ("run by" if part["by"] else ""),
                why=part["why"] or part["by"] or "",
            )
        )
    return found


def python_of(page: str, by: str = "") -> list[Block]:
    """What of a page is run here, or by a test that is named, in order."""
    how = "run by" if by else ""
    found = [block for block in blocks(page) if block.language in ("python", "given", "then")]
    return [block for block in found if (block.how, block.why) == (how, by)]


def run_page(page: str, by: str = "") -> int:
    """Run a page's Python, and say how many blocks that were; what they raise tells the line of the page."""
    names: dict[str, object] = {"__name__": "__main__"}
    ran = python_of(page, by)
    for block in ran:
        code = compile(
            "\n" * (block.line - 1) + block.code,
            str(ROOT / page),
            "exec",
            ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
            dont_inherit=True,
        )
        if code.co_flags & inspect.CO_COROUTINE:
            asyncio.run(eval(code, names))
        else:
            exec(code, names)
    return len(ran)


if __name__ == "__main__":
    print(run_page(*sys.argv[1:]), "blocks")
