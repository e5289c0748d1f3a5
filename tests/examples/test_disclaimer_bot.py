"""The example disclaimer_bot: a greeting that cannot be cut short, a question into a silence, hanging up."""

from __future__ import annotations

import anyio
import pytest

from tests.support.examples import load


@pytest.mark.anyio
async def test_disclaimer_bot(capsys: pytest.CaptureFixture[str]) -> None:
    """The disclaimer is heard to its end; what was said over it is answered; one question into a silence, two end it.

    The caller's thanks after the first question make the bot patient again.
    """
    with anyio.fail_after(200):
        await load("disclaimer_bot").main()
    assert capsys.readouterr().out.splitlines() == [
        "bot finished: Welcome. This call is recorded for training purposes.",
        "caller: Hello, is the shop open?",
        "bot finished: We are open from nine to six.",
        "bot finished: Are you still there?",
        "caller: Thank you!",
        "bot finished: You are welcome.",
        "bot finished: Are you still there?",
        "bot finished: I will hang up now. Goodbye!",
        "[hung up]",
    ]
