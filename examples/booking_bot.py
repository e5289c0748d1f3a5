"""A bot that books a table exactly once, whatever the caller does: the pattern for tools that take effect.

A draft books nothing. What has begun to be booked is finished, though the caller interrupts. Booking twice under the
same key is booking once. The next reply knows what was booked. The LLM is a rule-based stand-in; put yours there.

Run on a simulated caller, without a key:   python examples/booking_bot.py
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio

from turnkit import Commit, FluxOptions, FluxStream, ReplyEnded, Session, UserIdle, connect
from turnkit.session import Reply
from turnkit.simulator import Script, serve
from turnkit.speaking import ClockSink, speaker

CALLER = """
    1.0    A table for two at eight (1.2) thirty.    # the draft would have booked it for eight
    +0.6   Please.                                   # nothing was heard yet: one answer to both
    +3.0   Could you repeat that?                    # over the agent
    +7.0   Thank you!
"""
MOST_ROUNDS = 4  # of asking the LLM, calling its tools and asking again, in one reply
Message = dict[str, Any]


# The restaurant ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Booking:
    number: int
    people: str
    time: str

    def __str__(self) -> str:
        return f"A table for {self.people} at {self.time} is booked, number {self.number}."


class Bookings:
    """The restaurant's book, slow as such systems are. A key stands for one booking, as in PUT /bookings/KEY."""

    def __init__(self, seconds: float = 0.8) -> None:
        self.by_key: dict[str, Booking] = {}
        self._seconds = seconds

    async def put(self, key: str, people: str, time: str) -> Booking:
        """Book; under a key that is there already, change that booking if anything has changed."""
        await anyio.sleep(self._seconds)
        before = self.by_key.get(key)
        number = before.number if before else len(self.by_key) + 1
        self.by_key[key] = Booking(number, people, time)
        return self.by_key[key]


# The LLM ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ToolCall:
    """The LLM wants a table to be booked."""

    id: str
    people: str
    time: str


@dataclass(frozen=True)
class Answer:
    """What an LLM gives back: something to say, and the tools it wants called before it goes on."""

    text: str
    calls: Sequence[ToolCall] = field(default=())


class Llm(Protocol):
    async def answer(self, messages: Sequence[Message]) -> Answer: ...


class RuleLlm:
    """A stand-in for an LLM with a tool: looks for a table, a number of people and a time."""

    async def answer(self, messages: Sequence[Message]) -> Answer:
        await anyio.sleep(0.3)
        said = " ".join(message["content"] for message in messages if message["role"] == "user").lower()
        told = " ".join(message["content"] or "" for message in messages if message["role"] == "assistant")
        booked = [message["content"] for message in messages if message["role"] == "tool"]
        if booked:
            return Answer("You are welcome. Goodbye!" if booked[-1] in told and "thank" in said else booked[-1])
        people = re.search(r"for (one|two|three|four|five|six)", said)
        time = re.search(r"at ((?:six|seven|eight|nine)(?: thirty)?)", said)
        if people and time:
            return Answer("One moment, please. ", [ToolCall(f"call-{len(messages)}", people[1], time[1])])
        return Answer("For how many people, and at what time?")


# The bot ----------------------------------------------------------------------------------------------------------


class BookingBot:
    """Answers with the LLM, and books when the LLM wants it to."""

    def __init__(self, llm: Llm, bookings: Bookings, call_id: str) -> None:
        speak = speaker(synthesise, ClockSink())
        self.session = Session(respond=self.respond, speak=speak, idle_timeout=5.0, id=call_id)
        # Into a silence the LLM says what it still owes. When to stop asking: see disclaimer_bot.py.
        self.session.on(UserIdle, lambda idle: self.session.initiate())
        self._llm = llm
        self._bookings = bookings
        self._desk = anyio.Lock()  # one booking at a time

    async def respond(self, reply: Reply) -> None:
        messages = await self.conversation(reply)
        for _ in range(MOST_ROUNDS):
            answer = await self._llm.answer(messages)
            await reply.say(answer.text)
            if not answer.calls:
                return
            for call in answer.calls:
                messages += await self.book(reply, call)
        await reply.say("I am sorry, I am going round in circles. Please ask again.")

    async def conversation(self, reply: Reply) -> list[Message]:
        """What the LLM is to answer, with the outcome of a booking that an interrupted reply is still finishing."""
        async with self._desk:
            return reply.messages

    async def book(self, reply: Reply, call: ToolCall) -> list[Message]:
        """Book, and give the messages that tell the LLM so."""
        # Nobody comes in here before the turn is final, and a barge-in does not stop who is in.
        async with reply.must_finish(timeout=10.0), self._desk:
            with self.session.busy():  # while we work, the caller is not the one who is silent
                # The key is that of what the caller asked for, however often it is answered, and by which reply.
                booking = await self._bookings.put(reply.key, call.people, call.time)
            arguments = {"people": call.people, "time": call.time}
            function = {"name": "book_table", "arguments": json.dumps(arguments)}
            messages: list[Message] = [
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": call.id, "type": "function", "function": function}],
                },
                {"role": "tool", "tool_call_id": call.id, "content": str(booking)},
            ]
            for message in messages:
                self.session.remember(message)
            self.session.context_changed()  # a draft that does not know of it is thrown away
            print(f"  [booked for {call.people} at {call.time}, key {reply.key}: number {booking.number}]")
        return messages


async def synthesise(text: str) -> AsyncIterator[bytes]:
    """A silent TTS: it takes its time to the first sound, then 0.3 s a word."""
    await anyio.sleep(0.8)
    for _ in text.split():
        yield bytes(9600)


# The call ---------------------------------------------------------------------------------------------------------


async def call(stream: FluxStream, seconds: float) -> None:
    """Send audio for so long, then hang up. What is said in it stands in the script."""
    for _ in range(round(seconds / 0.08)):
        await anyio.sleep(0.08)
        await stream.send_audio(bytes(2560))
    await stream.close()


async def main() -> None:
    bookings = Bookings()
    session = BookingBot(RuleLlm(), bookings, "call-1").session
    session.on(Commit, lambda turn: print(f"caller: {turn.transcript}"))
    session.on(ReplyEnded, lambda end: print(f"bot {end.outcome}: {end.heard}"))
    script = Script.parse(CALLER, seed=2)
    async with (
        serve(script) as flux,
        connect(FluxOptions(eager_eot_threshold=0.4), url=flux.url) as stream,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(call, stream, script.end + 4)
        await session.run(stream)
    print("in the book:", *bookings.by_key.values())


if __name__ == "__main__":
    anyio.run(main)
