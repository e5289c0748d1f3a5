"""A judge of the log of a conversation that is over: what must hold for its replies, whatever was planned."""

from __future__ import annotations

import itertools
from collections import Counter
from math import inf
from typing import Any

from tests.support.session_world import Seen, World
from turnkit.turns.events import (
    BargeIn,
    Cancel,
    CancelReason,
    Commit,
    Hold,
    Note,
    NoteKind,
    Outcome,
    ReplyEnded,
    Resume,
    Speculate,
    TurnStarted,
    TurnUpdated,
)


class Judge:
    """Reads the log of a conversation that is over."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.log = world.log
        self.commits = self.places(Commit)
        self.cancels = self.places(Cancel)
        self.barge_ins = self.places(BargeIn)
        self.drafts = self.places(Speculate)
        self.ends = self.places(ReplyEnded)
        self.lost = {**self.cancels, **self.barge_ins}  # what takes a reply the right to be heard and to do anything

    def places(self, kind: type[Any]) -> dict[int, int]:
        """Where in the log each reply has its signal of this kind."""
        return {entry.reply: place for place, entry in enumerate(self.log) if isinstance(entry, kind)}

    def seen(self, *whats: str) -> list[tuple[int, Seen]]:
        return [
            (place, entry) for place, entry in enumerate(self.log) if isinstance(entry, Seen) and entry.what in whats
        ]

    def text(self, what: str, reply: int, before: float = inf) -> str:
        return "".join(seen.detail for place, seen in self.seen(what) if seen.reply == reply and place < before)

    def judge(self) -> None:
        self.nothing_is_heard_or_done_out_of_its_time()
        self.nothing_is_heard_while_held()
        self.every_reply_ends_once()
        self.every_outcome_fits()
        self.every_turn_has_one_reply()
        self.what_must_finish_does()
        self.who_waits_until_it_is_heard_waits_for_it()
        self.whose_sound_is_over_works_on()
        self.who_waits_for_the_floor_gets_it_in_order()
        self.after_the_caller_has_gone_nothing_begins()
        self.keys_are_of_what_is_owed()
        self.history_is_what_was_heard()
        self.who_failed_is_told_and_nobody_else()

    def who_failed_is_told_and_nobody_else(self) -> None:
        hung = {seen.reply for _, seen in self.seen("hung")}
        failures = [
            note.detail for note in self.log if isinstance(note, Note) and note.kind is NoteKind.CALLBACK_FAILED
        ]
        late = [int(detail.split()[-2].rstrip(":")) for detail in failures if detail.endswith("TimeoutError")]
        assert set(late) <= hung, "only who hangs is too late"
        foreign = self.seen("foreign")
        # In the very step in which it is cancelled nobody can tell a foreign cancellation from its own.
        assert 0 <= len(failures) - len(self.seen("failed")) - len(late) <= len(foreign)
        for place, seen in foreign:
            end = self.ends[seen.reply]
            fits = end < place or self.log[end].outcome in (Outcome.FAILED, Outcome.INTERRUPTED)
            assert seen.reply in self.lost or fits
        assert self.world.session.notes[NoteKind.CALLBACK_FAILED] == len(failures)

    def nothing_is_heard_or_done_out_of_its_time(self) -> None:
        for place, seen in self.seen("given", "sound", "effect", "must begin"):
            assert self.commits.get(seen.reply, inf) < place, f"{seen} before its commit"
            assert place < self.lost.get(seen.reply, inf), f"{seen} after {self.log[self.lost[seen.reply]]}"
        for place, seen in self.seen("begun", "given", "sound"):
            assert place < self.ends[seen.reply], f"{seen} after {self.log[self.ends[seen.reply]]}"

    def nothing_is_heard_while_held(self) -> None:
        held: set[int] = set()
        for entry in self.log:
            if isinstance(entry, Hold):
                held.add(entry.reply)
            elif isinstance(entry, Resume):
                held.discard(entry.reply)
            elif isinstance(entry, Seen) and entry.what == "sound":
                assert entry.reply not in held, f"{entry} while held"

    def every_reply_ends_once(self) -> None:
        ended = Counter(entry.reply for entry in self.log if isinstance(entry, ReplyEnded))
        assert ended == dict.fromkeys({*self.drafts, *self.commits}, 1)

    def every_outcome_fits(self) -> None:
        for reply, place in self.ends.items():
            self.the_outcome_fits(reply, place, self.log[place])

    def the_outcome_fits(self, reply: int, place: int, ended: ReplyEnded) -> None:
        sounds = self.text("sound", reply, place)
        failed = any(isinstance(entry, Note) and f"at reply {reply}:" in entry.detail for entry in self.log[:place])
        assert sounds.startswith(ended.heard), "what was not heard is not said to be"
        if reply in self.cancels:
            assert ended.outcome is (Outcome.FAILED if failed else Outcome.CANCELLED)
            assert not sounds
        elif reply in self.barge_ins:
            assert ended.outcome is Outcome.INTERRUPTED
        elif ended.outcome is Outcome.FINISHED:
            assert not failed
            assert ended.heard == sounds == self.text("given", reply)
            if not any(seen.reply == reply for _, seen in self.seen("gave up")):
                action, what = self.world.asked.get(reply, ("", ""))
                assert sounds == (what if action == "greet" else self.text("said", reply)), "what was said is heard"
        elif ended.outcome is Outcome.INTERRUPTED:
            after = self.log[place:]
            assert not any(isinstance(entry, (TurnStarted, Speculate, Commit)) for entry in after), "cut off at the end"
        else:
            assert ended.outcome is Outcome.FAILED
            assert failed

    def every_turn_has_one_reply(self) -> None:
        turns = [entry.turn for entry in self.log if isinstance(entry, Commit) and entry.turn is not None]
        assert len(turns) == len(set(turns))
        begun = Counter(seen.reply for _, seen in self.seen("begun"))
        assert all(count == 1 for count in begun.values())
        assert set(begun) <= {*self.drafts, *self.commits}
        for reply in self.commits:
            action, what = self.world.asked.get(reply, ("", ""))
            if action == "greet":
                assert reply not in begun, "a text is said, and nobody asked for another"
            elif reply in begun:
                assert self.text("begun", reply) == what
            else:
                ended = self.log[self.ends[reply]]
                assert reply in self.lost or ended.outcome is Outcome.INTERRUPTED, "only who is over does not begin"

    def what_must_finish_does(self) -> None:
        """Also if the user takes the floor meanwhile, and also if the whole call is cut off."""
        begun, ended = ([seen.reply for _, seen in self.seen(what)] for what in ("must begin", "must end"))
        assert sorted(begun) == sorted(ended)

    def who_waits_until_it_is_heard_waits_for_it(self) -> None:
        """Only a voice that gives up has not said what it was given."""
        gave_up = {seen.reply for _, seen in self.seen("gave up")}
        for place, seen in self.seen("all heard"):
            assert place < self.lost.get(seen.reply, inf)
            if seen.reply not in gave_up:
                assert self.text("sound", seen.reply, place) == self.text("said", seen.reply, place)

    def who_waits_for_the_floor_gets_it_in_order(self) -> None:
        """Each once, in the order they came in, and again only if a turn cancelled it before its first sound."""
        last, before = 0, -1
        for _, seen in self.seen("begun"):
            if seen.detail.startswith("queued"):
                number = int(seen.detail.split()[1])
                assert number >= last, "nobody is overtaken"
                if number == last:
                    assert self.log[self.cancels[before]].reason is CancelReason.NEW_TURN
                last, before = number, seen.reply

    def after_the_caller_has_gone_nothing_begins(self) -> None:
        """And the run returns, in the time that those take who must finish or clean up."""
        for gone, _ in self.seen("hung up"):
            after = self.seen("begun", "given", "sound", "effect", "must begin", "all heard")
            assert all(place < gone for place, _ in after)
            assert self.world.ended_at <= self.world.hung_up_at + 2

    def whose_sound_is_over_works_on(self) -> None:
        """Whatever the user does after that; only the end of the call cuts it off."""
        if self.world.plan.drain and self.world.plan.cut == inf == self.world.hung_up_at:
            begun, ended = ({seen.reply for _, seen in self.seen(what)} for what in ("works on", "has worked"))
            finished = {reply for reply, place in self.ends.items() if self.log[place].outcome is Outcome.FINISHED}
            assert begun & finished <= ended

    def keys_are_of_what_is_owed(self) -> None:
        """The same key for the same owed words, so that they take effect once; other keys for others, or never."""
        committed = [self.world.replies[reply] for reply in self.commits if reply in self.world.replies]
        replies = [reply for reply in committed if reply.turn is not None]
        repeated = self.repeated()
        for one, other in itertools.combinations(replies, 2):
            if one.transcript not in repeated:
                owed = one.transcript in other.unanswered
                assert (one.key == other.key) == owed, f"{one.key} for {one!r}, {other.key} for {other!r}"

    def history_is_what_was_heard(self) -> None:
        history = self.world.session.history
        agent = [message["content"] for message in history if message["role"] == "assistant"]
        heard = [self.log[place].heard for place in sorted(self.ends.values())]
        assert agent == [text for text in heard if text]
        user = [message["content"] for message in history if message["role"] == "user"]
        commits = [self.log[place] for place in sorted(self.commits.values())]
        said: list[str] = []
        for commit in commits:
            said += [text for text in (*commit.unanswered, commit.transcript) if text and text not in said]
        # Words that were said in several turns stand several times, once a turn; which is which, nobody can tell.
        repeated = self.repeated()
        assert [text for text in user if text not in repeated] == [text for text in said if text not in repeated]
        assert set(user) == set(said)

    def repeated(self) -> set[str]:
        """The words that more than one turn had."""
        turns: dict[str, set[int]] = {}
        for entry in self.log:
            if isinstance(entry, (TurnStarted, TurnUpdated, Commit)) and entry.turn is not None:
                turns.setdefault(entry.transcript, set()).add(entry.turn)
        return {text for text, having in turns.items() if len(having) > 1}
