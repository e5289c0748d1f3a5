"""Commands on an open stream, and who gets their answers: Configure and ForceEndTurn."""

from __future__ import annotations

from typing import Any, cast

import anyio
import anyio.abc
import pytest
from anyio.lowlevel import checkpoint

from tests.support.flux_peer import Link, everything, opened, polite, read_by_another, settle, until
from turnkit.errors import ConfigError, ConnectionFailed, FluxError, LocalProtocolError
from turnkit.flux import FluxStream
from turnkit.wire import Configure, ConfigureFailure, ConfigureSuccess, Connected, FluxOptions, Thresholds, TurnInfo

pytestmark = pytest.mark.anyio

# Configure ----------------------------------------------------------------------------------------------------------


async def test_a_configure_is_answered_and_changes_the_options() -> None:
    """The answer is returned, yielded to the iteration, and folded into stream.options."""

    async def speak(link: Link) -> None:
        await link.connected()
        await link.hear()
        await link.configured(thresholds={"eot_threshold": 0.9, "eot_timeout_ms": 7000}, keyterms=["a"], numerals=True)
        await link.hang_up()

    async with opened(speak) as (stream, peer), read_by_another(stream) as read:
        command = Configure(thresholds=Thresholds(eot_threshold=0.9), keyterms=("a",))
        answer = await stream.configure(command)
        assert answer.thresholds.eot_timeout_ms == 7000
    assert peer.heard[0] == {"type": "Configure", "thresholds": {"eot_threshold": 0.9}, "keyterms": ["a"]}
    assert [type(message) for message in read] == [Connected, ConfigureSuccess]
    options = stream.options
    assert (options.eot_threshold, options.eot_timeout_ms, options.keyterm) == (0.9, 7000, ("a",))
    assert options.numerals is True


async def test_an_echo_that_no_option_could_have_does_not_end_the_call() -> None:
    """What Flux says is in force is its own affair: the call goes on, with the options as they were."""

    async def speak(link: Link) -> None:
        await link.connected()
        await link.hear()
        await link.configured(thresholds={"eot_threshold": 0.2})
        await link.hang_up()

    async with opened(speak) as (stream, _), read_by_another(stream):
        assert (await stream.configure(Configure())).thresholds.eot_threshold == 0.2
    assert stream.options == FluxOptions()


async def test_a_configure_that_flux_refuses_is_a_flux_error_and_no_more() -> None:
    """The failure is the caller's; the iteration sees it as a message and goes on."""

    async def speak(link: Link) -> None:
        await link.connected()
        await link.hear()
        await link.say("ConfigureFailure", error_code="INVALID_THRESHOLD", description="no")
        await link.hang_up()

    async with opened(speak) as (stream, _), read_by_another(stream) as read:
        with pytest.raises(FluxError) as refused:
            await stream.configure(Configure(keyterms=("a",)))
        assert (refused.value.code, refused.value.description) == ("INVALID_THRESHOLD", "no")
        assert refused.value.request_id == "req-1"
    assert [type(message) for message in read] == [Connected, ConfigureFailure]
    assert stream.options.keyterm == ()


class Gate:
    """A Flux that answers the first Configure when told to, and the others at once."""

    def __init__(self, first: dict[str, Any] | None = None) -> None:
        self.opened = anyio.Event()
        self.first = first

    async def __call__(self, link: Link) -> None:
        await link.connected()
        await link.hear_until("Configure")
        await self.opened.wait()
        await (link.configured() if self.first is None else link.say(**self.first))
        while (await link.hear())["type"] == "Configure":
            await link.configured(keyterms=["merged"])
        await link.close(None)


async def test_configures_made_meanwhile_are_merged_and_share_one_answer() -> None:
    """One is on the wire at a time; the later value wins, field by field and threshold by threshold."""
    gate = Gate()
    answers: list[ConfigureSuccess] = []

    async def ask(stream: FluxStream, command: Configure) -> None:
        answers.append(await stream.configure(command))

    commands = [
        Configure(thresholds=Thresholds(eot_threshold=0.8, eot_timeout_ms=6000), keyterms=("a",)),
        Configure(thresholds=Thresholds(eot_threshold=0.9), numerals=True),
        Configure(keyterms=()),
    ]
    async with opened(gate) as (stream, peer), read_by_another(stream), anyio.create_task_group() as tasks:
        tasks.start_soon(ask, stream, Configure(keyterms=("first",)))
        await until(lambda: peer.commands)
        for command in commands:
            tasks.start_soon(ask, stream, command)
            await settle()
        assert len(peer.commands) == 1
        gate.opened.set()
    merged = {"thresholds": {"eot_threshold": 0.9, "eot_timeout_ms": 6000}, "keyterms": [], "numerals": True}
    assert peer.commands[:2] == [
        {"type": "Configure", "keyterms": ["first"]},
        {"type": "Configure", **merged},
    ]
    assert len(peer.commands) == 3  # and CloseStream
    assert [answer.keyterms for answer in answers] == [(), *[("merged",)] * 3]
    assert answers[1] is answers[2] is answers[3]


