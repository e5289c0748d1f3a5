/* The page of turnkit play: one call at a time, typed over a websocket of JSON, or spoken through turnkit.js. */

import { Scope } from "./scope.js";

const QUIET_KEYS = 300; // ms without a key after which nobody is in the middle of a word
const MOST_SIGNALS = 200;
const TRIES = {
  "A pause for thought": ["I'd like a table", 1500, " for two, please."],
  "Ask for a story": ["Tell me a story."],
  "Mm-hm": ["Mm-hm."],
  "Interrupt": ["Sorry, wait a moment."],
};

const at = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const scope = new Scope(at("scope"));
let settings = null; // of the server
let line = null; // what the call is held over: { send, close }
let call = fresh();

function fresh() {
  return { state: "starting", zero: 0, recording: "", turns: {}, replies: {}, floor: {}, draft: null, field: 0, lastKey: 0, asked: 0, answers: {},
    signals: 0, turnOpen: false };
}

const now = () => performance.now() / 1000 - call.zero;

// The call ----------------------------------------------------------------------------------------------------------

function begin(mode) {
  line?.close();
  call = window.call = fresh();
  call.mode = mode;
  scope.reset();
  scope.thresholds = { eot: knob("eot"), eager: eager(), asked: {} };
  at("lines").replaceChildren();
  at("signals").replaceChildren();
  at("count").textContent = "";
  at("viewer").hidden = true;
  at("form").hidden = mode !== "typing";
  at("spoken").hidden = mode === "typing";
  at("listener").textContent = mode !== "typing" && settings.ear ? "the ear" : "Flux";
  at("aloud-label").hidden = !voices() || (mode !== "typing" && settings.aloud);
  deaf("You can speak once the microphone is allowed and the call has begun.");
  at("mode").textContent = mode === "typing" ? "Use the microphone" : "Type instead";
  const query = new URLSearchParams({ eot_threshold: knob("eot"), eager_eot_threshold: eager() ?? 0, eot_timeout_ms: knob("timeout"), policy: at("policy").value });
  configured("none", "Configure: the settings the call began with are in force.");
  show("starting", mode === "typing" ? "Connecting …" : "Allow the microphone, please.");
  const url = new URL(`./${mode}?${query}`, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  line = mode === "typing" ? typed(url.href) : spoken(url.href);
}

function typed(url) {
  const socket = new WebSocket(url);
  const mine = call;
  let why = "";
  socket.onmessage = ({ data }) => {
    if (call !== mine) return;
    const told = JSON.parse(data);
    if (told.type === "ended") why = told.why;
    else take(told);
  };
  socket.onclose = ({ code }) => call === mine && ended(ENDS[why] ?? CODES[code] ?? "The connection is lost.");
  return {
    send: (data) => socket.readyState === 1 && socket.send(JSON.stringify(data)),
    close: () => socket.close(),
  };
}

const ENDS = { hung_up: "The call is over.", idle: "The call is over: nobody typed for ten minutes.", unreadable: "The call is over: the server could not read this page." };
const CODES = { 1013: "All lines are busy: close another page.", 1001: "turnkit play was ended.", 1012: "turnkit play was ended." };

function spoken(url) {
  const mine = call;
  let phone = null, over = false;
  import("./turnkit.js").then(({ TurnkitCall }) => {
    if (over || call !== mine) return;
    phone = new TurnkitCall(url);
    phone.on("message", (told) => call === mine && take(told));
    phone.on("notice", ({ code, text }) => {
      if (call !== mine) return;
      show(call.state, text);
      if (/^microphone_(lost|silenced)$/.test(code)) deaf(text);
      if (/^microphone_(found|back)$/.test(code)) hears();
    });
    phone.on("ended", ({ code, text }) => call === mine && ended(code === "server_failed" ? "Flux refused, or is not there: turnkit play says more in its terminal." : text));
    mine.level = () => phone.level("microphone");
    mine.voice = () => phone.level("voice");
    phone.start();
  });
  return {
    send: (data) => phone?.send(data),
    close: () => { over = true; phone?.hangUp(); },
  };
}

function ended(text) {
  line = null;
  call.draft = null;
  for (const lane of ["turns", "drafts", "voice"]) scope.end(lane, now());
  floor({ user: "listening", reply: null, state: null });
  call.stopped = now();
  show("ended", text);
  deaf(text);
  hush();
}

function show(state, text) {
  call.state = document.body.dataset.state = state;
  at("state").textContent = text;
  at("call").textContent = state === "ended" ? "Call again" : "Hang up";
}

// What the server tells ---------------------------------------------------------------------------------------------

function take(told) {
  if (told.at !== undefined) {
    const zero = performance.now() / 1000 - told.at;
    call.zero = call.zero ? Math.min(call.zero, zero) : zero;
  }
  TAKES[told.type]?.(told);
}

const TAKES = {
  began({ recording }) {
    call.recording = recording;
    at("viewer").href = `./calls/${recording}`;
    show("live", call.mode === "typing" ? "Live, with a simulated Flux" : settings.ear ? "Live, heard on this machine" : "Live, with Flux");
    hears();
    if (at("text").value) tell();
  },

  flux({ at: second, event, turn, text, confidence, trigger }) {
    if (event === "StartOfTurn") call.turnOpen = true;
    scope.heard(second, confidence, call.turnOpen);
    at("sure").textContent = call.turnOpen ? confidence.toFixed(2) : "nobody’s turn";
    if (event === "TurnResumed" && call.draft !== null) scope.mark(second, "resumed", confidence);
    if (call.turnOpen && event !== "StartOfTurn") mine(call.turn, text); // whose number comes with TurnStarted
    if (event !== "EndOfTurn") return;
    call.turnOpen = false;
    scope.mark(second, "end", confidence);
    const how = trigger === "model" ? `ended at ${confidence.toFixed(2)}` : trigger === "timeout" ? "ended by timeout" : `ended: ${trigger}`;
    mine(call.turn, text, `turn ${call.turn} · ${how}`);
    at("scope").setAttribute("aria-label", `The last turn ${how}; the threshold is ${scope.thresholds.eot}`);
    empty();
  },

  floor,

  signal(told) {
    SIGNALS[told.signal]?.(told);
    if (!(told.signal === "ReplyEnded" && told.outcome === "cancelled")) log(told); // its Cancel has said so
  },

  draft({ reply, text }) {
    const row = call.replies[reply];
    if (row?.draft) row.rest.textContent = text;
    if (row) row.text = text;
  },

  said({ reply, heard, rest }) {
    const row = theirs(reply);
    row.heard.textContent = heard + (heard && rest ? " " : "");
    row.rest.textContent = rest;
    row.text = `${heard} ${rest}`.trim();
    aloud(reply, row.text);
    follow();
  },

  /** How long the answer took from the end of the last word: the parts, each as long as it took. */
  latency({ reply, total, drafted, ...parts }) {
    const row = theirs(reply);
    row.took?.remove();
    row.took = document.createElement("div");
    row.took.className = "took";
    const bar = document.createElement("div");
    const told = [];
    for (const [part, name] of Object.entries(PARTS)) {
      const ms = Math.round(1000 * parts[part]);
      const piece = document.createElement("i");
      piece.className = part;
      piece.style.flexGrow = Math.max(0, 1000 * parts[part]); // of a sum below 1 a part would be left empty
      bar.append(piece);
      const text = document.createElement("span");
      text.className = part;
      text.textContent = `${name} ${ms}${part === "llm" && drafted && !ms ? " (a draft was ready)" : ""}`;
      told.push(text);
    }
    const sum = Object.assign(document.createElement("b"), { textContent: `${Math.round(1000 * total)} ms` });
    row.took.append(bar, sum, " after your last word: ", ...told);
    row.item.append(row.took);
    follow();
  },

  problem({ reply, text }) {
    const row = theirs(reply);
    row.failed = text;
    row.note.textContent = text;
    follow();
  },

  configured({ id, ok, thresholds, why }) {
    const asked = call.answers[id];
    delete call.answers[id];
    if (id === call.asked) scope.thresholds.asked = {};
    if (ok) {
      scope.thresholds.eot = thresholds.eot_threshold ?? scope.thresholds.eot;
      scope.thresholds.eager = thresholds.eager_eot_threshold ?? null;
      configured("success", `ConfigureSuccess: ${asked} in force.`);
    } else {
      configured("failure", `Refused: ${why}`);
      at("eot").value = scope.thresholds.eot;
      if (scope.thresholds.eager) at("eager").value = scope.thresholds.eager;
      labels();
    }
  },

  policy({ name }) {
    chosen(name, "In force from the next word over the bot on.");
  },
};

function floor({ user, reply, state }) {
  call.floor = { user, reply, state };
  at("you").parentElement.dataset.is = user;
  at("you").textContent = { listening: "quiet", speaking: "speaking", ending: "done?" }[user];
  const bot = state ?? (call.draft === null ? "quiet" : "drafting");
  at("bot").parentElement.dataset.is = bot;
  at("bot").textContent = { quiet: "quiet", drafting: "drafting", pending: "about to speak", audible: "speaking", held: "paused" }[bot];
  const talking = user !== "listening";
  at("whose").textContent = talking && state ? "Both: who gives way?" : talking ? "You have the floor" : state ? "The bot has the floor" : "The floor is free";
  if (state === null) scope.end("voice", now());
  else if (scope.voice.at(-1)?.kind !== state || scope.voice.at(-1)?.end !== null) scope.begin("voice", now(), { reply, kind: state });
  const row = call.replies[reply];
  if (row) row.item.classList.toggle("held", state === "held");
  if (window.speechSynthesis?.speaking) state === "held" ? speechSynthesis.pause() : speechSynthesis.resume();
}

const PARTS = { detector: "to be sure", turnkit: "turnkit", llm: "thinking", voice: "voice", loudspeaker: "way to your ear" };

const SIGNALS = {
  Note({ kind, detail }) {
    if (kind === "flux_warning" && WARNINGS[detail]) hint(WARNINGS[detail]);
  },

  TurnStarted({ at: second, turn, transcript }) {
    call.turn = turn;
    scope.begin("turns", second, { kind: "turn" });
    hint(null);
    mine(turn, transcript);
  },

  TurnDropped({ at: second, turn, reason, transcript }) {
    scope.end("turns", second, { kind: "dropped" });
    mine(turn, transcript, `turn ${turn} · ${reason === "overlap_kept" ? "a backchannel: no answer" : `no answer: ${words(reason)}`}`, "dropped");
  },

  Speculate({ at: second, reply, confidence }) {
    call.draft = reply;
    scope.mark(second, "eager", confidence);
    scope.begin("drafts", second, { reply });
    const row = theirs(reply, true);
    row.rest.textContent = "…";
    row.note.textContent = `draft ${reply} · not heard yet`;
    floor(call.floor);
    follow();
  },

  Cancel({ at: second, reply, reason }) {
    if (call.draft === reply) call.draft = null;
    if (scope.drafts.at(-1)?.reply === reply) scope.end("drafts", second, { gone: true });
    const row = call.replies[reply];
    if (row) {
      row.item.className = `by-bot withdrawn ${row.text ? "" : "wordless"}`;
      row.note.textContent = `${row.draft ? "draft" : "reply"} ${reply} withdrawn: ${WHY[reason] ?? words(reason)}`;
    }
    floor(call.floor);
  },

  Commit({ at: second, turn, reply, transcript, speculative }) {
    if (call.draft === reply) call.draft = null;
    if (scope.drafts.at(-1)?.reply === reply) scope.end("drafts", second);
    if (turn !== null) {
      scope.end("turns", second);
      if (call.turns[turn] && transcript) news(`You: ${transcript}`);
      at("viewer").hidden = false;
    }
    const row = theirs(reply);
    row.kept = speculative;
    row.draft = false;
    row.item.className = "by-bot";
    row.note.textContent = "";
    if (row.rest.textContent === "" && row.text) row.rest.textContent = row.text;
    if (!row.text) row.rest.textContent = "…"; // it thinks
  },

  BargeIn({ at: second, reply }) {
    scope.mark(second, "barge-in");
    call.replies[reply]?.item.classList.add("interrupted");
    hush();
  },

  ReplyEnded({ reply, turn, outcome, heard }) {
    const row = call.replies[reply];
    if (!row || outcome === "cancelled") return;
    row.item.className = `by-bot ${outcome}`;
    row.heard.textContent = heard;
    const rest = row.text.startsWith(heard) ? row.text.slice(heard.length) : "";
    row.rest.textContent = outcome === "finished" ? "" : shortened(rest);
    if (outcome === "interrupted") {
      row.note.textContent = `interrupted: ${count(heard)} of ${count(row.text)} words heard`;
      row.heard.append(Object.assign(document.createElement("span"), { className: "cut", textContent: "— " }));
    } else if (outcome === "failed" || row.failed) row.note.textContent = row.failed ?? "failed";
    else row.note.textContent = turn === null ? "" : row.kept ? "its draft was kept" : "began at the end of the turn";
    if (heard) news(`Bot: ${heard}${outcome === "interrupted" ? " (interrupted)" : ""}`);
    follow();
  },
};

// What is said, in writing ------------------------------------------------------------------------------------------

function mine(turn, text, note = null, kind = null) {
  if (turn === undefined || (!text && !call.turns[turn])) return;
  let row = call.turns[turn];
  if (!row) {
    row = call.turns[turn] = { item: document.createElement("li"), text: document.createElement("p"), note: document.createElement("small") };
    row.item.append(row.text, row.note);
    at("lines").append(row.item);
  }
  row.text.textContent = text;
  row.kind = kind ?? row.kind ?? "";
  if (note === null) row.text.append(Object.assign(document.createElement("i"), { className: "caret" }));
  row.item.className = `by-you ${note === null ? "open" : row.kind}`;
  row.note.textContent = note ?? "";
  follow();
}

function theirs(reply, draft = false) {
  let row = call.replies[reply];
  if (!row) {
    const [item, text, heard, rest, note] = ["li", "p", "span", "span", "small"].map((name) => document.createElement(name));
    rest.className = "rest";
    text.append(heard, rest);
    item.append(text, note);
    item.className = draft ? "by-bot draft" : "by-bot";
    row = call.replies[reply] = { item, heard, rest, note, draft, text: "" };
    at("lines").append(item);
  }
  return row;
}

function follow() {
  at("lines").scrollTop = at("lines").scrollHeight;
}

function news(text) {
  at("news").append(Object.assign(document.createElement("p"), { textContent: text }));
  while (at("news").children.length > 20) at("news").firstChild.remove();
}

const shortened = (text) => (count(text) > 9 ? `${text.trimStart().split(/\s+/, 8).join(" ")} …` : text);
const words = (reason) => String(reason).replaceAll("_", " ");
const count = (text) => text.split(/\s+/).filter(Boolean).length;
const WARNINGS = {
  EAR_CANNOT_DECODE: "The ear cannot hear this sound: it is in no coding that it knows.",
  EAR_HEARS_NO_SPEECH: "There is sound, but no speech in it for long. Is it the right microphone, and near enough? Noise, music and a wrong device sound like this.",
};
const WHY = { resumed: "you went on", superseded: "you have said other words", transcript_changed: "the final words are others", new_turn: "you spoke again",
  empty_turn: "there were no words", floor_taken: "somebody has the floor", closed: "the call ended" };

/** A signal as a line: its colour, its name, what it means, and why. */
const TOLD = {
  TurnStarted: (s) => ["user", "Turn started", s.overlaps === null ? `turn ${s.turn}` : `turn ${s.turn}, over reply ${s.overlaps}`],
  TurnStalled: (s) => ["stop", "Turn stalled", `turn ${s.turn} makes no progress`],
  TurnDropped: (s) => ["gone", "Turn dropped", `turn ${s.turn} gets no answer: ${s.reason === "overlap_kept" ? "the bot kept the floor" : words(s.reason)}`],
  Speculate: (s) => ["draft", "Speculate", `draft ${s.reply} begins, at ${s.confidence.toFixed(2)}`],
  Cancel: (s) => ["stop", "Cancel", `reply ${s.reply} will never be heard: ${WHY[s.reason] ?? words(s.reason)}`],
  Commit: (s) => ["agent", "Commit", s.turn === null ? `reply ${s.reply}, the bot’s own words` : s.speculative ? `draft ${s.reply} may be heard` : `reply ${s.reply} begins now`],
  BargeIn: (s) => ["stop", "Barge-in", `reply ${s.reply} stops`],
  Hold: (s) => ["hold", "Hold", `reply ${s.reply} pauses`],
  Resume: (s) => ["hold", "Resume", `reply ${s.reply} goes on: ${words(s.reason)}`],
  UserIdle: () => ["user", "User idle", "nobody speaks"],
  Note: (s) => ["gone", "Note", `${words(s.kind)}${s.detail ? `: ${s.detail}` : ""}`],
  ReplyEnded: (s) => ["agent", "Reply ended", `reply ${s.reply}, ${s.outcome}`],
};

function log(told) {
  const [colour, name, text] = (TOLD[told.signal] ?? (() => ["gone", told.signal, ""]))(told);
  const row = document.createElement("li");
  row.className = `is-${colour}`;
  row.dataset.signal = told.signal;
  const time = Object.assign(document.createElement("time"), { textContent: told.at.toFixed(1) });
  const what = document.createElement("span");
  what.append(Object.assign(document.createElement("b"), { textContent: name }), ` ${text}`);
  if (told.why) what.append(Object.assign(document.createElement("em"), { textContent: told.why }));
  row.append(time, document.createElement("i"), what);
  at("signals").prepend(row);
  while (at("signals").children.length > MOST_SIGNALS) at("signals").lastChild.remove();
  at("count").textContent = ++call.signals;
}

/** What the microphone needs, under the conversation; null where all is well. */
const SPEAK = () =>
  settings.aloud
    ? "Speak. The bot answers aloud; speak over it to interrupt. With loudspeakers it may hear itself: headphones are better."
    : "Speak. The bot answers in writing, at the pace of speech; speak over it to interrupt.";

function hint(text) {
  at("spoken").classList.toggle("hinting", text !== null);
  at("spoken").querySelector("p").textContent = text ?? SPEAK() + (settings.ear ? " The sound stays on the machine that runs turnkit play." : "");
}

/** Nobody listens to the microphone, and why. */
function deaf(why) {
  at("spoken").classList.add("over");
  hint(why);
}

function hears() {
  at("spoken").classList.remove("over");
  hint(null);
}

const SILENT_SECONDS = 8; // of a call in which the microphone has given nothing at all

/** Says so if there is no sound in the microphone: it may be muted, or be another one. */
function watchTheMicrophone(level) {
  if (level > 0.0005) call.sounded = true;
  if (call.state === "live" && !call.sounded && now() > SILENT_SECONDS) {
    call.sounded = true;
    hint("Your microphone gives no sound at all. Is it muted, or is another one chosen in the browser's settings?");
  }
}

// Keys --------------------------------------------------------------------------------------------------------------

function tell() {
  call.lastKey = performance.now();
  if (call.state === "ended") begin("typing");
  if (call.state !== "live") return; // what stands there is told once the call has begun
  scope.key(now());
  line?.send({ type: "typed", text: at("text").value, field: call.field });
}

/** The turn is over, and its words are gone from the field: but for one that is being typed just now. */
function empty() {
  const text = at("text").value, typing = performance.now() - call.lastKey < QUIET_KEYS && /[^\s.?!]$/.test(text);
  at("text").value = typing ? text.split(/\s+/).at(-1) : "";
  call.field++;
  if (typing) line?.send({ type: "typed", text: at("text").value, field: call.field, kept: true });
}

at("text").addEventListener("input", tell);
at("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = at("text").value.trimEnd();
  if (!text) return;
  at("text").value = /[.?!]$/.test(text) ? text : `${text}.`;
  tell();
});

