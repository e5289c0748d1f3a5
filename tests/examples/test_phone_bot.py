"""The example phone_bot: a real websocket server, a phone that calls it, and every way in which it is interrupted."""

from __future__ import annotations

import anyio
import pytest

from tests.support.examples import load
from turnkit.testing import VirtualTimeLoop


def test_phone_bot(capsys: pytest.CaptureFixture[str]) -> None:
    """The greeting is heard; two answers are cut short by words, one by a key, which is answered; then it hangs up.

    On asyncio, as its server is.
    """

    async def main() -> None:
        with anyio.fail_after(200):
            await load("phone_bot").main()

    anyio.run(main, backend_options={"loop_factory": VirtualTimeLoop})
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["bot finished: Hello. How can I help you?", "caller: Hello, are you open on Sundays?"]
    assert [line for line in lines if not line.startswith("bot interrupted: ")] == [
        "bot finished: Hello. How can I help you?",
        "caller: Hello, are you open on Sundays?",
        "caller: Sorry, on Mondays, I mean.",
        "caller: Pressed 1.",
        "caller: Thank you, good bye.",
        "bot finished: Good bye!",
        "[call hung_up]",
        "[the phone was silenced 3 times]",
    ]
    interrupted = [line.removeprefix("bot interrupted: ") for line in lines if line.startswith("bot interrupted: ")]
    answers = [answer for answer in load("phone_bot").ANSWERS.values() if answer != "Good bye!"]
    assert all(answer.startswith(said) and said for said, answer in zip(interrupted, answers, strict=True))