async def test_the_next_configure_goes_after_a_refusal() -> None:
    """A refusal concerns those who asked for it."""
    gate = Gate({"type": "ConfigureFailure", "description": "no"})
    refused: list[FluxError] = []

    async def ask(stream: FluxStream) -> None:
        with pytest.raises(FluxError) as failed:
            await stream.configure(Configure(keyterms=("first",)))
        refused.append(failed.value)

    async with opened(gate) as (stream, peer), read_by_another(stream), anyio.create_task_group() as tasks:
        tasks.start_soon(ask, stream)
        await until(lambda: peer.commands)
        gate.opened.set()
        assert (await stream.configure(Configure(keyterms=("second",)))).keyterms == ("merged",)
    assert refused[0].description == "no"


async def test_a_cancelled_configure_does_not_break_the_others() -> None:
    """One that was on the wire still holds its place; one that was not is taken out of the merged Configure."""
    gate = Gate()
    answers: list[ConfigureSuccess] = []
    scopes: list[anyio.CancelScope] = []

    async def ask(stream: FluxStream, command: Configure) -> None:
        with anyio.CancelScope() as scope:
            scopes.append(scope)
            answers.append(await stream.configure(command))

    async with opened(gate) as (stream, peer), read_by_another(stream), anyio.create_task_group() as tasks:
        for keyterm in ("flying", "withdrawn", "third"):
            tasks.start_soon(ask, stream, Configure(keyterms=(keyterm,), numerals=keyterm == "third" or None))
            await until(lambda: peer.commands)
            await settle()
        scopes[2].cancel()
        scopes[0].cancel()
        await settle()
        assert len(peer.commands) == 1
        gate.opened.set()
    assert [command.get("keyterms") for command in peer.commands] == [["flying"], ["withdrawn"], None]
    assert "numerals" not in peer.commands[1]
    assert [answer.keyterms for answer in answers] == [("merged",)]


async def test_a_configure_withdrawn_by_all_is_never_sent() -> None:
    """If every call of a batch is cancelled before it left, nothing of it goes with a later one."""
    gate = Gate()
    async with opened(gate) as (stream, peer), read_by_another(stream), anyio.create_task_group() as tasks:
        tasks.start_soon(stream.configure, Configure(keyterms=("first",)))
        await until(lambda: peer.commands)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await stream.configure(Configure(keyterms=("gone",)))
        gate.opened.set()
        await stream.configure(Configure(numerals=True))
    assert peer.commands[1] == {"type": "Configure", "numerals": True}


async def test_a_configure_without_an_answer_is_given_up_and_the_next_may_go() -> None:
    """The error says that somebody must be iterating."""

    async def speak(link: Link) -> None:
        await link.connected()
        await link.hear()
        await link.hear()
        await link.configured()
        await link.hang_up()

    async with opened(speak, answer_timeout=0.05) as (stream, _), read_by_another(stream):
        with pytest.raises(ConnectionFailed, match=r"did not answer Configure within 0\.05 s.*another task must be"):
            await stream.configure(Configure(keyterms=("a",)))
        assert (await stream.configure(Configure(keyterms=("b",)))).keyterms == ()


async def test_who_waits_for_an_answer_learns_that_the_stream_ended() -> None:
    """Also those whose Configure had not left yet; nobody waits for the timeout."""
    leave = anyio.Event()
    failed: list[str] = []

    async def speak(link: Link) -> None:
        await link.connected()
        await leave.wait()
        await link.say("Error", code="INTERNAL_SERVER_ERROR", description="gone")
        await link.close(None)

    async def ask(call: Any, argument: Any = None) -> None:
        with pytest.raises(ConnectionFailed) as failure:
            await (call(argument) if argument else call())
        failed.append(str(failure.value))

    async with opened(speak, answer_timeout=1000.0) as (stream, _), anyio.create_task_group() as tasks:
        for keyterm in ("a", "b"):
            tasks.start_soon(ask, stream.configure, Configure(keyterms=(keyterm,)))
        tasks.start_soon(ask, stream.force_end_turn)
        await settle()
        leave.set()
        with pytest.raises(FluxError):
            await everything(stream)
    assert len(failed) == 3
    assert all("ended" in text for text in failed)


