"""A scripted policy: answers whatever it is told to, so that whatever any policy could answer is tried."""

from __future__ import annotations

from typing import TypeAlias

from ...turns.policy import Overlap, Pause, Verdict

Answer: TypeAlias = Verdict | bool | type[RuntimeError]
"""What a policy does when it is asked: it answers, or raises (the exception's class stands for that)."""

BARGE_IN: tuple[Answer, ...] = (*Verdict, RuntimeError)
SPECULATION: tuple[Answer, ...] = (True, False, RuntimeError)


class ScriptedPolicy:
    """A barge-in and a speculation policy in one, which gives its answers in their order to whichever is asked.

    Once they are used up it gives the first of all answers possible and notes it; `turn_over` then goes on to the
    next ones, until all have been tried. To the machine a policy is a black box, so what is true for every script is
    true for every policy.

    Args:
        answers: what it answers, in this order.

    Attributes:
        answers: what it has answered or will, so far as that is settled.
    """

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self._others: list[tuple[Answer, ...]] = [()] * len(answers)  # what has not been tried yet, an entry an answer
        self._position = 0

    def barge_in(self, overlap: Overlap) -> tuple[Verdict, str]:
        """The next answer, as a barge-in policy."""
        answer = self._next(BARGE_IN)
        return answer, "scripted"  # type: ignore[return-value]  # a bool, if the script says so, is for the machine to refuse

    def speculation(self, pause: Pause) -> tuple[bool, str]:
        """The next answer, as a speculation policy."""
        answer = self._next(SPECULATION)
        return answer, "scripted"  # type: ignore[return-value]

    def _next(self, possible: tuple[Answer, ...]) -> Answer:
        if self._position == len(self.answers):
            self.answers.append(possible[0])
            self._others.append(possible[1:])
        answer = self.answers[self._position]
        self._position += 1
        if answer is RuntimeError:
            raise RuntimeError("scripted")
        return answer

    @property
    def position(self) -> int:
        """How many answers have been given."""
        return self._position

    def rewind(self, position: int = 0) -> None:
        """Give the answers from `position` on once more."""
        self._position = position

    def forget(self) -> None:
        """Begin anew without answers."""
        self.answers.clear()
        self._others.clear()
        self._position = 0

    def turn_over(self) -> bool:
        """Make the last answer that has an alternative another one, and drop those after it; False if none has."""
        self._position = 0
        while self.answers:
            others = self._others[-1]
            if others:
                self.answers[-1] = others[0]
                self._others[-1] = others[1:]
                return True
            self.answers.pop()
            self._others.pop()
        return False