let trying = 0;

/** Types for the user, as somebody who types well. */
async function attempt(button, parts) {
  const mine = ++trying;
  for (const other of at("tries").children) other.classList.toggle("typing", other === button);
  const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
  if (call.state === "ended") begin("typing");
  if (at("text").value && !at("text").value.endsWith(" ")) at("text").value += " ";
  for (const part of parts) {
    if (typeof part === "number") await sleep(part);
    else
      for (const letter of part) {
        if (mine !== trying) return;
        at("text").value += letter;
        tell();
        await sleep(55);
      }
  }
  button.classList.remove("typing");
}

for (const [name, parts] of Object.entries(TRIES)) {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: name });
  button.onclick = () => attempt(button, parts);
  at("tries").append(button);
}

// Thresholds and policy ---------------------------------------------------------------------------------------------

const knob = (id) => Number(at(id).value);
const eager = () => (knob("eager") < 0.3 ? null : knob("eager"));

function labels() {
  const texts = { eot: knob("eot").toFixed(2), eager: eager() === null ? "off" : eager().toFixed(2), timeout: `${(knob("timeout") / 1000).toFixed(1)} s` };
  for (const [id, text] of Object.entries(texts)) {
    document.querySelector(`output[for="${id}"]`).textContent = text;
    at(id).setAttribute("aria-valuetext", text);
  }
}