@pytest.mark.parametrize(
    ("options", "command", "said"),
    [
        ({}, {"thresholds": Thresholds(eager_eot_threshold=0.8)}, r"eager_eot_threshold=0\.8: must be at most"),
        (
            {"eager_eot_threshold": 0.6},
            {"thresholds": Thresholds(eot_threshold=0.5)},
            r"eager_eot_threshold=0\.6: must be at most eot_threshold, which is 0\.5",
        ),
        ({}, {"language_hints": ("en",)}, "only flux-general-multi takes hints"),
        ({}, {"language_hints": ()}, "only flux-general-multi takes hints"),
    ],
)
async def test_what_flux_would_refuse_is_not_sent(options: dict[str, Any], command: dict[str, Any], said: str) -> None:
    """The thresholds are checked against the values in force, and Flux's default where none was given."""
    async with opened(polite, FluxOptions(**options)) as (stream, peer):
        with pytest.raises(ConfigError, match=said):
            await stream.configure(Configure(**command))
        with pytest.raises(LocalProtocolError, match="takes a Configure, not dict"):
            await stream.configure(cast(Configure, {}))
    assert [frame["type"] for frame in peer.commands] == ["CloseStream"]


async def test_what_is_under_way_counts_for_the_check() -> None:
    """A threshold that a Configure on its way will allow may be asked for already."""
    gate = Gate()
    async with opened(gate) as (stream, peer), read_by_another(stream), anyio.create_task_group() as tasks:
        tasks.start_soon(stream.configure, Configure(thresholds=Thresholds(eot_threshold=0.9)))
        await until(lambda: peer.commands)
        tasks.start_soon(stream.configure, Configure(thresholds=Thresholds(eager_eot_threshold=0.85)))
        await settle()
        with pytest.raises(ConfigError, match="eager_eot_threshold"):
            await stream.configure(Configure(thresholds=Thresholds(eot_threshold=0.8)))
        gate.opened.set()


# Settings for one question ------------------------------------------------------------------------------------------


async def echo(link: Link) -> None:
    """A Flux that takes every Configure and says so."""
    thresholds: dict[str, Any] = {"eot_threshold": 0.7, "eot_timeout_ms": 5000}
    keyterms: list[str] = []
    await link.connected()
    while (command := await link.hear())["type"] == "Configure":
        thresholds |= command.get("thresholds", {})
        keyterms = command.get("keyterms", keyterms)
        await link.configured(thresholds=thresholds, keyterms=keyterms, numerals=command.get("numerals", False))
    await link.close(None)


QUESTION = {"eot_threshold": 0.9, "eot_timeout_ms": 8000}


async def test_settings_for_one_question_go_back_afterwards() -> None:
    """What was in force on entering is in force again, Flux's defaults where nothing was given."""
    async with opened(echo) as (stream, peer), read_by_another(stream):
        async with stream.configured(eot_threshold=0.9, eot_timeout_ms=8000, keyterms=("a",), numerals=True):
            assert (stream.options.eot_threshold, stream.options.keyterm) == (0.9, ("a",))
        assert (stream.options.eot_threshold, stream.options.eot_timeout_ms) == (0.7, 5000)
        assert (stream.options.keyterm, stream.options.numerals) == ((), False)
    assert peer.commands[0] == {"type": "Configure", "thresholds": QUESTION, "keyterms": ["a"], "numerals": True}
    restored = {"eot_threshold": 0.7, "eot_timeout_ms": 5000}
    assert peer.commands[1] == {"type": "Configure", "thresholds": restored, "keyterms": [], "numerals": False}


async def test_only_what_was_changed_goes_back_and_nested_ones_go_back_in_order() -> None:
    """A keyterm list is left alone by a question about thresholds, and eager mode keeps its own."""
    options = FluxOptions(eot_threshold=0.8, eager_eot_threshold=0.5, keyterm=("kept",))
    async with (
        opened(echo, options) as (stream, peer),
        read_by_another(stream),
        stream.configured(eager_eot_threshold=0.6),
        stream.configured(eot_timeout_ms=9000),
    ):
        pass
    assert [command.get("thresholds") for command in peer.commands[:-1]] == [
        {"eager_eot_threshold": 0.6},
        {"eot_timeout_ms": 9000},
        {"eot_timeout_ms": 5000},
        {"eager_eot_threshold": 0.5},
    ]
    assert not any("keyterms" in command for command in peer.commands)


