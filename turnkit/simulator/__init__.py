"""A local `/v2/listen` that a Flux client cannot tell from Deepgram's.

    script = Script.parse('''
        1.0   I'd like a table (0.7) for two, please.
        +2.5  Under the name of Smith.
    ''')
    async with serve(script) as flux:
        ...  # any Flux client, pointed at flux.url

    async with serve(script, faults=["drop@turn2.mid/1", Fault("close", 1011, at="20s")], continues=True) as flux:
        ...  # and anything that can go wrong, at any moment (`FAULTS`, `MOMENTS`); `flux.faults_injected` is the record

    async with serve(EOT_BENCH_LIKE.script(seed=7)) as flux:
        ...  # callers by habit (`POPULATIONS`), drawn by a seed

    async with serve(VoiceEar()) as flux:
        ...  # what is really said into it; `sphinx_ear()` understands some English

It plays a `Recording` of server frames in step with the audio it receives, or detects turns by the thresholds asked
for: in a `Script` of words with times, in what a `LiveCaller` is told to say on the way, or in what an `Ear` hears.
Queries, credentials and commands are checked as Flux checks them. Beside `/v2/listen` there are `GET /v1/projects` and
`POST /v1/auth/grant`, whose tokens are accepted until they expire. It shares no turn logic with the rest of turnkit,
and so cannot share its mistakes.

Audio is raw, WAV, Ogg-Opus, WebM with Opus as a browser records it, or Opus packets, one a message. What begins as none
of these ends the connection with 1008; what is damaged or cut off in a container is silence. The answers in a recording
wait for their commands: a client that repeats the recorded session gets it verbatim, one that never asks gets none of
them. No source says that Flux takes `profanity_filter` in a Configure: `configurable=["profanity_filter"]` takes it.

What it does not do: listen to the audio unless it has an `Ear` (of other plays only its length counts, from what
containers say of it); apply keyterms, numerals, profanity filter or redaction to the words; close a connection for
being idle; report too many pending Configure messages (it answers each at once).
"""

from .audio_clock import marked_silence
from .detector import FRAME, Detector
from .ear import Ear, EarStream, Heard, Recogniser, VoiceEar, sphinx_ear
from .exchange import Connection, InjectedFault
from .fault_moments import MOMENTS, Moment
from .faults import FAULTS, Fault, FaultKind, RandomFaults, parse_fault
from .live_caller import LiveCaller
from .parameters import UNSETTLED, Settings
from .population import DECIDED, EOT_BENCH_LIKE, HESITANT, POPULATIONS, Population
from .recorded_session import RecordedFrame, Recording
from .script import Pace, Script, SpokenWord, Utterance, say
from .server import PATH, Refusal, Simulator, serve

__all__ = [
    "DECIDED",
    "EOT_BENCH_LIKE",
    "FAULTS",
    "FRAME",
    "HESITANT",
    "MOMENTS",
    "PATH",
    "POPULATIONS",
    "UNSETTLED",
    "Connection",
    "Detector",
    "Ear",
    "EarStream",
    "Fault",
    "FaultKind",
    "Heard",
    "InjectedFault",
    "LiveCaller",
    "Moment",
    "Pace",
    "Population",
    "RandomFaults",
    "Recogniser",
    "RecordedFrame",
    "Recording",
    "Refusal",
    "Script",
    "Settings",
    "Simulator",
    "SpokenWord",
    "Utterance",
    "VoiceEar",
    "marked_silence",
    "parse_fault",
    "say",
    "serve",
    "sphinx_ear",
]
