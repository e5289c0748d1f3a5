"""The same call, held twice, comes to the same: every signal, every sound, every call, at the same times.

What is compared are the moments of many random calls, with failing and slow stand-ins and every built-in policy.
On one library two runs are identical to the last bit, in one process or in two whose hashes differ. Between asyncio and
trio all moments are the same, with times equal to the microsecond, and those of each party (the caller, the session,
the LLM, the voice, the tool) in the same order. More cannot be promised there:

- the last bits of times: both clocks begin at 0 here and reach a timer by adding what is left until then, each in its
  own way, and floating-point sums depend on how they are made;
- the order of what different tasks do in one and the same moment: asyncio runs tasks in the order in which they became
  ready, trio in a random order of its own, which `run` makes a seed decide. The times of these calls have odd last
  digits, so that only what hangs together coincides: as when a caller is lost, and the LLM learns it that instant.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
import subprocess
import sys
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.support.effort import tries
from turnkit import (
    Budget,
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
    Session,
    UserIdle,
)
from turnkit.session import Reply
from turnkit.testing import Caller, Conversation, Pace, ScriptedLLM, ScriptedTool, ScriptedVoice, rehearse
from turnkit.testing.virtual_clock import Backend
from turnkit.turns.policy import BargeInPolicy, SpeculationPolicy

BACKENDS: list[Backend] = ["asyncio", "trio"]
CALLS = tries(160)
SAYINGS = ["Tea.", "A table for two, please.", "No, wait.", "Mm-hm.", "Stop it now.", "And at eight, if you can."]
BARGE_IN: list[BargeInPolicy] = [
    Immediate(),
    Never(),
    MinWords(2),
    MinDuration(0.31),
    Grace(0.71),
    IgnoreBackchannels(),
    EchoGuard(),
    HoldThenDecide(MinWords(3)),
]
SPECULATION: list[SpeculationPolicy] = [OnEager(), NoSpeculation(), MinConfidence(0.5), Budget(1, 2.0)]


def pace(dice: random.Random) -> Pace:
    fails = dice.randrange(6) if dice.random() < 0.2 else None
    return Pace(dice.uniform(0.05, 1.5), dice.uniform(0.01, 0.4), fails_at=fails)


def line(dice: random.Random) -> str:
    words = dice.choice(SAYINGS).split()
    cut = dice.randint(1, len(words))
    middle = (
        f" [eager {dice.uniform(0.05, 0.5):.5f}] [resumed {dice.uniform(0.05, 1.5):.5f}] " if cut < len(words) else " "
    )
    end = f" [end {dice.uniform(0.05, 0.6):.5f}]"
    ending = dice.choice([end, f" [eager {dice.uniform(0.05, 0.5):.5f}]{end}", " [lost] [restored 0.51237]", " [open]"])
    return f"+{dice.uniform(0.05, 4.0):.5f}  {' '.join(words[:cut])}{middle}{' '.join(words[cut:])}{ending}"


def call_of(seed: int, backend: Backend) -> Conversation:
    """The call of this seed, held anew."""
    dice = random.Random(seed)
    script = "\n".join([*(line(dice) for _ in range(dice.randint(1, 6))), f"+{dice.uniform(3, 20):.5f} [hang up]"])
    llm = ScriptedLLM("Certainly, that is what we shall do.", pace=[pace(dice) for _ in range(4)])
    voice = ScriptedVoice(pace=[pace(dice) for _ in range(4)])
    tool = ScriptedTool("book", pace=Pace(dice.uniform(0.1, 2.0)))
    barge_in, speculation = dice.choice(BARGE_IN), dice.choice(SPECULATION)
    uses_tool = dice.random() < 0.5

    def bot() -> Session:
        async def respond(reply: Reply) -> None:
            async for token in llm.stream(reply.messages):
                await reply.say(token)
            if uses_tool:
                async with reply.must_finish():
                    await tool(key=reply.key)

        session = Session(
            respond=respond,
            speak=voice,
            barge_in=barge_in,
            speculation=speculation,
            idle_timeout=dice.choice([None, 2.123]),
            id="call",
        )
        session.on(UserIdle, lambda idle: session.initiate("Are you there?") if idle.count == 1 else None)
        return session

    return rehearse(bot, Caller(script, wire=seed % 2 == 0), backend=backend)


def exactly(call: Conversation) -> list[str]:
    """All that happened, to the last bit."""
    return [f"{moment.at!r} {moment.who} {moment.what!r}" for moment in call.moments]


def nearly(call: Conversation) -> list[tuple[float, str, str]]:
    """All that happened, with its time in microseconds, in order; in one moment, one party after another."""
    told = [(round(moment.at, 6), moment.who, _timeless(moment.what)) for moment in call.moments]
    return sorted(told, key=itemgetter(0, 1))


def _timeless(what: Any) -> str:
    if isinstance(what, str):
        return what
    names = (name for name in what.__struct_fields__ if name not in ("at", "audio_end"))
    return repr((type(what).__name__, *(getattr(what, name) for name in names)))


@cache
def calls(backend: Backend) -> list[Conversation]:
    """All these calls, held once."""
    return [call_of(seed, backend) for seed in range(CALLS)]


def digests() -> dict[str, str]:
    """Of some calls on each library, for a comparison with another process."""
    moments = {backend: [exactly(call_of(seed, backend)) for seed in range(20)] for backend in BACKENDS}
    return {backend: hashlib.sha256(repr(moments[backend]).encode()).hexdigest() for backend in BACKENDS}


@pytest.fixture(autouse=True)
def quiet() -> None:
    """The failures that are planned do not fill the log."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_same_call_twice_is_the_same(backend: Backend) -> None:
    """To the last bit of every time; and the calls differ from each other, and much happens in them."""
    for seed, call in enumerate(calls(backend)):
        assert exactly(call) == exactly(call_of(seed, backend)), f"call {seed}"
    assert len({str(call) for call in calls(backend)}) == CALLS
    kinds = {type(signal).__name__ for call in calls(backend) for signal in call.signals}
    assert kinds >= {
        "Speculate",
        "Cancel",
        "Commit",
        "BargeIn",
        "Hold",
        "Resume",
        "TurnDropped",
        "UserIdle",
        "ReplyEnded",
    }


def test_asyncio_and_trio_decide_the_same() -> None:
    """The same signals in the same order, at the same microseconds; and so with all else that happens, by party."""
    for seed, (one, other) in enumerate(zip(calls("asyncio"), calls("trio"), strict=True)):
        assert nearly(one) == nearly(other), f"call {seed}"


@pytest.mark.slow("process")
def test_another_process_comes_to_the_same() -> None:
    """One in which sets are in another order."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", __name__],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        cwd=Path(__file__).resolve().parents[2],
        env={"PYTHONHASHSEED": "4711"},
    )
    assert json.loads(done.stdout) == digests()


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    print(json.dumps(digests()))