async def test_settings_go_back_when_the_question_fails() -> None:
    """The body's own exception comes out."""
    async with opened(echo) as (stream, peer), read_by_another(stream):
        with pytest.raises(ZeroDivisionError):
            async with stream.configured(eot_threshold=0.9):
                raise ZeroDivisionError
        await until(lambda: len(peer.commands) == 2)
    assert peer.commands[1]["thresholds"] == {"eot_threshold": 0.7}


@pytest.mark.parametrize("noticed", [True, False])
async def test_settings_go_back_when_the_question_is_cancelled(noticed: bool) -> None:
    """Whether the body noticed or had just ended; the restoring Configure leaves all the same."""
    async with opened(echo) as (stream, peer), read_by_another(stream) as read:
        with anyio.CancelScope() as scope:
            async with stream.configured(eot_threshold=0.9):
                scope.cancel()
                if noticed:
                    await checkpoint()
        await until(lambda: len(read) == 3)
        assert stream.options.eot_threshold == 0.7
    assert peer.commands[1]["thresholds"] == {"eot_threshold": 0.7}


async def test_settings_go_back_when_entering_is_cancelled_after_they_left() -> None:
    """Flux may have taken them, so they are taken back, behind the one on the wire."""
    gate = Gate()
    async with opened(gate) as (stream, peer), read_by_another(stream), anyio.create_task_group() as tasks:

        async def ask() -> None:
            async with stream.configured(eot_threshold=0.9):
                pytest.fail("the question must not be asked")

        tasks.start_soon(ask)
        await until(lambda: peer.commands)
        tasks.cancel_scope.cancel()
        gate.opened.set()
    assert [command.get("thresholds") for command in peer.commands] == [
        {"eot_threshold": 0.9},
        {"eot_threshold": 0.7},
        None,
    ]


async def test_settings_that_flux_refuses_are_not_taken_back() -> None:
    """Nothing was changed, so nothing is sent, and the question is not asked."""

    async def refuse(link: Link) -> None:
        await link.connected()
        await link.hear()
        await link.say("ConfigureFailure", code="NO")
        await link.hang_up()

    async with opened(refuse) as (stream, peer), read_by_another(stream):
        with pytest.raises(FluxError):
            async with stream.configured(eot_threshold=0.9):
                pytest.fail("the question must not be asked")
    assert [command["type"] for command in peer.commands] == ["Configure", "CloseStream"]


async def test_settings_that_do_not_go_back_are_told() -> None:
    """On the way out, a refusal and a missing answer are raised, for the settings are still the question's."""

    def answering_once(**second: Any) -> Any:
        async def speak(link: Link) -> None:
            await link.connected()
            await link.hear()
            await link.configured()
            await link.hear()
            if second:
                await link.say(**second)
            await link.hang_up()

        return speak

    async def ask(stream: FluxStream) -> None:
        async with stream.configured(eot_threshold=0.9):
            pass

    async with opened(answering_once(type="ConfigureFailure", code="NO")) as (stream, _), read_by_another(stream):
        with pytest.raises(FluxError, match="NO"):
            await ask(stream)
    async with opened(answering_once(), answer_timeout=0.05) as (stream, _), read_by_another(stream):
        with pytest.raises(ConnectionFailed, match="did not answer Configure"):
            await ask(stream)


async def test_an_answer_that_nobody_waits_for_still_counts() -> None:
    """The answer to a Configure that was given up says what is in force."""
    late = anyio.Event()

    async def speak(link: Link) -> None:
        await link.connected()
        await link.hear()
        await late.wait()
        await link.configured(keyterms=["a"])
        await link.hang_up()

    async with opened(speak, answer_timeout=0.05) as (stream, _), read_by_another(stream) as read:
        with pytest.raises(ConnectionFailed):
            await stream.configure(Configure(keyterms=("a",)))
        late.set()
        await until(lambda: len(read) == 2)
    assert stream.options.keyterm == ("a",)


async def test_a_stream_that_is_over_needs_no_restoring() -> None:
    """Closed by us or by Flux meanwhile: leaving is no error."""

    async def leave(link: Link) -> None:
        await link.connected()
        await link.hear()
        await link.configured()
        await link.close(1011)

    async with opened(echo) as (stream, peer), read_by_another(stream), stream.configured(eot_threshold=0.9):
        await stream.close()
    assert [command["type"] for command in peer.commands] == ["Configure", "CloseStream"]
    async with opened(leave) as (stream, _), anyio.create_task_group() as tasks:

        async def iterate() -> None:
            with pytest.raises(ConnectionFailed):
                await everything(stream)

        tasks.start_soon(iterate)
        async with stream.configured(eot_threshold=0.9):
            await until(lambda: repr(stream).startswith("<FluxStream ended"))


