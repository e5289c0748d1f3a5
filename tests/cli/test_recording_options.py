"""`--record` as `Session(record=...)` takes it, recordings of a page, and where Flux is said to be."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.support.wav_file import write_wav
from turnkit.cli import app
from turnkit.tools.play.policies import ChosenPolicy
from turnkit.trace import read


def turnkit(*arguments: object, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(app, [str(argument) for argument in arguments])


def test_a_slash_has_a_directory_made(tmp_path: Path) -> None:
    """As private as what is in it, and each call a file of its own."""
    for _ in range(2):
        assert turnkit("demo", "--speed", 50, "--json", "--record", f"{tmp_path}/new/calls/").exit_code == 0
    calls = sorted((tmp_path / "new" / "calls").iterdir())
    assert [call.suffix for call in calls] == [".jsonl", ".jsonl"]
    assert {read(call).ended for call in calls} == {"closed"}
    assert (tmp_path / "new").stat().st_mode & 0o777 == (tmp_path / "new" / "calls").stat().st_mode & 0o777 == 0o700
    assert calls[0].stat().st_mode & 0o777 == 0o600


def test_run_makes_one_too(tmp_path: Path) -> None:
    """Before it finds that nobody listens."""
    result = turnkit(
        "run", write_wav(tmp_path / "a.wav"), "--url", "ws://127.0.0.1:9", "--record", f"{tmp_path}/calls/"
    )
    assert result.exit_code == 1
    assert "could not be reached" in result.stderr
    assert (tmp_path / "calls").is_dir()


@pytest.mark.parametrize("command", ["run", "demo"])
def test_what_cannot_be_a_directory_is_told(command: str, tmp_path: Path) -> None:
    """In a sentence."""
    (tmp_path / "calls").write_text("")
    audio = [write_wav(tmp_path / "a.wav")] if command == "run" else []
    result = turnkit(command, *audio, "--record", f"{tmp_path}/calls/", DEEPGRAM_API_KEY="key")
    assert result.exit_code == 1
    assert "must be a directory, and cannot be made" in result.stderr


def test_ws_beyond_this_machine_names_the_option(tmp_path: Path) -> None:
    """And that option is there; a key has its place too."""
    wav = write_wav(tmp_path / "a.wav")
    result = turnkit("run", wav, "--url", "ws://flux.example:8080")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: --url: ws:// to flux.example:8080 would send audio")
    assert "or --allow-unencrypted in a network you trust" in result.stderr
    assert "--allow-unencrypted" in turnkit("run", "--help", COLUMNS="100").output
    allowed = turnkit("run", wav, "--url", "ws://127.0.0.1:9", "--allow-unencrypted")
    assert "could not be reached" in allowed.stderr
    assert "give the key in DEEPGRAM_API_KEY" in turnkit("run", wav, "--url", "wss://me:key@flux.example").stderr


def test_a_policy_that_only_its_author_has_is_asked_for(tmp_path: Path) -> None:
    """With the option that gives one: in older recordings of `turnkit play` it is not said which was chosen."""
    path = tmp_path / "call.jsonl"
    assert turnkit("demo", "--speed", 50, "--json", "--record", path).exit_code == 0
    text = path.read_text()
    name = f"<{ChosenPolicy.__module__}.{ChosenPolicy.__qualname__}>"
    path.write_text(text.replace('"MinWords(count=2)"', f'"{name}"', 1))
    result = turnkit("replay", path)
    assert result.exit_code == 1
    assert "(turnkit replay --barge-in does)" in result.stderr
    assert turnkit("replay", path, "--barge-in", "min-words:2").exit_code == 0


def test_a_policy_that_was_chosen_on_the_way_is_brought_back(tmp_path: Path) -> None:
    """By the facts that say from when on it was which: the same signals, one by one."""
    path = tmp_path / "call.jsonl"
    assert turnkit("demo", "--speed", 50, "--json", "--record", path).exit_code == 0
    header, *lines = path.read_text().splitlines()
    at = lines[0].split(":")[1].split(",")[0]
    fact = f'{{"at":{at},"fact":"PolicyChosen","fields":{{"policy":"min-words","barge_in":"MinWords(count=2)"}}}}'
    name = f"<{ChosenPolicy.__module__}.{ChosenPolicy.__qualname__}>"
    path.write_text("\n".join([header.replace("MinWords(count=2)", name), fact, *lines, ""]))
    result = turnkit("replay", path)
    assert (result.exit_code, result.stdout[:9]) == (0, "same all ")
    assert turnkit("replay", path, "--speculation", "none").exit_code == 0
    assert turnkit("replay", path, "--barge-in", "immediate").exit_code == 0
