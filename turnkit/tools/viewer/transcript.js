// What was said, in order ---------------------------------------------------------------------------------------------
const list = $("transcript");
const entries = [];
for (const turn of scene.turns) entries.push({ at: turn.words.length ? turn.words[0][0] : turn.start, from: turn.start, to: Math.max(turn.end, turn.sound ?? turn.end), turn, text: turn.text || "(no words)" });
for (const reply of scene.replies) {
  const phases = spoken(reply), heard = phases.find(([, , kind]) => kind === "audible");
  if (phases.length) entries.push({ at: (heard || phases[0])[0], from: phases[0][0], to: phases.at(-1)[1], reply, text: reply.heard + restOf(reply) });
  else if (reply.phases.length) entries.push({ at: reply.phases[0][0], from: reply.phases[0][0], to: reply.phases.at(-1)[1], reply, draft: true, text: reply.said });
}
for (const [from, to, why] of scene.lost) entries.push({ at: from, from, to, text: `No stream for ${ms(to - from)}: ${why}`, event: true });
entries.sort((a, b) => a.at - b.at);

function chip(parent, text, kind, title) { html("span", { class: "chip " + kind, ...(title ? { title } : {}) }, parent, text); }
function chips(entry, parent) {
  const { turn, reply } = entry;
  if (turn) {
    if (turn.typed) chip(parent, "typed", "soft");
    if (turn.cut_off !== null) chip(parent, "barge-in", "stop", "stopped the agent");
    if (turn.fate === "failed") chip(parent, "reply failed", "stop");
    else if (turn.fate === "dropped") chip(parent, `no answer: ${turn.reason.replaceAll("_", " ")}`, "soft");
    else if (turn.fate === "unheard") chip(parent, "reply cancelled before a sound", "soft");
    else if (turn.fate === "open") chip(parent, "open at the end", "soft");
    if (turn.stalled) chip(parent, "stalled", "stop");
    if (known(turn.wait)) chip(parent, `waited ${ms(turn.wait)}`, waitOf(turn) === longest && longest > 0 ? "note" : "soft", "from the last word to the first sound");
    else if (known(turn.gap)) chip(parent, `commit → sound ${ms(turn.gap)}`, "soft");
    if (turn.saved) chip(parent, `draft saved ${ms(turn.saved)}`, "draft");
  } else if (reply) {
    if (entry.draft) chip(parent, reply.failed ? "draft failed" : `draft withdrawn: ${reply.outcome.replace("cancelled: ", "").replaceAll("_", " ")}`, reply.failed ? "stop" : "soft");
    else if (reply.failed) chip(parent, reply.heard ? "failed half-way" : "failed", "stop");
    else if (reply.outcome.startsWith("interrupted")) chip(parent, "interrupted", "stop");
    else if (reply.outcome.startsWith("cancelled")) chip(parent, reply.outcome.replaceAll("_", " "), "soft");
    if (reply.turn === null) chip(parent, "began by itself", "soft");
  }
}
function say(entry) {
  const { reply } = entry;
  entry.words.replaceChildren();
  const put = (text, kind, note) => {
    if (!text) return;
    const part = html("span", { class: kind }, entry.words);
    if (note) html("span", { class: "sr" }, part, note);
    if (!wanted) { part.append(text); return; }
    const lower = text.toLowerCase();
    let done = 0;
    for (let i = lower.indexOf(wanted); i >= 0; i = lower.indexOf(wanted, done)) { part.append(text.slice(done, i)); html("mark", {}, part, text.slice(i, i + wanted.length)); done = i + wanted.length; }
    part.append(text.slice(done));
  };
  if (!reply) put(entry.text, "");
  else if (entry.draft) put(reply.said || "(nothing said yet)", reply.said ? "rest" : "soft");
  else {
    put(reply.heard, "");
    put(restOf(reply), "rest", " not heard: ");
    if (!reply.heard && !restOf(reply)) put("(nothing)", "soft");
  }
}
let wanted = "", hits = [];
for (const entry of entries) {
  const item = html("li", { class: entry.event ? "event" : entry.turn ? "by-user" : entry.draft ? "by-agent draft" : "by-agent" }, list);
  const button = html("button", { type: "button" }, item);
  html("time", {}, button, clock(entry.at, 1));
  html("span", { class: "who" }, button, entry.event ? "" : entry.turn ? "user" : "agent");
  const body = html("span", { class: "body" }, button);
  entry.words = html("span", { class: "spoken" }, body);
  say(entry);
  chips(entry, html("span", { class: "chips" }, body));
  entry.item = item;
  if (entry.turn) item.dataset.turn = entry.turn.turn;
  if (entry.turn?.fate === "failed" || entry.reply?.failed) item.classList.add("bad");
  button.addEventListener("click", () => pick(entry, { still: true }));
}
$("drafts").onchange = () => list.classList.toggle("drafts", $("drafts").checked);