async def test_eager_mode_cannot_be_lent_to_a_question() -> None:
    """Flux cannot switch it off again, so it is refused before anything is sent."""
    async with opened(polite) as (stream, peer):
        with pytest.raises(ConfigError, match="cannot switch it off again"):
            async with stream.configured(eager_eot_threshold=0.5):
                pytest.fail("the question must not be asked")
    assert [command["type"] for command in peer.commands] == ["CloseStream"]


# Forcing the end of a turn ------------------------------------------------------------------------------------------


def forced(*answers: dict[str, Any]) -> Any:
    """A Flux that answers ForceEndTurns with these messages, all of them at the first."""

    async def speak(link: Link) -> None:
        await link.connected()
        await link.turn("StartOfTurn", "hello")
        await link.hear_until("ForceEndTurn")
        for answer in answers:
            await link.say(**answer)
        await link.hang_up()

    return speak


def ended(trigger: str) -> dict[str, Any]:
    return {"type": "TurnInfo", "event": "EndOfTurn", "turn_index": 0, "transcript": "hello", "trigger": trigger}


NO_TURN = {"type": "Warning", "code": "FORCE_END_TURN_NO_ACTIVE_TURN", "description": "ignored"}


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([ended("manual")], True),
        ([NO_TURN], False),
        ([ended("model"), NO_TURN], False),
        ([ended("timeout"), {"type": "Warning", "code": "OTHER"}, ended("manual")], True),
    ],
)
async def test_only_a_manual_end_or_the_warning_answers_a_forced_end(answers: Any, expected: bool) -> None:
    """Another trigger means that Flux's own end came first: the answer is still to come."""
    async with opened(forced(*answers)) as (stream, _), read_by_another(stream) as read:
        assert await stream.force_end_turn() is expected
    assert len(read) == 2 + len(answers)


async def test_forced_ends_are_answered_in_order() -> None:
    """Of two, the first ends the turn and the second comes too late; one that nobody waits for counts as well."""

    async def speak(link: Link) -> None:
        await link.connected()
        for answer in (ended("manual"), NO_TURN):
            await link.hear_until("ForceEndTurn")
            await link.say(**answer)
        await link.hang_up()

    async with opened(speak) as (stream, peer), read_by_another(stream):
        await stream.send_force_end_turn()
        assert await stream.force_end_turn() is False
    assert [command["type"] for command in peer.commands] == ["ForceEndTurn", "ForceEndTurn", "CloseStream"]


async def test_the_iterating_task_can_force_an_end_without_waiting_for_itself() -> None:
    """send_force_end_turn returns once it has left."""
    async with opened(forced(ended("manual"))) as (stream, _):
        triggers = []
        async for message in stream:
            if isinstance(message, TurnInfo) and message.event == "StartOfTurn":
                await stream.send_force_end_turn()
            elif isinstance(message, TurnInfo):
                triggers.append(message.trigger)
                await stream.close()
                assert await stream.send_force_end_turn() is False
    assert triggers == ["manual"]


async def test_a_forced_end_without_an_answer_is_given_up_and_answers_nobody_else() -> None:
    """Its late answer is not mistaken for the next one's, nor the next one's for its own."""

    async def speak(link: Link) -> None:
        await link.connected()
        await link.hear_until("ForceEndTurn")
        await link.hear_until("ForceEndTurn")
        await link.say(**ended("manual"))
        await link.hang_up()

    async with opened(speak, answer_timeout=0.05) as (stream, _), read_by_another(stream):
        with pytest.raises(ConnectionFailed, match="did not answer ForceEndTurn"):
            await stream.force_end_turn()
        assert await stream.force_end_turn() is True


async def test_a_host_without_forced_ends_hangs_up() -> None:
    """The Error is the iteration's; who waits learns that the stream ended, and the next send that it has."""

    async def refuse(link: Link) -> None:
        await link.connected()
        await link.hear()
        await link.say("Error", code="UNPARSABLE_CLIENT_MESSAGE", description="unknown variant")
        await link.close(None)

    async with opened(refuse) as (stream, _), anyio.create_task_group() as tasks:

        async def iterate() -> None:
            with pytest.raises(FluxError):
                await everything(stream)

        tasks.start_soon(iterate)
        with pytest.raises(ConnectionFailed, match="ended before ForceEndTurn was answered") as failed:
            await stream.force_end_turn()
        assert isinstance(failed.value.attempts[0], FluxError)