function configured(answer, text) {
  at("configured").dataset.answer = answer;
  at("configured").textContent = text;
}

for (const id of ["eot", "eager", "timeout"]) {
  at(id).addEventListener("input", () => {
    // A draft cannot begin above where the turn ends: the other one gives way.
    if (id === "eot" && eager() > knob("eot")) at("eager").value = at("eot").value;
    if (id === "eager" && eager() > knob("eot")) at("eot").value = at("eager").value;
    labels();
    scope.thresholds.asked = { eot: knob("eot"), eager: eager() };
  });
  at(id).addEventListener("change", () => {
    if (call.state !== "live") return configured("none", "From the next call on.");
    if (eager() === null && scope.thresholds.eager && id === "eager") {
      scope.thresholds.asked = {};
      return configured("none", "Flux cannot switch drafts off in mid-call: they are off from the next call on.");
    }
    const change = { type: "configure", id: ++call.asked };
    if (id === "timeout") change.eot_timeout_ms = knob("timeout");
    else Object.assign(change, { eot_threshold: knob("eot"), eager_eot_threshold: eager() });
    const name = id === "timeout" ? `${knob("timeout")} ms are` : `${knob("eot").toFixed(2)} and ${eager() === null ? "no drafts" : eager().toFixed(2)} are`;
    call.answers[change.id] = name;
    configured("pending", "Configure sent, Flux has not answered yet …");
    line?.send(change);
  });
}

