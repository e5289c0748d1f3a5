"""EchoGuard and numbers: the agent's come back in words or in digits, the user's own are no echo."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.support.canned_policies import says
from tests.support.situations import OVERLAP
from turnkit.turns.policy import EchoGuard, Verdict


@pytest.mark.parametrize(
    ("said", "heard", "verdict"),
    [
        # The agent's own, as its voice or Flux reads them.
        ("table four costs forty euros", "Table 4 costs 40 euros.", "keep"),
        ("Table 4 costs 40 euros.", "table four costs forty euros", "keep"),
        ("it is five dollars", "It is $5", "keep"),
        ("fifty percent off", "Sale: 50% off", "keep"),
        ("on the third of May", "on the 3rd of May", "keep"),
        ("Doctor Smith will come", "Dr. Smith will come", "keep"),
        ("now call five um please", "Now call five five five one please", "keep"),
        ("call five five five one", "Please call 555 1234 now", "keep"),  # so far
        ("two three four now", "Please call 555 1234 now", "keep"),  # its beginning was not heard
        ("Tisch vier kostet fünfundvierzig Euro", "Tisch 4 kostet 45 €", "keep"),
        ("la table quatre coûte quatre-vingt-dix euros", "La table 4 coûte 90 €", "keep"),
        ("I would like to book a table for to", "I would like to book a table for 2", "keep"),  # one misheard
        ("I would like two book a table for 2", "I would like to book a table for 2", "keep"),  # likewise
        # The user's.
        ("a table for six at nine", "A table for 4 at 8?", "then"),
        (
            "so a table for six on Friday under the name of Smith",
            "So a table for 4 on Friday under the name of S",
            "then",
        ),
        ("so a table for six on Friday in the name of S", "So a table for four on Friday in the name of S", "then"),
        ("so a table for 6 on Friday in the name of S", "So a table for 4 on Friday in the name of S", "then"),
        ("it costs fifteen euros", "It costs 50 euros", "then"),
        ("for five", "A table for 50", "then"),
        ("four", "A table for 4", "then"),  # of too few words to be an echo
        ("table four costs forty euros no", "Table 4 costs 40 euros", "then"),
        ("forty four people and a dog", "Table 4 costs 40 euros", "then"),
    ],
)
def test_numbers_in_an_echo(said: str, heard: str, verdict: str) -> None:
    """The same number is the same word; another one in its place is the user's, in however long a turn."""
    overlap = replace(OVERLAP, transcript=said, heard=heard, final=True)
    judged = EchoGuard(then=says(Verdict.DEFER))(overlap)[0]
    assert str(judged) == verdict.replace("then", "defer")
