"""The repository stands alone: no file of it cites what its readers do not have."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.support.package_source import ROOT

# What a reader of the repository cannot look up must not be cited in it. Put together here, or this file would cite it.
PRIVATE = [
    "../" + "shared",
    "work/" + "shared",
    "contract" + ".md",
    "flux-" + "protocol",
    "style" + ".md",
    "field" + ".md",
]
EVIDENCE = re.compile(r"\b(W-[0-9A-Z]{2,}|D-[A-Z]{3,})\b|(?i:\b(issue|pr|pull request) ?#\d+)")
CACHES = {".git", ".venv", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache", "__pycache__", "dist"}


def texts() -> Iterator[tuple[str, str]]:
    """Path and contents of every text file of the repository."""
    for path in sorted(ROOT.rglob("*")):
        inside = path.relative_to(ROOT)
        if path.is_file() and not CACHES & set(inside.parts):
            try:
                yield inside.as_posix(), path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def test_repository_cites_only_what_its_readers_have() -> None:
    """No file names private material; tests/conftest.py alone may say where recordings are looked for."""
    seen = dict(texts())
    assert {"pyproject.toml", "turnkit/wire.py", "tests/house/test_citations.py"} <= set(seen)
    cited = [
        f"{path}:{number}: {line.strip()}"
        for path, text in seen.items()
        if path != "tests/conftest.py"
        for number, line in enumerate(text.splitlines(), 1)
        if EVIDENCE.search(line) or any(name in line for name in PRIVATE)
    ]
    assert cited == []
