"""The strategies and rules for Hypothesis: what Flux may say and what not, and policies and bots that are found out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from tests.support.effort import tries
from turnkit import Overlap, Pause, Session, TurnMachine, Verdict
from turnkit.errors import ConfigError
from turnkit.session import Reply
from turnkit.testing import (
    BotRules,
    MachineRules,
    Pace,
    RehearsalFailed,
    ScriptedLLM,
    ScriptedTool,
    ScriptedVoice,
    rehearse,
    strategies,
)
from turnkit.testing.strategies import Stream
from turnkit.tools.proof import Referee
from turnkit.turns.events import (
    EagerEndOfTurn,
    EndOfTurn,
    Note,
    NoteKind,
    StartOfTurn,
    StreamLost,
    StreamRestored,
    TurnResumed,
    Update,
)
from turnkit.turns.words import has_words

quick = settings(max_examples=tries(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])


def feed(machine: TurnMachine, stream: Stream) -> list[Any]:
    """All signals, judged by the referee."""
    referee = Referee(machine, 0.0)
    at, signals = 0.0, []
    for lapse, event in stream:
        at += lapse
        signals += [*referee.wake(at), *referee.feed(event, at)]
    signals += referee.close(at)
    referee.over()
    return signals


@quick
@given(stream=strategies.turn_streams(), drawn=strategies.machine_settings(stall_timeout=60.0))
def test_turn_streams_are_what_flux_sends(stream: Stream, drawn: dict[str, Any]) -> None:
    """Legal by Flux's own rules, so that a machine has nothing to note; and it keeps its rules."""
    index, turn, eager = 0, False, False
    words = ""
    for _, event in stream:
        match event:
            case StreamLost():
                index, turn, eager = 0, False, False
                continue
            case StreamRestored():
                continue
            case Update(transcript=""):
                assert not turn
                continue
            case StartOfTurn():
                assert not turn
                turn, words = True, ""
            case EagerEndOfTurn():
                assert turn
                eager = True
            case TurnResumed():
                assert eager
                eager = False
            case Update():
                assert turn
                assert not eager
            case EndOfTurn():
                assert turn
                turn = eager = False
        assert event.turn_index == index
        assert event.transcript.startswith(words)
        assert has_words(event.transcript)
        words = event.transcript
        index += isinstance(event, EndOfTurn)
    assert not [signal for signal in feed(TurnMachine(**drawn), stream) if isinstance(signal, Note)]


@quick
@given(stream=strategies.hostile(), drawn=strategies.machine_settings())
def test_a_machine_survives_hostile_streams(stream: Stream, drawn: dict[str, Any]) -> None:
    """Whatever comes, the rules hold and nothing is left open."""
    feed(TurnMachine(**drawn), stream)


def test_the_strategies_reach_far_and_shrink_well() -> None:
    """Each kind of trouble is found, and its smallest case is small."""
    lone = smallest(strategies.hostile(), lambda stream: any(isinstance(event, EndOfTurn) for _, event in stream[:1]))
    assert len(lone) == 1
    assert [type(event) for _, event in smallest(strategies.turn_streams(), bool)] == [StartOfTurn, EndOfTurn]
    resumed = smallest(
        strategies.turn_streams(), lambda stream: any(isinstance(event, TurnResumed) for _, event in stream)
    )
    assert len(resumed) <= 8
    assert any(isinstance(event, StreamLost) for _, event in smallest(strategies.turn_streams(), _is_broken))
    caller = smallest(strategies.conversations(), lambda caller: "[lost]" in caller.script)
    assert len(caller.lines) == 2, "one line, and the end of the call"
    assert smallest(strategies.paces(hanging=True), lambda paces: paces[0].hangs_at is not None) == [
        Pace(0.25, 0.0625, hangs_at=0)
    ]


def smallest(strategy: st.SearchStrategy[Any], condition: Callable[[Any], bool]) -> Any:
    """The smallest value that meets the condition, as far as it is looked for from one fixed place."""
    return find(strategy, condition, settings=settings(max_examples=20_000, database=None), random=Random(0))


def _is_broken(stream: Stream) -> bool:
    return any(isinstance(event, StreamLost) for _, event in stream)


@given(drawn=strategies.machine_settings(stall_timeout=5.0, idle_timeout=st.just(None)))
@settings(max_examples=10)
def test_settings_that_are_given_stay(drawn: dict[str, Any]) -> None:
    """As values or as strategies of their own."""
    assert (drawn["stall_timeout"], drawn["idle_timeout"]) == (5.0, None)
    TurnMachine(**drawn)


@quick
@given(stream=strategies.turn_streams(eager=False, reconnects=False, most=2))
def test_what_is_not_wanted_does_not_come(stream: Stream) -> None:
    """Without eager ends there is no resuming; the stream holds; no more turns than asked for."""
    events: list[object] = [event for _, event in stream]
    assert not [event for event in events if isinstance(event, (EagerEndOfTurn, TurnResumed, StreamLost))]
    assert sum(isinstance(event, EndOfTurn) for event in events) <= 2


