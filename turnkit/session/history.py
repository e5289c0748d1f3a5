"""What was said and what was heard, as chat messages for an LLM."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import LocalProtocolError

Message = dict[str, Any]


class Said:
    """What a reply that is not over has said, and where it stands among what was remembered meanwhile.

    Args:
        start: where the reply's own part of the history begins: behind the words that it answers.
    """

    __slots__ = ("_parts", "heard", "start")

    def __init__(self, start: int) -> None:
        self.start = start
        self.heard: Message | None = None  # what the history holds of it
        self._parts: list[tuple[int, list[str]]] = []  # before how many messages since the start, and the text

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(chunk for _, chunks in self._parts for chunk in chunks)

    def add(self, place: int, chunk: str) -> None:
        """It said this, where the history had `place` messages."""
        after = place - self.start - (self.heard is not None)
        if not self._parts or self._parts[-1][0] != after:
            self._parts.append((after, []))
        self._parts[-1][1].append(chunk)

    def among(self, messages: list[Message]) -> list[Message]:
        """The history with what was said instead of what was heard of it."""
        if not self.text.strip():
            return messages
        later = [message for message in messages[self.start :] if message is not self.heard]
        told, at = messages[: self.start], 0
        for after, chunks in self._parts:
            told += later[at:after]
            at = max(at, after)
            if text := "".join(chunks).strip():
                told.append({"role": "assistant", "content": text})
        return told + later[at:]


class History:
    """The conversation so far: the user's turns, and of the agent's replies what was heard.

    A reply stands where its first words were heard and grows as it is heard; one of which nothing is known to have
    been heard does not stand at all. Turns that got no answer stand too, unless the agent kept the floor over them.
    """

    __slots__ = ("_last", "_messages", "_owed", "_replies")

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._replies: dict[int, Said] = {}  # of those that are not over
        self._owed = 0  # where the words begin that have no audible answer yet
        # The reply that was over last and not cancelled, what stands of it, and where the history ended then.
        self._last: tuple[int, Message | None, int] = (-1, None, 0)

    def messages(self) -> list[Message]:
        """A copy, oldest first."""
        return _copies(self._messages)

    def messages_for(self, reply: int) -> list[Message]:
        """A copy as the reply's author knows it, if it is not over: with what it has said, heard or not yet."""
        said = self._replies.get(reply)
        return _copies(self._messages if said is None else said.among(self._messages))

    def messages_with(self, reply: int, transcript: str, unanswered: Iterable[str]) -> list[Message]:
        """A copy as `messages_for` gives it, as it would be if the turn of this draft were final now."""
        asked = self._asked(transcript, unanswered)
        said = self._replies.get(reply)
        if said is None:
            return _copies([*self._messages, *asked])
        start = said.start
        own = said.among(self._messages)[start:]
        return _copies([*self._messages[:start], *asked, *own])

    def begin(self, reply: int) -> None:
        """A reply begins that says here what it says."""
        self._replies[reply] = Said(len(self._messages))

    def user_said(self, reply: int, transcript: str, unanswered: Iterable[str]) -> None:
        """The turn of a reply is final. The unanswered words that are not there yet, of turns cut off, come before it.

        What was remembered while the reply was only a draft comes behind them.
        """
        asked = self._asked(transcript, unanswered)
        said = self._replies.get(reply)
        place = len(self._messages) if said is None else max(said.start, self._owed)
        self._messages[place:place] = asked
        if said is not None:
            said.start = place + len(asked)

    def _asked(self, transcript: str, unanswered: Iterable[str]) -> list[Message]:
        missing: list[str] = []
        there: list[Any] = []
        if unanswered := tuple(unanswered):
            there += [message.get("content") for message in self._messages[self._owed :] if message["role"] == "user"]
        for text in unanswered:
            if text in there:
                there.remove(text)
            else:
                missing.append(text)
        return [{"role": "user", "content": text} for text in (*missing, transcript) if text]

    def agent_said(self, reply: int, chunk: str) -> None:
        """`reply` has said this; nobody has heard it yet."""
        said = self._replies.get(reply)
        if said is not None:
            said.add(len(self._messages), chunk)

    def said(self, reply: int) -> str:
        """All that a reply that is not over has said here, heard or not."""
        said = self._replies.get(reply)
        return "" if said is None else said.text

    def agent_heard(self, reply: int, heard: str) -> None:
        """Of `reply`, `heard` has been heard so far."""
        said = self._replies.get(reply)
        if said is not None and said.heard is not None:
            said.heard["content"] = heard
        elif heard.strip():
            if said is None:  # what it says is not said here
                self.begin(reply)
                said = self._replies[reply]
            said.heard = {"role": "assistant", "content": heard}
            self._messages.append(said.heard)
            self._owed = len(self._messages)

    def reply_over(self, reply: int, *, cancelled: bool) -> None:
        """Nothing more of `reply` will be heard; or, `cancelled`, nothing ever was."""
        said = self._replies.pop(reply, None)
        if not cancelled:
            self._last = (reply, None if said is None else said.heard, len(self._messages))

    def agent_was_heard(self, reply: int, heard: str) -> None:
        """Of `reply`, the last to end, `heard` was heard in all; it stands where it would, had that been known."""
        over, message, place = self._last
        if over != reply:
            return
        if message is not None:
            message["content"] = heard
        elif heard.strip():
            message = {"role": "assistant", "content": heard}
            self._messages.insert(place, message)
            self._last = (reply, message, place)
            self._owed = max(self._owed + (self._owed > place), place + 1)
            for said in self._replies.values():
                said.start += said.start >= place

    def add(self, message: Mapping[str, Any]) -> None:
        """Any other message, such as a tool's call or result.

        Raises:
            LocalProtocolError: if it is no mapping, or has no role.
        """
        if not isinstance(message, Mapping):
            raise LocalProtocolError(f"remember({type(message).__name__}): must be a chat message, that is a mapping")
        role = message.get("role")
        if not isinstance(role, str) or not role:
            raise LocalProtocolError(f"remember(...): must have a role, such as 'tool', and has {type(role).__name__}")
        self._messages.append(dict(message))


def _copies(messages: Iterable[Message]) -> list[Message]:
    return [dict(message) for message in messages]
