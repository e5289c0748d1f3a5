"""The rules of a conversation with your bot, whoever calls, however slow its LLM and voice are, and whatever fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from .requirements import need

need("hypothesis", "turnkit.testing.BotRules")

import structlog  # noqa: E402
from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402  (after it is known to be there)
from hypothesis import strategies as st  # noqa: E402
from structlog.testing import capture_logs  # noqa: E402

from ..errors import ConfigError  # noqa: E402
from ..session import Session  # noqa: E402
from .caller import Caller  # noqa: E402
from .conversation import Conversation  # noqa: E402
from .conversation_rules import has_answers, wants_answers  # noqa: E402
from .pace import Pace  # noqa: E402
from .rehearsal import rehearse  # noqa: E402
from .scripted import ScriptedLLM, ScriptedVoice  # noqa: E402
from .strategies import conversations, paces  # noqa: E402
from .virtual_clock import Backend  # noqa: E402


@contextmanager
def _quiet() -> Iterator[None]:
    """Log nothing: most failures are planned, and the others are reported with the conversation."""
    configured = structlog.is_configured()
    try:
        with capture_logs():
            yield
    finally:
        if not configured:
            structlog.reset_defaults()


class BotRules:
    """Any conversation with a bot keeps the rules and comes to rest, and answers are heard.

    A bot may say nothing to some turns, but not to all; and it may be late only where its stand-ins are told to hang.

    Subclass it, for pytest, to test a bot of yours:

        class TestMyBot(BotRules):
            def bot(self, llm, voice):
                return Session(respond=MyBot(llm).respond, speak=voice)

    What the LLM says is up to `llm`; what holds for your bot beyond the rules of all goes into `check`.

    Attributes:
        callers: A strategy for who calls. Default `strategies.conversations()`.
        paces: A strategy for how the stand-ins go. Default `strategies.paces()`.
        backend: `asyncio`, the default, or `trio`.
        examples: How many conversations to hold. Default 50.
    """

    callers: ClassVar[st.SearchStrategy[Caller]] = conversations()
    paces: ClassVar[st.SearchStrategy[list[Pace]]] = paces()
    backend: ClassVar[Backend] = "asyncio"
    examples: ClassVar[int] = 50

    def bot(self, llm: ScriptedLLM, voice: ScriptedVoice) -> Session:
        """Make a fresh bot, for one conversation.

        Args:
            llm: the stand-in for your bot's LLM; slow or failing, as was drawn.
            voice: the stand-in for its voice, which goes as `speak`.
        """
        raise ConfigError(
            f"{type(self).__name__}.bot(llm, voice): must be there, and give the session of the bot to test"
        )

    def llm(self, pace: Sequence[Pace]) -> ScriptedLLM:
        """Make the LLM for one conversation."""
        return ScriptedLLM("Certainly, I shall see to that at once.", pace=pace)

    def check(self, conversation: Conversation) -> None:
        """Assert what must hold for this bot besides; called after each conversation."""

    def test_the_rules_hold_whoever_calls_and_whatever_fails(self) -> None:
        """Nothing is heard too early or too late, no tool is called for nothing, and all comes to an end."""
        if type(self).bot is BotRules.bot:
            self.bot(self.llm([Pace()]), ScriptedVoice())

        count, answered, silent = 0, False, list[Conversation]()

        @settings(
            max_examples=self.examples,
            deadline=None,
            report_multiple_bugs=False,  # the first, on its own, can be read
            suppress_health_check=[HealthCheck.too_slow],
            # To explain means to trace every line of many more calls; the conversation that is shown does it better.
            phases=[phase for phase in settings().phases if phase is not Phase.explain],
        )
        @given(caller=self.callers, thinking=self.paces, speaking=self.paces)
        def any_conversation(caller: Caller, thinking: Sequence[Pace], speaking: Sequence[Pace]) -> None:
            def bot() -> Session:
                return self.bot(self.llm(thinking), ScriptedVoice(pace=speaking))

            nonlocal count, answered
            with _quiet():
                conversation = rehearse(bot, caller, backend=self.backend)
            conversation.assert_keeps_the_rules()
            conversation.assert_at_rest()
            self.check(conversation)
            count, answered = count + 1, answered or has_answers(conversation)
            if wants_answers(conversation) and not silent:
                silent.append(conversation)

        held: Any = any_conversation
        held()
        if silent and not answered:
            raise silent[0].failed(f"no answer was ever heard, in any of {count} conversations; this is one of them")