at("policy").addEventListener("change", () => {
  if (call.state === "live") line?.send({ type: "policy", name: at("policy").value });
  else chosen(at("policy").value, "From the next call on.");
});

/** What the policy does, and since when. */
function chosen(name, since = "") {
  const what = settings.policies.find((policy) => policy.name === name).what;
  at("chosen").textContent = `${what[0].toUpperCase()}${what.slice(1)}. ${since}`;
}

// The rest of the page ----------------------------------------------------------------------------------------------

at("call").onclick = () => {
  if (call.state === "ended") return begin(call.mode);
  call.mode === "typing" && call.state === "live" ? line?.send({ type: "hang_up" }) : line?.close();
};
at("mode").onclick = () => begin(call.mode === "typing" ? "microphone" : "typing");
at("theme").onclick = () => {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  theme(dark ? "light" : "dark");
};

function theme(name) {
  document.documentElement.dataset.theme = name;
  scope.colours();
}

const dark = matchMedia("(prefers-color-scheme: dark)");
theme(dark.matches ? "dark" : "light");
dark.addEventListener("change", () => theme(dark.matches ? "dark" : "light"));

let spokenReply = null;

/** The browser's own voice, if the user wants it: beside the page's pace, which is what counts. */
function aloud(reply, text) {
  if (!at("aloud").checked || at("aloud-label").hidden || spokenReply === reply) return;
  hush();
  spokenReply = reply;
  const voice = new SpeechSynthesisUtterance(text);
  voice.lang = "en";
  speechSynthesis.speak(voice);
}

