"""Test your bot as turnkit is tested: whole calls on virtual time, scripted, and any call that Hypothesis can think of.

    from turnkit import Session
    from turnkit.testing import ScriptedLLM, ScriptedVoice, rehearse

    def test_the_caller_may_interrupt():
        llm = ScriptedLLM({"when": "We are open from nine to five, all week.", "sundays": "On Sundays we rest."})
        call = rehearse(Session(respond=llm.respond, speak=ScriptedVoice()), '''
            1.0           When are you [eager] open?
            @"nine"+0.1   Sorry, and on Sundays?
        ''')
        call.assert_interrupted_within(0.2)
        call.assert_heard("On Sundays we rest.")
        call.assert_never_heard("all week")

`rehearse` (or, in async tests, `converse`) holds a call and gives its `Conversation`, whose assertions show all that
was said when one fails. The script of a `Caller` is told in `turnkit.testing.caller_script`. `ScriptedLLM`,
`ScriptedVoice` and `ScriptedTool` go at a `Pace`, and fail when told to. `run` runs any async function on
`virtual_time`. A `FakePhone` calls a bot behind a telephone service. With Hypothesis: `BotRules` for a bot,
`MachineRules` for a policy, and `strategies` for tests of your own.

`pip install 'turnkit[testing]'` brings hypothesis and trio, for the parts that need them; the rest needs only turnkit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import on_first_use
from .caller import Caller
from .conversation import Conversation
from .conversation_record import Effect
from .failure import RehearsalFailed
from .fake_phone import FakePhone
from .pace import Pace
from .rehearsal import converse, rehearse
from .requirements import NotInstalled
from .scripted import ScriptedLLM, ScriptedTool, ScriptedVoice
from .virtual_clock import VirtualTimeLoop, run, virtual_time

if TYPE_CHECKING:
    from . import strategies
    from .bot_rules import BotRules
    from .machine_rules import MachineRules

__all__ = [
    "BotRules",
    "Caller",
    "Conversation",
    "Effect",
    "FakePhone",
    "MachineRules",
    "NotInstalled",
    "Pace",
    "RehearsalFailed",
    "ScriptedLLM",
    "ScriptedTool",
    "ScriptedVoice",
    "VirtualTimeLoop",
    "converse",
    "rehearse",
    "run",
    "strategies",
    "virtual_time",
]

__getattr__, __dir__ = on_first_use(
    __name__, {"BotRules": "bot_rules", "MachineRules": "machine_rules", "strategies": "strategies"}
)
