"""A built-in policy is written, exported and entered in one file; everything else that needs it follows from there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import find
from typer.testing import CliRunner

import turnkit
from turnkit.cli import app
from turnkit.cli.policy_options import barge_in_policy, speculation_policy
from turnkit.errors import ConfigError
from turnkit.testing.strategies import machine_settings
from turnkit.tools.tuner import POLICIES
from turnkit.trace import policy_from_text, policy_to_text
from turnkit.turns import policy
from turnkit.turns.policy import BARGE_IN_POLICIES, SPECULATION_POLICIES, BuiltIn, Grace, barge_in, speculation

PACKAGE = Path(turnkit.__file__).parent
BUILT_INS: list[tuple[str, BuiltIn[Any]]] = [
    *(("barge_in", built_in) for built_in in BARGE_IN_POLICIES),
    *(("speculation", built_in) for built_in in SPECULATION_POLICIES),
]
each_built_in = pytest.mark.parametrize(
    ("setting", "built_in"), BUILT_INS, ids=[built_in.kind.__name__ for _, built_in in BUILT_INS]
)

EXPORTED_BESIDES = """
AudioSink BargeIn Busy Cancel CancelReason ClockSink Commit ConfigError ConnectionFailed DraftDiscarded DropReason
EagerEndOfTurn EndOfTurn Event Feed FluxError FluxOptions FluxStream Hold HostFailure Initiate Interrupt
LocalProtocolError Note NoteKind Outcome Overlap Pause Playback PlaybackAdvanced PlaybackFinished PlaybackStarted
Protect ProtocolError RemoteProtocolError Reply ReplyEnded Resume ResumeReason Session Signal SignalStream Sound
Speculate StartOfTurn StreamLost StreamRestored TimedWord Timeline TraceMismatch TurnDropped TurnEvent TurnMachine
TurnResumed TurnStalled TurnStarted TurnUpdated TurnkitError Update UserIdle Verdict all_of connect decode encode
speakable speaker to_event
"""


@pytest.mark.parametrize(
    ("module", "built_ins"),
    [(barge_in, BARGE_IN_POLICIES), (speculation, SPECULATION_POLICIES)],
    ids=["barge_in", "speculation"],
)
def test_every_policy_of_a_file_is_entered_and_exported(
    module: ModuleType, built_ins: tuple[BuiltIn[Any], ...]
) -> None:
    """A class that was written but left out of the list, or of `__all__`, would be known nowhere."""
    written = {
        thing
        for thing in vars(module).values()
        if isinstance(thing, type) and thing.__module__ == module.__name__ and "__call__" in vars(thing)
    }
    entered = [built_in.kind for built_in in built_ins]
    assert set(entered) == written
    assert len(set(entered)) == len(entered)
    assert {kind.__name__ for kind in written} <= set(module.__all__)
    names = [built_in.option.partition(":")[0] for built_in in built_ins]
    assert len(set(names)) == len(names)


def test_the_package_exports_its_policies_and_what_is_listed_here() -> None:
    """Neither more nor less, each once."""
    policies = [built_in.kind.__name__ for _, built_in in BUILT_INS]
    assert sorted(turnkit.__all__) == sorted([*EXPORTED_BESIDES.split(), *policies, *policy.NAMED_PHRASES])


@each_built_in
def test_both_front_doors_show_it(setting: str, built_in: BuiltIn[Any]) -> None:
    """`from turnkit import X` and `from turnkit.turns.policy import X` give the class."""
    name = built_in.kind.__name__
    assert getattr(turnkit, name) is getattr(policy, name) is built_in.kind
    assert name in policy.__all__


@each_built_in
def test_recordings_hold_it(setting: str, built_in: BuiltIn[Any]) -> None:
    """Each example, and what the tuner makes of it, is written as the Python that builds it, and read again."""
    assert built_in.examples
    for made in (*built_in.examples, *built_in.compared.values()):
        text = policy_to_text(made)
        assert text == repr(made)
        assert policy_from_text(text) == made
    assert all(type(example) is built_in.kind for example in built_in.examples)


@each_built_in
def test_the_command_line_takes_it(setting: str, built_in: BuiltIn[Any]) -> None:
    """By its short form and as Python; the help names it, and an argument that is wrong is told."""
    parsed = {"barge_in": barge_in_policy, "speculation": speculation_policy}[setting]
    name, colon, _ = built_in.option.partition(":")
    assert bool(colon) == (built_in.argument is not None)
    if built_in.argument is None:
        assert parsed(name) == built_in.kind()
    else:
        assert parsed(f"{name}:1") == built_in.kind(1)
        with pytest.raises(ConfigError, match=f"'one' is not a number, as in {built_in.option}"):
            parsed(f"{name}:one")
    for example in built_in.examples:
        assert parsed(repr(example)) == example
    shown = CliRunner(env={"COLUMNS": "400"}).invoke(app, ["replay", "--help"]).stdout
    assert built_in.option in shown


@each_built_in
def test_strategies_draw_it(setting: str, built_in: BuiltIn[Any]) -> None:
    """Each example comes up when Hypothesis looks for it."""
    for example in built_in.examples:
        drawn = find(machine_settings(), lambda drawn, wanted=example: drawn[setting] == wanted)  # type: ignore[misc]
        assert drawn[setting] == example


def parts(made: Any) -> set[type]:
    """The classes of a policy and of all policies inside it."""
    inner = (getattr(made, "then", None), *getattr(made, "policies", ()))
    return {type(made)}.union(*(parts(one) for one in inner if one is not None))


@pytest.mark.parametrize("built_in", BARGE_IN_POLICIES, ids=lambda built_in: built_in.kind.__name__)
def test_the_tuner_compares_it(built_in: BuiltIn[Any]) -> None:
    """Alone or with others; only a grace is compared nowhere, as it decides nothing itself."""
    assert built_in.compared.items() <= POLICIES.items()
    compared = set().union(*(parts(made) for made in POLICIES.values()))
    assert (built_in.kind in compared) == (built_in.kind is not Grace)


def test_the_tuner_lists_them_in_this_order() -> None:
    """The most eager first, what is made of several after its parts, and the deaf one last."""
    known = [
        *("immediate", "min-words:2", "min-words:3", "min-duration:0.5", "ignore-backchannels", "echo-guard"),
        *("echo-guard+ignore-backchannels", "hold-then-decide", "never"),
    ]
    assert [name for name in POLICIES if name in known] == known


@pytest.mark.parametrize(
    ("made", "text"),
    [
        ("MinWords(2)", "MinWords(count=2)"),
        ("HoldThenDecide()", "HoldThenDecide(then=MinWords(count=2), seconds=1.0)"),
        ("IgnoreBackchannels()", "IgnoreBackchannels(phrases=ENGLISH_BACKCHANNELS, then=Immediate())"),
        (
            "all_of(EchoGuard(), Grace(1))",
            "all_of(EchoGuard(then=Immediate(), match=0.8, min_words=3), Grace(seconds=1))",
        ),
        ("Budget()", "Budget(per_turn=3, turn_seconds=None)"),
        ("all_of(OnEager(), MinConfidence(0.5))", "all_of(OnEager(), MinConfidence(confidence=0.5))"),
    ],
)
def test_recordings_spell_policies_like_this(made: str, text: str) -> None:
    """Recordings outlive versions: the spelling stays."""
    assert policy_to_text(policy_from_text(made)) == text


NEW_POLICY = '''

class MinLetters(msgspec.Struct, frozen=True):
    """The user takes the floor with so many letters."""

    count: int

    def __call__(self, overlap: Overlap) -> tuple[Verdict, str]:
        return (Verdict.YIELD if len(overlap.transcript) >= self.count else Verdict.WAIT), "letters"


__all__ += ["MinLetters"]
BARGE_IN_POLICIES += (
    BuiltIn(
        MinLetters,
        "min-letters:N",
        examples=(MinLetters(7),),
        argument=int,
        compared={"min-letters:7": MinLetters(7), "hold+min-letters": HoldThenDecide(MinLetters(7))},
    ),
)
'''

EVERYBODY_KNOWS_IT = """
import sys
from pathlib import Path

