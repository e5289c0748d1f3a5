"""Short words at the seam between two connections: each is told, and none twice, wherever the connection is lost."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from tests.support.faulty_call import Seen, hold_call
from turnkit.simulator import Script
from turnkit.turns.events import Commit, TurnDropped

pytestmark = pytest.mark.anyio

SHORT = (
    *("a", "I", "to", "we", "go", "up", "in", "on", "at", "my", "so", "do", "it", "is", "he"),
    *("us", "an", "or", "if", "no", "by", "me", "of", "as", "am", "be", "oh", "hi", "ok", "ad"),
)
LOSSES = ("drop", "close:1011", "close:none", "error_then_close", "malformed:huge", "stall", "deaf:30")
PATIENT = 14.0  # seconds after the last word: `message_timeout`, and what is then heard again


def short_words(random: Random) -> Script:
    """Thirty words of which no two are alike, none longer than two letters, with pauses of any length between."""
    chosen = random.sample(SHORT, len(SHORT))
    lines = []
    for at in range(0, len(chosen), 6):
        line = f"+{random.uniform(0.3, 2.5):.2f} {chosen[at]}"
        for word in chosen[at + 1 : at + 6]:
            line += f" ({random.uniform(0.1, 0.9):.2f}) {word}" if random.random() < 0.3 else f" {word}"
        lines.append(line + random.choice(("", ".", "?")))
    return Script.parse("\n".join(lines))


def bare(text: str) -> list[str]:
    return ["".join(filter(str.isalnum, word)).lower() for word in text.split()]


def told(seen: Seen) -> Counter[str]:
    """How often each word was told: each turn ends in one Commit or TurnDropped."""
    return Counter(word for over in seen.of(Commit, TurnDropped) for word in bare(over.transcript))


async def lose(script: Script, *faults: str, seed: int) -> Seen:
    seen = await hold_call(*faults, script=script, seed=seed, tail=PATIENT)
    said = Counter(word for utterance in script.utterances for word in bare(utterance.transcript))
    assert seen.struck, faults
    assert seen.error is None, faults
    if not seen.lost_audio:
        assert told(seen) == said, (faults, seed, said - told(seen), told(seen) - said)
    return seen


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.sampled(8)
async def test_no_short_word_falls_between_two_connections(loss: str, seed: int) -> None:
    """Lost at any moment, once or twice, while words are said, or told, or nothing is."""
    random = Random(f"{loss} {seed}")
    for _ in range(2):
        script = short_words(random)
        first = random.uniform(0.5, script.end)
        assert not (await lose(script, f"{loss}@{first:.2f}s/1", seed=seed)).lost_audio
        second = random.uniform(0.2, 3.0)
        await lose(script, f"{loss}@{first:.2f}s/1", f"drop@{second:.2f}s/2", seed=seed)


@pytest.mark.parametrize("seed", range(3))
async def test_nor_in_a_turn_that_is_stuck(seed: int) -> None:
    """What a turn that only brings empty Updates had told is not told again, and the rest is."""
    random = Random(seed)
    for turn in (1, 2):
        await lose(short_words(random), f"chatty_stall@turn{turn}.start/1", seed=seed)


async def test_the_word_before_a_pause_is_heard_again() -> None:
    """It was heard and not told when Flux fell silent, and the pause after it was heard as well."""
    script = Script.parse("1.0 I'd like a table (0.9) for two, please.")
    for seed in range(4):
        seen = await lose(script, "stall@turn1.mid/1", seed=seed)
        assert bare(seen.of(Commit)[0].transcript) == ["id", "like"]