# Policies that are found out --------------------------------------------------------------------------------------


@pytest.fixture
def unshrunk() -> Iterator[None]:
    """The first failure will do: what is found is asked here, not how small it can be made."""
    settings.register_profile("unshrunk", phases=[Phase.explicit, Phase.generate])
    before = settings.get_current_profile_name()
    settings.load_profile("unshrunk")
    yield
    settings.load_profile(before)


@pytest.mark.usefixtures("unshrunk")
def test_a_policy_that_raises_is_found() -> None:
    """In live use it is replaced by the default, and that it happens at all is easily overlooked."""

    def frugal(pause: Pause) -> bool:
        return pause.confidence / pause.attempts > 0.5

    class Frugal(MachineRules):
        machine_settings = strategies.machine_settings(speculation=frugal)
        examples = 30

    with pytest.raises(AssertionError, match="a policy failed: "):
        Frugal().test_the_rules_hold_in_any_order_of_events()


@pytest.mark.usefixtures("unshrunk")
def test_a_policy_with_a_memory_is_found() -> None:
    """It answers the same question differently, so a replay would come out differently."""
    asked: list[Overlap] = []

    def moody(overlap: Overlap) -> Verdict:
        asked.append(overlap)
        return Verdict.YIELD if len(asked) % 2 else Verdict.KEEP

    class Moody(MachineRules):
        machine_settings = strategies.machine_settings(barge_in=moody)

    with pytest.raises(AssertionError):
        Moody().test_the_rules_hold_in_any_order_of_events()


def test_a_sound_policy_passes_and_rules_may_be_added() -> None:
    """`check` is called at every step."""
    checked: list[object] = []

    def polite(overlap: Overlap) -> Verdict:
        return Verdict.YIELD if overlap.elapsed > 0.5 else Verdict.WAIT

    class Polite(MachineRules):
        machine_settings = strategies.machine_settings(barge_in=polite)
        examples, steps = 20, 20

        def check(self, event: Any, signals: tuple[Any, ...]) -> None:
            super().check(event, signals)
            checked.append(event)

    Polite().test_the_rules_hold_in_any_order_of_events()
    assert len(checked) > 20


# Bots that are found out ------------------------------------------------------------------------------------------


class Hasty(BotRules):
    """A bot with a tool, whose mistakes are switched on by name."""

    mistake = ""
    examples = 40

    def bot(self, llm: ScriptedLLM, voice: ScriptedVoice) -> Session:
        tool = ScriptedTool("book")

        async def respond(reply: Reply) -> None:
            if self.mistake != "draft":
                await reply.committed()
            await tool(key=reply.key)
            if self.mistake == "raises" and reply.unanswered:
                raise LookupError("what was I asked?")
            async for token in llm.stream(reply.messages):
                await reply.say(token)

        return Session(respond=respond, speak=voice, id="call")


@pytest.mark.usefixtures("unshrunk")
@pytest.mark.parametrize(
    ("mistake", "message"),
    [("draft", "book was called at .* before the caller's turn was final"), ("raises", "the bot raised LookupError")],
)
def test_a_bot_that_breaks_the_rules_is_found(mistake: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With the smallest call that shows it; and planned failures do not fill the log."""

    class Mistaken(Hasty):
        pass

    Mistaken.mistake = mistake
    with pytest.raises(RehearsalFailed, match=message):
        Mistaken().test_the_rules_hold_whoever_calls_and_whatever_fails()
    assert "callback_failed" not in "".join(capsys.readouterr())
    assert not structlog.is_configured(), "the log is left as it was"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_sound_bot_passes(backend: Any) -> None:
    """Whoever calls, on both libraries; and its own rules are asked each time."""
    checked: list[str] = []

    class Sound(Hasty):
        examples = 25

        def check(self, conversation: Any) -> None:
            checked.append(conversation.heard)

    Sound.backend = backend
    Sound().test_the_rules_hold_whoever_calls_and_whatever_fails()
    assert any(checked)


def test_a_bot_must_be_given() -> None:
    """The class says which method is missing."""
    with pytest.raises(ConfigError, match=r"BotRules\.bot\(llm, voice\): must be there, and give the session"):
        BotRules().test_the_rules_hold_whoever_calls_and_whatever_fails()


@quick
@given(
    caller=strategies.conversations(wire=True),
    thinking=strategies.paces(hanging=True),
    drawn=strategies.machine_settings(),
)
def test_callers_on_the_wire_surprise_nobody(caller: Any, thinking: Sequence[Pace], drawn: dict[str, Any]) -> None:
    """Whoever calls, what they send is Flux: the session has nothing to note but the Errors that tell of a loss."""
    session = Session(respond=ScriptedLLM("Well.").respond, speak=ScriptedVoice(), **drawn | {"stall_timeout": 9.0})
    rehearse(session, caller)
    assert set(session.notes) <= {NoteKind.FLUX_ERROR}
