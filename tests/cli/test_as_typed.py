"""Errors name the option that was typed, and not the library's parameter."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from turnkit.cli import app


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("simulate --ear foo", "--ear foo: must be one of voice, quick, sphinx"),
        ("serve json:loads --simulate --ear foo", "--ear foo: must be one of voice, quick, sphinx"),
        ("play --ear foo", "--ear foo: must be one of voice, quick, sphinx"),
        ("play --bot foo", "--bot foo: must be one of booking, echo"),
        ("play --llm localhost:8080", "--llm: 'localhost:8080' must be an address such as http://localhost:8080"),
        ("play --url wss://api.deepgram.com", "DEEPGRAM_API_KEY: is not set, and api.deepgram.com needs a key"),
        ("serve json:loads --simulate --eager-eot-threshold 0.1", "--eager-eot-threshold 0.1: must be a number from"),
        ("serve mybot", "bot='mybot': must be MODULE:FUNCTION, such as mybot:session"),
    ],
)
def test_in_one_line(command: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the value, if it is short."""
    if command.split()[0] in ("play", "serve"):
        pytest.importorskip("uvicorn", reason="needs uvicorn, which is not for development; .ci/interop has it")
    monkeypatch.delenv("DEEPGRAM_API_KEY", raising=False)
    done = CliRunner().invoke(app, command.split())
    assert done.exit_code == 1
    assert done.stderr.startswith(f"error: {said}")
    assert done.stderr.count("\n") == 1