import turnkit
assert Path(turnkit.__file__).is_relative_to(sys.argv[1]), turnkit.__file__
from turnkit import *
from turnkit.turns import policy
assert policy.MinLetters is MinLetters and "MinLetters" in turnkit.__all__ and "MinLetters" in policy.__all__

from turnkit.trace import policy_from_text, policy_to_text
text = policy_to_text(HoldThenDecide(MinLetters(5)))
assert text == "HoldThenDecide(then=MinLetters(count=5), seconds=1.0)", text
assert policy_from_text(text) == HoldThenDecide(MinLetters(5))

from typer.testing import CliRunner
from turnkit.cli import app
from turnkit.cli.policy_options import barge_in_policy
assert barge_in_policy("min-letters:5") == MinLetters(5)
assert barge_in_policy("all_of(MinLetters(5), Grace(1))") == all_of(MinLetters(5), Grace(1))
assert "min-letters:N" in CliRunner(env={"COLUMNS": "400"}).invoke(app, ["replay", "--help"]).stdout

from turnkit.tools.tuner import score_policies
assert [one.policy for one in score_policies([])][-2:] == ["min-letters:7", "hold+min-letters"]

from hypothesis import find
from turnkit.testing.strategies import machine_settings
find(machine_settings(), lambda drawn: drawn["barge_in"] == MinLetters(7))
"""


def test_a_new_policy_is_one_file(tmp_path: Path) -> None:
    """Written into barge_in.py of a copy of the package, it is at once known everywhere."""
    shutil.copytree(PACKAGE, tmp_path / "turnkit", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "turnkit/turns/policy/barge_in.py").open("a", encoding="utf-8") as file:
        file.write(NEW_POLICY)
    run = subprocess.run(
        [sys.executable, "-c", EVERYBODY_KNOWS_IT, str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
