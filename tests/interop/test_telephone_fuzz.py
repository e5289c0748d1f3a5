"""Phone calls in which anything comes, in any order: each ends, and nothing is raised."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from tests.support.phone_calls import PhoneBot, ScriptedFlux, on_the_phone
from tests.support.sessions import turn
from turnkit.interop.telephone import CallEnd
from turnkit.testing import FakePhone
from turnkit.testing.phone_lines import LINES
from turnkit.turns.events import StartOfTurn
from turnkit.turns.policy import HoldThenDecide, Immediate, MinWords


def what_may_come(dice: random.Random, service: str) -> str | bytes:
    """A message: an honest one at any time, one with something wrong in it, or nothing of the kind."""
    line = LINES[service]()
    honest: list[Any] = [
        *line.hello({"a": "b"}),
        line.media(7, bytes(160)),
        line.key(dice.choice("0123456789*#")),
        line.played(dice.choice(["1:0.020000", "1:9.0", "2:0.1", "-1:-1", "x", "3:nan", "1:0.3:7"])),
        line.cleared() or {},
    ]
    message = dice.choice(honest)
    if dice.random() < 0.1:
        message = {**message, dice.choice([*message, "event"]): dice.choice([None, 7, [], {}, "media", "start", True])}
    text = json.dumps(message)
    if dice.random() < 0.03:
        broken: list[str | bytes] = [text[: dice.randrange(len(text))], text.encode(), "\x00", text * 2]
        return dice.choice(broken)
    return text


@pytest.mark.anyio
@pytest.mark.parametrize("seed", range(60))
async def test_anything_may_come(seed: int) -> None:
    dice = random.Random(seed)
    service = dice.choice(sorted(LINES))
    phone = FakePhone(line=service, start=dice.random() < 0.8, latency=dice.choice([0.0, 0.1]))  # type: ignore[arg-type]
    bot = PhoneBot(barge_in=dice.choice([Immediate(), HoldThenDecide(MinWords(2))]))
    flux = ScriptedFlux(0.5, *turn(0, "Hello?"), 0.7, StartOfTurn(1, "And"), 1.0, *turn(1, "And then?")[1:])
    acts: list[object] = []
    for _ in range(dice.randrange(60)):
        message = what_may_come(dice, service)
        acts += [dice.choice([0.0, 0.01, 0.3]), lambda message=message: phone.send(message)]
    acts.append(dice.choice([phone.hang_up, phone.vanish]))
    end = await on_the_phone(phone, bot, flux, *acts, service=service, start_timeout=5.0)
    assert end in set(CallEnd) - {CallEnd.HUNG_UP}
    assert all(outcome in ("finished", "interrupted", "cancelled") for outcome, _ in bot.ends)
    assert phone.complaints == []
