"""Policies as the text of a trace, and back; nothing is executed."""

from __future__ import annotations

from typing import Any

import pytest

from turnkit import (
    ENGLISH_BACKCHANNELS,
    Budget,
    ConfigError,
    EchoGuard,
    Grace,
    HoldThenDecide,
    IgnoreBackchannels,
    Immediate,
    MinConfidence,
    MinDuration,
    MinWords,
    Never,
    NoSpeculation,
    OnEager,
    Overlap,
    Verdict,
    all_of,
)
from turnkit.trace import (
    policy_from_text,
    policy_to_text,
)


@pytest.mark.parametrize(
    "policy",
    [
        *(Immediate(), Never(), MinWords(3), MinDuration(0.25), Grace(1.5), HoldThenDecide(MinWords(4), 0.5)),
        *(OnEager(), NoSpeculation(), MinConfidence(0.6), Budget(1, 2.5), Budget()),
        *(IgnoreBackchannels(), IgnoreBackchannels(ENGLISH_BACKCHANNELS | {"righty-o"}), EchoGuard(Grace(1.0), 0.5, 2)),
        *(IgnoreBackchannels({"はい"}, then=all_of(Grace(0.5), MinWords(2))), all_of(OnEager(), Budget(2))),
    ],
    ids=repr,
)
def test_policies_come_back(policy: Any) -> None:
    """Every policy of turnkit's own is rebuilt from its text."""
    assert policy_from_text(policy_to_text(policy)) == policy


def judge(overlap: Overlap) -> Verdict:
    return Verdict.KEEP


@pytest.mark.parametrize("policy", [judge, all_of(Immediate(), judge), HoldThenDecide(then=judge)])
def test_a_policy_of_somebodys_own_is_only_named(policy: Any) -> None:
    """Its repr, which may hold anything, is not written; to bring it back is the caller's."""
    text = policy_to_text(policy)
    assert text.startswith("<")
    assert "0x" not in text
    with pytest.raises(ConfigError, match="pass the policy itself as barge_in="):
        policy_from_text(text, "barge_in")


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "MinWords(count=__import__('os'))",
        "MinWords.__class__",
        "MinWords(**{'count': 2})",
        "(lambda: 1)()",
        "MinWords(count=2)" * 2,
        "[" * 5000,
        "MinWords(2) | MinWords(3)",
        "1 + 1",
        "x" * 200_000,
        "MinWords(0)",
        "MinWords('two')",
        "\0",
    ],
)
def test_nothing_is_executed(text: str) -> None:
    """Only whitelisted names with literals are built; all else is refused."""
    with pytest.raises(ConfigError):
        policy_from_text(text)
