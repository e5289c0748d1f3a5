"""`turnkit check`: for people, for programs, on several cores, and called wrongly."""

from __future__ import annotations

import json

import msgspec
import pytest
from typer.testing import CliRunner

from tests.tools.proof.broken_machines import Talkative
from turnkit.cli import app
from turnkit.cli import check as command
from turnkit.tools.proof import (
    INVARIANTS,
    Configuration,
    Result,
    Violation,
)

SECONDS = Configuration("seconds").seconds
SMALL = Configuration("small", texts=("", "tea"), lost_turn_grace=0.0, stall_grace=0.0, most=60)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command explores two small worlds, whatever level it is asked for."""
    monkeypatch.setattr(command, "configurations", lambda level: (SMALL, msgspec.structs.replace(SMALL, name="again")))


@pytest.mark.usefixtures("small")
def test_the_command_for_people() -> None:
    """Configurations, invariants and what it came to, in plain lines where no terminal is."""
    result = CliRunner().invoke(app, ["check", "--quick"])
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert "together" in result.stdout
    assert "No violation" in result.stdout
    assert "the rest was not visited" in " ".join(result.stdout.split())
    assert "At most one draft is alive" in result.stdout


@pytest.mark.usefixtures("small")
def test_the_command_for_programs() -> None:
    """An object a configuration, then what they come to together."""
    result = CliRunner().invoke(app, ["check", "--quick", "--json"])
    assert result.exit_code == 0
    *each, total = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["configuration"] for one in each] == ["small", "again"]
    assert total["configurations"] == len(each) == 2
    assert total["states"] == sum(one["states"] for one in each)
    assert set(total["checks"]) == {str(number) for number in INVARIANTS}
    assert total["violation"] is None
    assert total["complete"] is False
    assert total["seconds"] > 0


def test_the_command_shows_what_it_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1, and the way to the violation: Python that runs, on a page or in a field."""
    monkeypatch.setattr(command, "TurnMachine", Talkative)
    shown = CliRunner().invoke(app, ["check", "--quick"])
    told = CliRunner().invoke(app, ["check", "--quick", "--json"])
    assert shown.exit_code == told.exit_code == 1
    violation = json.loads(told.stdout.splitlines()[-1])["violation"]
    assert violation["invariant"] == 5
    assert "Invariant 5 is broken by 3 steps" in shown.stdout
    assert violation["code"] in shown.stdout
    with pytest.raises(Violation, match="invariant 5"):
        exec(compile(violation["code"], "counterexample", "exec"), {})


@pytest.mark.usefixtures("small")
def test_only_what_is_asked_for_is_explored() -> None:
    """By words of its name, of one or of several; words that no name has are a usage error, which tells the names."""
    for words, found in (["all"], ["small"]), (["ai"], ["again"]), (["again", "small"], ["small", "again"]):
        asked = [part for one in words for part in ("--only", one)]
        result = CliRunner().invoke(app, ["check", "--quick", "--json", *asked])
        assert result.exit_code == 0
        *each, total = [json.loads(line) for line in result.stdout.splitlines()]
        assert [one["configuration"] for one in each] == found
        assert total["configurations"] == len(found)
    wrong = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["check", "--quick", "--only", "small", "--only", "large"])
    assert wrong.exit_code == 2
    assert "no configuration has 'large' in its name: small; again" in wrong.stderr


def test_a_part_is_not_told_as_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every state of it was visited, and nothing of the others."""
    tiny = msgspec.structs.replace(SMALL, texts=("",), name="tiny", most=10**6)
    monkeypatch.setattr(command, "configurations", lambda level: (tiny, SMALL))
    monkeypatch.setattr(command, "Explorer", _Complete)
    part = CliRunner().invoke(app, ["check", "--quick", "--only", "tiny"])
    told = " ".join(part.stdout.split())
    assert (
        "No violation: every state that can be reached within these bounds was visited, in 1 of 2 configurations."
        in told
    )
    every = " ".join(CliRunner().invoke(app, ["check", "--quick"]).stdout.split())
    assert "within these bounds was visited." in every


class _Complete:
    """Visits all at once."""

    def __init__(self, *_: object) -> None:
        pass

    def run(self) -> Result:
        return Result()


@pytest.mark.usefixtures("small")
@pytest.mark.slow("process")
def test_the_command_side_by_side() -> None:
    """Without --quick a process a core explores: what it comes to is the same, in the same order."""
    alone = CliRunner().invoke(app, ["check", "--quick", "--json"])
    together = CliRunner().invoke(app, ["check", "--json"])
    assert together.exit_code == 0, together.output
    lines = [[json.loads(line) for line in result.stdout.splitlines()] for result in (alone, together)]
    for line in (*lines[0], *lines[1]):
        del line["seconds"]
    assert sorted(map(str, lines[0])) == sorted(map(str, lines[1]))


def test_the_command_called_wrongly() -> None:
    """Two levels at once are a usage error."""
    assert CliRunner().invoke(app, ["check", "--quick", "--deep"]).exit_code == 2
