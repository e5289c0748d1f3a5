"""`turnkit view --png`, where the browser, or the place for the picture, is not as it should be."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import typer

from turnkit.cli.view import picture
from turnkit.errors import ConfigError

FAILS = "sys.exit(7)"
WRITES_NOTHING = "pass"
WRITES = """
path = next(argument for argument in sys.argv if argument.startswith("--screenshot=")).partition("=")[2]
open(path, "wb").write(b"picture")
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    page = tmp_path / "call.html"
    page.write_text("<!doctype html>")
    return page


def only_browser(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, does: str | None) -> None:
    """No other browser is on the PATH than one that does this; None: not even that."""
    programs = tmp_path / "programs"
    programs.mkdir()
    if does is not None:
        (programs / "chromium").write_text(f"#!{sys.executable}\nimport sys\n{does}\n")
        (programs / "chromium").chmod(0o700)
    monkeypatch.setenv("PATH", str(programs))


def test_no_browser(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, page: Path) -> None:
    """It is said what is missing and how to get it; no empty picture is left."""
    only_browser(monkeypatch, tmp_path, None)
    with pytest.raises(ConfigError, match=r"^--png: a picture takes chromium, .* on the PATH, such as apt-get install"):
        picture(page, tmp_path / "p.png")
    assert not (tmp_path / "p.png").exists()


@pytest.mark.parametrize(("does", "code"), [(FAILS, 7), (WRITES_NOTHING, 0)])
def test_a_browser_that_draws_nothing(
    does: str, code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, page: Path
) -> None:
    """Which browser, and its exit code."""
    only_browser(monkeypatch, tmp_path, does)
    with pytest.raises(ConfigError, match=rf"p\.png: \S+chromium wrote no picture \(exit code {code}\)"):
        picture(page, tmp_path / "p.png")


def test_a_place_that_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not blamed on the browser."""
    only_browser(monkeypatch, tmp_path, WRITES)
    with pytest.raises(typer.Exit):
        picture(page, tmp_path / "nowhere" / "p.png")
    said = capsys.readouterr().err
    assert "p.png: cannot be written: No such file or directory" in said
    assert "chromium" not in said


def test_only_its_owner_reads_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, page: Path) -> None:
    """Also where one was that all could read."""
    only_browser(monkeypatch, tmp_path, WRITES)
    png = tmp_path / "p.png"
    png.write_bytes(b"an older one, which is longer")
    os.chmod(png, 0o644)
    picture(page, png)
    assert png.read_bytes() == b"picture"
    assert png.stat().st_mode & 0o777 == 0o600