function voices() {
  return window.speechSynthesis?.getVoices().length ?? 0;
}

function hush() {
  window.speechSynthesis?.cancel();
}

at("aloud").onchange = hush;
if (window.speechSynthesis) speechSynthesis.onvoiceschanged = () => (at("aloud-label").hidden = !voices() || (call.mode !== "typing" && settings?.aloud));

let drawn = 0;

function draw(time) {
  requestAnimationFrame(draw);
  if (calm.matches && time - drawn < 250) return;
  drawn = time;
  if (call.level) {
    const level = call.level();
    at("spoken").style.setProperty("--level", Math.min(1, 4 * level).toFixed(2));
    watchTheMicrophone(level);
  }
  scope.draw(call.state === "live" ? now() : (call.stopped ?? 0));
}

settings = await (await fetch("./settings")).json();
for (const { name } of settings.policies) at("policy").append(Object.assign(document.createElement("option"), { value: name, textContent: name.replaceAll("-", " ") }));
at("policy").value = settings.policy;
chosen(settings.policy);
at("eot").value = settings.eot_threshold;
at("eager").value = settings.eager_eot_threshold;
at("timeout").value = settings.eot_timeout_ms;
at("mode").hidden = !settings.microphone;
labels();
if (matchMedia("(pointer: fine)").matches) at("text").focus();
begin("typing");
requestAnimationFrame(draw);