let chosen = null;
function pick(entry, { still = false, quiet = false } = {}) {
  const room = Math.max((entry.to - entry.from) * 0.2, 0.6), from = Math.min(entry.at, entry.from) - room, to = entry.to + room;
  picked = entry.turn ?? null;
  if (chosen) { chosen.item.classList.remove("picked"); chosen.item.firstChild.removeAttribute("aria-current"); }
  chosen = entry;
  entry.item.classList.add("picked");
  entry.item.firstChild.setAttribute("aria-current", "true");
  if (!still) reveal(entry);
  following = performance.now();
  show(from, to);
  if (!quiet) describe(entry);
  seek(entry.at);
}
// The list scrolls, and the page stays: on a phone the lanes are above it.
function reveal(entry) {
  const top = entry.item.offsetTop - list.offsetTop, end = top + entry.item.offsetHeight;
  if (top < list.scrollTop || end > list.scrollTop + list.clientHeight) list.scrollTop = top - (list.clientHeight - entry.item.offsetHeight) / 2;
}
function describe(entry) {
  const { turn, reply } = entry;
  if (turn) fillAbout($("detail"), [`Turn ${turn.turn}`, turnRows(turn)]);
  else if (reply) fillAbout($("detail"), [`Reply ${reply.reply}`, replyRows(reply, entry.from, entry.to)]);
  else fillAbout($("detail"), ["No stream", [["from", clock(entry.from, 2)], ["for", ms(entry.to - entry.from)]]]);
}

// The transcript goes along with the lanes, unless the reader is in it ------------------------------------------------
let following = 0;
for (const kind of ["wheel", "touchmove", "pointerdown", "keydown"]) list.addEventListener(kind, () => { following = performance.now(); }, { passive: true });
function followView() {
  let first = null;
  for (const entry of entries) {
    const within = entry.to >= view.from && entry.at <= view.to;
    entry.item.classList.toggle("seen", within);
    if (within && !first && !(entry.draft && !$("drafts").checked)) first = entry;
  }
  if (first && performance.now() - following > 1200 && list.scrollHeight > list.clientHeight) list.scrollTop = first.item.offsetTop - list.offsetTop - 6;
}

// Search and jumps ----------------------------------------------------------------------------------------------------
const wrap = (i, length) => (i + length) % length;
function search() {
  const before = wanted;
  wanted = $("search").value.trim().toLowerCase();
  if (before !== wanted) {
    for (const entry of entries) { say(entry); entry.item.classList.toggle("hit", Boolean(wanted) && entry.text.toLowerCase().includes(wanted)); }
    hits = wanted ? entries.filter((entry) => entry.item.classList.contains("hit") && (!entry.draft || $("drafts").checked)) : [];
    search.at = -1;
  }
  $("found").textContent = !wanted ? "" : !hits.length ? "nowhere" : search.at < 0 ? `${hits.length} found` : `${search.at + 1} of ${hits.length}`;
  schedule();
}
search.at = -1;
function nextHit(direction) {
  if (!hits.length) return;
  search.at = search.at < 0 && direction < 0 ? hits.length - 1 : wrap(search.at + direction, hits.length);
  pick(hits[search.at]);
  search();
}
$("search").addEventListener("input", search);
$("search").addEventListener("keydown", (event) => {
  if (event.key === "Enter") { nextHit(event.shiftKey ? -1 : 1); event.preventDefault(); }
  if (event.key === "Escape") { $("search").value = ""; search(); $("search").blur(); }
});
const entryOfTurn = new Map(entries.filter((entry) => entry.turn).map((entry) => [entry.turn.turn, entry]));
const failures = entries.filter((entry) => entry.reply?.failed || entry.event || entry.turn?.stalled);
const JUMPS = [
  { key: "w", one: "longest wait", entries: scene.turns.filter((turn) => known(waitOf(turn))).sort((a, b) => waitOf(b) - waitOf(a)).map((turn) => entryOfTurn.get(turn.turn)),
    name: (i, all) => i < 0 ? `longest wait${all.length ? " " + ms(waitOf(all[0].turn)) : ""}` : `wait ${i + 1} of ${all.length}: ${ms(waitOf(all[i].turn))}` },
  { key: "f", one: "failure", entries: failures, name: (i, all) => i < 0 ? many(all.length, "failure") : `failure ${i + 1} of ${all.length}` },
  { key: "b", one: "barge-in", entries: entries.filter((entry) => entry.turn && (entry.turn.cut_off !== null || entry.turn.typed)), name: (i, all) => i < 0 ? many(all.length, "barge-in") : `barge-in ${i + 1} of ${all.length}` },
];
for (const jump of JUMPS) {
  jump.at = -1;
  jump.button = html("button", { id: "jump-" + jump.key, title: `Next ${jump.one} ( ${jump.key}, shift: back )` }, $("jumps"), jump.name(-1, jump.entries));
  jump.button.disabled = !jump.entries.length;
  jump.go = (direction) => {
    if (!jump.entries.length) return;
    jump.at = jump.at < 0 && direction < 0 ? jump.entries.length - 1 : wrap(jump.at + direction, jump.entries.length);
    pick(jump.entries[jump.at]);
    jump.button.textContent = jump.name(jump.at, jump.entries);
  };
  jump.button.addEventListener("click", () => jump.go(1));
}
function step(direction) {
  const shown = entries.filter((entry) => !entry.draft || $("drafts").checked);
  if (!shown.length) return;
  const index = shown.indexOf(chosen);
  pick(shown[Math.min(Math.max(index < 0 ? (direction > 0 ? 0 : shown.length - 1) : index + direction, 0), shown.length - 1)]);
}
