"use strict";
const scene = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const lanesSvg = $("lanes"), overviewSvg = $("overview"), tip = $("tip");
const css = (name) => `var(--${name})`;

// Times ---------------------------------------------------------------------------------------------------------------
const LENGTH = Math.max(scene.seconds, 0.05);
const SHORTEST = Math.min(0.05, LENGTH);
let view = { from: 0, to: LENGTH };
let picked = -1, cursorAt = null;

function show(from, to) {
  const span = Math.min(Math.max(to - from, SHORTEST), LENGTH * 1.04);
  const slack = LENGTH * 0.02;
  from = Math.min(Math.max(from, -slack), LENGTH + slack - span);
  view = { from, to: from + span };
  schedule();
}
const zoom = (factor, around = (view.from + view.to) / 2) =>
  show(around - (around - view.from) * factor, around + (view.to - around) * factor);
const move = (share) => show(view.from + (view.to - view.from) * share, view.to + (view.to - view.from) * share);
const fit = () => show(-LENGTH * 0.01, LENGTH * 1.01);

const clock = (t, digits = 0) => {
  const sign = t < 0 ? "−" : "", s = Math.abs(t), minutes = Math.floor(s / 60), rest = (s - minutes * 60).toFixed(digits);
  return sign + minutes + ":" + (rest.split(".")[0].length < 2 ? "0" : "") + rest;
};
const ms = (seconds) => seconds === null || seconds === undefined ? "–" : `${Math.round(seconds * 1000)} ms`;

// Drawing -------------------------------------------------------------------------------------------------------------
let pending = false;
function schedule() {
  if (!pending) { pending = true; requestAnimationFrame(() => { pending = false; draw(); }); }
}
function el(name, attributes, parent, text) {
  const node = document.createElementNS(SVG, name);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  if (text !== undefined) node.textContent = text;
  if (parent) parent.appendChild(node);
  return node;
}
const measuring = document.createElement("canvas").getContext("2d");
measuring.font = "11.5px system-ui, -apple-system, 'Segoe UI', sans-serif";
function clipped(text, width) {
  if (width < 14) return "";
  if (measuring.measureText(text).width <= width) return text;
  let low = 0, high = text.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (measuring.measureText(text.slice(0, middle) + "…").width <= width) low = middle; else high = middle - 1;
  }
  return low ? text.slice(0, low) + "…" : "";
}

const LANES = [
  { id: "words", name: "user · words", height: 30, draw: drawWords },
  { id: "user", name: "user · turns", height: 30, draw: drawTurns },
  { id: "flux", name: "Flux", height: 30, draw: drawFlux },
  { id: "confidence", name: "confidence", height: 62, draw: drawConfidence },
  { id: "drafts", name: "agent · drafts", height: 28, draw: drawDrafts },
  { id: "playback", name: "agent · playback", height: 34, draw: drawPlayback },
  { id: "heard", name: "agent · heard", height: 26, draw: drawHeard },
  { id: "signals", name: "signals", height: 62, draw: drawSignals },
  { id: "gaps", name: "gaps, savings", height: 48, draw: drawGaps },
];
const AXIS = 24, GAP = 4;
let width = 800, gutter = 112;
const x = (t) => gutter + (t - view.from) / (view.to - view.from) * (width - gutter);
const at = (px) => view.from + (px - gutter) / (width - gutter) * (view.to - view.from);
const visible = (from, to) => to >= view.from && from <= view.to;

function draw() {
  width = lanesSvg.clientWidth || 800;
  gutter = width < 560 ? 0 : 112;
  const named = gutter ? 0 : 14;
  const total = AXIS + LANES.reduce((sum, lane) => sum + lane.height + GAP + named, 0);
  lanesSvg.setAttribute("height", total);
  lanesSvg.replaceChildren();
  const clip = el("clipPath", { id: "clip" }, el("defs", {}, lanesSvg));
  el("rect", { x: gutter, y: 0, width: Math.max(width - gutter, 1), height: total }, clip);
  let y = AXIS;
  const inside = el("g", { "clip-path": "url(#clip)" }, lanesSvg);
  for (const [i, lane] of LANES.entries()) {
    y += named;
    el("rect", { x: gutter, y, width: Math.max(width - gutter, 1), height: lane.height, fill: css(i % 2 ? "lane2" : "lane") }, inside);
    el("text", { x: gutter ? 0 : 2, y: gutter ? y + lane.height / 2 + 4 : y - 3, class: "lane-name" }, lanesSvg, lane.name);
    lane.y = y;
    y += lane.height + GAP;
  }
  drawAxis(inside, y);
  for (const [from, to, why] of scene.lost) if (visible(from, to)) {
    const shade = el("rect", { x: x(from), y: AXIS, width: Math.max(x(to) - x(from), 1.5), height: y - AXIS, class: "lost" }, inside);
    tell(shade, "no stream", [["from", clock(from, 2)], ["for", ms(to - from)], ["why", why]]);
  }
  for (const lane of LANES) {
    const group = el("g", { id: "lane-" + lane.id, class: "lane" }, inside);
    lane.draw(group, lane.y, lane.height);
  }
  if (cursorAt !== null) el("line", { x1: x(cursorAt), x2: x(cursorAt), y1: AXIS, y2: y, class: "cursor" }, inside);
  drawOverview();
}

function drawAxis(parent, bottom) {
  const steps = [.01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
  const wanted = (view.to - view.from) * 78 / Math.max(width - gutter, 1);
  const step = steps.find((s) => s >= wanted) || 7200;
  const digits = step < .1 ? 2 : step < 1 ? 1 : 0;
  const group = el("g", { class: "axis" }, parent);
  for (let i = Math.ceil(view.from / step); i * step <= view.to; i++) {
    const px = x(i * step);
    el("line", { x1: px, x2: px, y1: AXIS - 6, y2: bottom }, group);
    el("text", { x: px + 3, y: AXIS - 9 }, group, clock(i * step, digits));
  }
}

function box(parent, from, to, y, height, kind, text, radius = 4) {
  const left = x(from), wide = Math.max(x(to) - left, 1.5);
  const node = el("rect", { x: left, y, width: wide, height, rx: Math.min(radius, wide / 2), class: kind }, parent);
  if (text) {
    const start = Math.max(left, gutter), label = clipped(text, left + wide - start - 10);
    if (label) el("text", { x: start + 5, y: y + height / 2 + 4, "pointer-events": "none" }, parent, label);
  }
  return node;
}

function drawWords(parent, y, height) {
  const words = [];
  for (const turn of scene.turns) for (const word of turn.words) if (visible(word[0], word[1])) words.push([turn.turn, ...word]);
  for (const [turn, from, to, text, measured] of words) {
    const node = el("rect", { x: x(from), y: y + 5, width: Math.max(x(to) - x(from) - 1, 1), height: height - 10, rx: 3,
      class: measured ? "word" : "word guessed" }, parent);
    tell(node, text, [["turn", turn], ["from", clock(from, 2)], ["to", clock(to, 2)],
      ["time", measured ? "measured by Flux" : "when it was reported"]]);
  }
  for (const [i, [, from, to, text]] of words.entries()) {
    const room = Math.max(x(to), i + 1 < words.length ? x(words[i + 1][1]) : width) - x(from) - 2;
    if (measuring.measureText(text).width <= room) el("text", { x: x(from) + 2, y: y + height / 2 + 4, "pointer-events": "none" }, parent, text);
  }
}

function drawTurns(parent, y, height) {
  for (const [i, turn] of scene.turns.entries()) if (visible(turn.start, turn.end)) {
    const node = box(parent, turn.start, turn.end, y + 3, height - 6,
      `turn ${turn.fate}${turn.typed ? " typed" : ""}${turn.turn === picked ? " picked" : ""}`, turn.typed ? "" : turn.text);
    if (turn.typed) {
      // It is over as it begins: its words stand beside it, as far as there is room.
      const after = scene.turns[i + 1], from = x(turn.end) + 5, room = (after ? x(after.start) : width) - from - 4;
      const label = clipped(`\u2328 ${turn.text}`, room);
      if (label) el("text", { x: from, y: y + height / 2 + 4, "pointer-events": "none", class: "typed-words" }, parent, label);
    }
    tell(node, `turn ${turn.turn}`, turnRows(turn));
    node.addEventListener("dblclick", () => pick(turn));
  }
}
const turnRows = (turn) => [[turn.typed ? "typed" : "words", turn.text || "none"], ["from", clock(turn.start, 2)], ["to", clock(turn.end, 2)],
  [turn.fate, turn.fate === "answered" ? `by reply ${turn.reply}, trigger ${turn.trigger || "not told"}` : turn.reason || ""],
  ["lead", ms(turn.lead)], ["saved", ms(turn.saved)], ["commit → sound", ms(turn.gap)], ["last word → sound", ms(turn.wait)]];

const FLUX = {
  StartOfTurn: ["user", "M-4,-5 L5,0 L-4,5 Z"], EagerEndOfTurn: ["draft", "M0,-6 A6,6 0 0 1 0,6 Z M0,-6 A6,6 0 0 0 0,6"],
  TurnResumed: ["gone", "M5,-5 L-4,0 L5,5 Z"], EndOfTurn: ["commit", "M-5,-5 H5 V5 H-5 Z"],
};
function drawFlux(parent, y, height) {
  const middle = y + height / 2;
  for (const [t, kind, label, details] of scene.flux) if (visible(t, t)) {
    if (kind === "Update") {
      const tick = el("line", { x1: x(t), x2: x(t), y1: middle - 5, y2: middle + 5, class: "tick", "stroke-width": 2 }, parent);
      tell(tick, "Update", [["at", clock(t, 3)], ...Object.entries(details)]);
      continue;
    }
    const [colour, path] = FLUX[kind], solid = kind !== "TurnResumed";
    const group = el("g", { class: "mark", transform: `translate(${x(t)},${middle})` }, parent);
    el("rect", { x: -8, y: -12, width: 16, height: 24, fill: "transparent" }, group);
    el("path", { d: path, stroke: css(colour), fill: solid ? css(colour) : css("lane") }, group);
    tell(group, kind, [["at", clock(t, 3)], ...Object.entries(details)]);
  }
}

function drawConfidence(parent, y, height) {
  const up = (c) => y + height - 4 - c * (height - 8);
  for (const [name, kind] of [["eager_eot_threshold", "threshold"], ["eot_threshold", "threshold eot"]]) {
    const level = scene.thresholds[name];
    if (level === undefined) continue;
    const line = el("line", { x1: gutter, x2: width, y1: up(level), y2: up(level), class: kind }, parent);
    tell(line, name, [["value", level]]);
    el("text", { x: width - 4, y: up(level) + (name === "eot_threshold" ? -3 : 11), "text-anchor": "end", class: "soft" }, parent, `${name === "eot_threshold" ? "end" : "eager"} ${level}`);
  }
  const points = scene.confidence;
  let first = 0, last = points.length - 1;
  while (first < last && points[first + 1][0] < view.from) first++;
  while (last > first && points[last - 1][0] > view.to) last--;
  let path = "", from = null;
  for (let i = first; i <= last; i++) {
    // A second without an event is a second without a number.
    path += `${from !== null && points[i][0] - from < 1 ? "L" : "M"}${x(points[i][0]).toFixed(1)},${up(points[i][1]).toFixed(1)}`;
    from = points[i][0];
  }
  if (path) el("path", { d: path, class: "curve" }, parent);
  if (last - first < (width - gutter) / 7) for (let i = first; i <= last; i++) {
    const dot = el("circle", { cx: x(points[i][0]), cy: up(points[i][1]), r: 2.6, fill: css("user") }, parent);
    tell(dot, "confidence", [["at", clock(points[i][0], 3)], ["value", points[i][1]]]);
  }
}

function drawDrafts(parent, y, height) {
  for (const reply of scene.replies) for (const [from, to, kind] of reply.phases) {
    if ((kind !== "draft" && kind !== "withdrawn") || !visible(from, to)) continue;
    const node = box(parent, from, to, y + 4, height - 8, kind, kind === "draft" ? `draft ${reply.reply}` : "withdrawn");
    tell(node, `draft ${reply.reply}`, [["for turn", reply.turn], ["from", clock(from, 2)], ["for", ms(to - from)],
      ["outcome", kind === "draft" ? "kept" : reply.outcome]]);
  }
}
function drawPlayback(parent, y, height) {
  for (const reply of scene.replies) for (const [from, to, kind] of reply.phases) {
    if (kind === "draft" || kind === "withdrawn" || !visible(from, to)) continue;
    const text = kind === "audible" ? reply.heard || `reply ${reply.reply}` : kind === "held" ? "held" : "";
    const node = box(parent, from, to, y + 4, height - 8, kind, text);
    tell(node, `reply ${reply.reply}, ${kind}`, [["to turn", reply.turn ?? "none: the agent began"], ["from", clock(from, 2)],
      ["for", ms(to - from)], ["outcome", reply.outcome || "open"], ["heard", reply.heard || "nothing"]]);
  }
}
function drawHeard(parent, y, height) {
  for (const reply of scene.replies) for (const [from, to, text] of reply.pieces) {
    if (!visible(from, to)) continue;
    const node = el("rect", { x: x(from), y: y + 4, width: Math.max(x(to) - x(from) - 1, 1), height: height - 8, rx: 3, class: "audible", stroke: "none" }, parent);
    tell(node, text, [["reply", reply.reply], ["heard by", clock(to, 2)]]);
    const label = clipped(text, x(to) - x(from) - 4);
    if (label) el("text", { x: x(from) + 3, y: y + height / 2 + 4, "pointer-events": "none" }, parent, label);
  }
}

const SIGNAL = { Speculate: "draft", Cancel: "gone", Commit: "commit", BargeIn: "stop", Interrupt: "stop", Hold: "hold", Resume: "hold", TurnStarted: "user",
  TurnDropped: "gone", TurnStalled: "stop", UserIdle: "soft", Note: "note", ReplyEnded: "agent" };
function drawSignals(parent, y, height) {
  const rows = [-Infinity, -Infinity, -Infinity];
  for (const [t, kind, label, details] of scene.signals) if (visible(t, t)) {
    const colour = css(SIGNAL[kind] || "soft"), wide = measuring.measureText(label).width + 16;
    let row = rows.findIndex((free) => free < x(t));
    const labelled = row >= 0;
    const middle = labelled ? y + 11 + row * 20 : y + height - 3;
    const group = el("g", { class: "mark", "data-kind": kind }, parent);
    el("rect", { x: x(t) - 6, y: middle - 9, width: labelled ? wide : 12, height: 18, fill: "transparent" }, group);
    el("line", { x1: x(t), x2: x(t), y1: y, y2: y + height, stroke: colour, opacity: .3, "pointer-events": "none" }, group);
    el("circle", { cx: x(t), cy: middle, r: labelled ? 4 : 2.6, fill: colour, stroke: css("panel") }, group);
    if (labelled) { el("text", { x: x(t) + 7, y: middle + 4 }, group, label); rows[row] = x(t) + wide; }
    tell(group, kind, [["at", clock(t, 3)], ...Object.entries(details)]);
  }
}

function drawGaps(parent, y, height) {
  for (const turn of scene.turns) {
    if (turn.sound === null) continue;
    span(parent, turn.end, turn.sound, y + 12, "gap", "gap", turn.gap, "from the Commit to the first sound");
    if (turn.saved) span(parent, turn.sound, turn.sound + turn.saved, y + 12, "saved", "saved", turn.saved, "how much later it would have been heard without the draft");
    if (turn.last_word !== null) span(parent, turn.last_word, turn.sound, y + 34, "wait", "wait", turn.wait, "from the last word to the first sound");
  }
}
function span(parent, from, to, y, kind, name, value, meaning) {
  if (!visible(from, to)) return;
  const group = el("g", { class: "mark" }, parent);
  el("rect", { x: x(from), y: y - 9, width: Math.max(x(to) - x(from), 4), height: 18, fill: "transparent" }, group);
  el("path", { d: `M${x(from)},${y - 4}v8 M${x(from)},${y} H${x(to)} M${x(to)},${y - 4}v8`, class: kind, fill: "none" }, group);
  const label = `${name} ${ms(value)}`;
  if (measuring.measureText(label).width + 6 < x(to) - x(from)) {
    el("text", { x: (x(from) + x(to)) / 2, y: y - 3, "text-anchor": "middle", class: "soft" }, group, label);
  }
  tell(group, name, [["took", ms(value)], ["is", meaning]]);
}

function drawOverview() {
  const wide = overviewSvg.clientWidth || 800, scale = (t) => t / LENGTH * wide;
  overviewSvg.replaceChildren();
  el("rect", { x: 0, y: 0, width: wide, height: 34, fill: css("lane"), rx: 5 }, overviewSvg);
  for (const turn of scene.turns) el("rect", { x: scale(turn.start), y: 4, width: Math.max(scale(turn.end - turn.start), 1), height: 11, fill: css(turn.fate === "dropped" ? "gone" : "user") }, overviewSvg);
  for (const reply of scene.replies) for (const [from, to, kind] of reply.phases) if (kind === "audible" || kind === "held")
    el("rect", { x: scale(from), y: 18, width: Math.max(scale(to - from), 1), height: 11, fill: css(kind === "held" ? "hold" : "agent") }, overviewSvg);
  for (const [t, kind] of scene.signals) if (kind === "BargeIn" || kind === "Interrupt") el("rect", { x: scale(t) - 1, y: 2, width: 2, height: 30, fill: css("stop") }, overviewSvg);
  const left = scale(Math.max(view.from, 0)), right = scale(Math.min(view.to, LENGTH));
  el("rect", { id: "window", x: left, y: .75, width: Math.max(right - left, 3), height: 32.5, rx: 4, fill: css("focus"), "fill-opacity": .1, stroke: css("focus"), "stroke-width": 1.5 }, overviewSvg);
}

// Telling -------------------------------------------------------------------------------------------------------------
const told = new WeakMap();
function tell(node, title, rows) { told.set(node, [title, rows]); node.classList.add("tells"); }
function tipFor(event) {
  let node = event.target;
  while (node && node !== lanesSvg && !told.has(node)) node = node.parentNode;
  const about = node && told.get(node);
  tip.hidden = !about;
  if (!about) return;
  const heading = document.createElement("b"), table = document.createElement("table");
  heading.textContent = about[0];
  for (const [name, value] of about[1]) {
    const row = table.insertRow();
    row.insertCell().textContent = name;
    row.insertCell().textContent = value;
  }
  tip.replaceChildren(heading, table);
  const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
  const below = event.clientY + 18 + tip.offsetHeight < innerHeight;
  tip.style.left = Math.max(left, 8) + "px";
  tip.style.top = (below ? event.clientY + 18 : Math.max(event.clientY - tip.offsetHeight - 12, 4)) + "px";
}

// Hands ---------------------------------------------------------------------------------------------------------------
const fingers = new Map();
const spread = () => { const [a, b] = [...fingers.values()]; return Math.abs(a - b); };
const local = (event) => event.clientX - lanesSvg.getBoundingClientRect().left;
let pinch = 0;
lanesSvg.addEventListener("wheel", (event) => {
  if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) move((event.deltaX || event.deltaY) / width);
  else zoom(Math.exp(event.deltaY * 0.0022), at(local(event)));
  event.preventDefault();
}, { passive: false });
lanesSvg.addEventListener("pointerdown", (event) => {
  fingers.set(event.pointerId, local(event));
  if (fingers.size === 2) pinch = spread();
  lanesSvg.setPointerCapture(event.pointerId);
  lanesSvg.classList.add("dragging");
});
lanesSvg.addEventListener("pointermove", (event) => {
  if (!fingers.has(event.pointerId)) { tipFor(event); cursorAt = at(local(event)); schedule(); return; }
  const before = fingers.get(event.pointerId), now = local(event);
  fingers.set(event.pointerId, now);
  if (fingers.size === 2) {
    const wide = Math.max(spread(), 8);
    zoom(pinch / wide, at([...fingers.values()].reduce((a, b) => a + b) / 2));
    pinch = wide;
  } else if (now !== before) {
    tip.hidden = true;
    const shift = (before - now) / Math.max(width - gutter, 1) * (view.to - view.from);
    show(view.from + shift, view.to + shift);
  }
});
for (const kind of ["pointerup", "pointercancel"]) lanesSvg.addEventListener(kind, (event) => {
  fingers.delete(event.pointerId);
  lanesSvg.classList.remove("dragging");
  if (kind === "pointerup" && event.pointerType === "touch") tipFor({ target: document.elementFromPoint(event.clientX, event.clientY), clientX: event.clientX, clientY: event.clientY });
});
lanesSvg.addEventListener("pointerleave", () => { tip.hidden = true; cursorAt = null; schedule(); });
let sweeping = false;
function sweep(event) {
  const bounds = overviewSvg.getBoundingClientRect(), t = (event.clientX - bounds.left) / bounds.width * LENGTH, half = (view.to - view.from) / 2;
  show(t - half, t + half);
}
overviewSvg.addEventListener("pointerdown", (event) => { sweeping = true; overviewSvg.setPointerCapture(event.pointerId); sweep(event); });
overviewSvg.addEventListener("pointermove", (event) => { if (sweeping) sweep(event); });
overviewSvg.addEventListener("pointerup", () => { sweeping = false; });

function pick(turn) {
  picked = turn.turn;
  const begin = Math.min(turn.start, turn.words.length ? turn.words[0][0] : turn.start), end = Math.max(turn.end, turn.sound ?? turn.end) + 0.4;
  const room = Math.max((end - begin) * 0.15, 0.4);
  show(begin - room, end + room);
  for (const row of document.querySelectorAll("#turns tbody tr")) {
    row.classList.toggle("picked", Number(row.dataset.turn) === picked);
    if (Number(row.dataset.turn) === picked) row.scrollIntoView({ block: "nearest" });
  }
}
function step(direction) {
  if (!scene.turns.length) return;
  const index = scene.turns.findIndex((turn) => turn.turn === picked);
  pick(scene.turns[Math.min(Math.max(index < 0 ? (direction > 0 ? 0 : scene.turns.length - 1) : index + direction, 0), scene.turns.length - 1)]);
}
function turnOver() {
  const root = document.documentElement;
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
}
const KEYS = { ArrowLeft: () => move(-0.15), ArrowRight: () => move(0.15), "+": () => zoom(0.7), "=": () => zoom(0.7), "-": () => zoom(1 / 0.7), "0": fit,
  n: () => step(1), p: () => step(-1), j: () => step(1), k: () => step(-1), t: turnOver, "?": () => $("keys").showModal(), Home: () => show(0, view.to - view.from),
  End: () => show(LENGTH - (view.to - view.from), LENGTH) };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("keys").open) return;
  const act = KEYS[event.key];
  if (act) { act(); event.preventDefault(); }
});

// The page around it --------------------------------------------------------------------------------------------------
function fill() {
  $("title").textContent = scene.title;
  $("when").textContent = [scene.began && new Date(scene.began).toLocaleString(), `${clock(scene.seconds, 1)} long`].filter(Boolean).join(" · ");
  for (const [name, value] of scene.tallies) {
    const pair = document.createElement("div"), term = document.createElement("dt"), figure = document.createElement("dd");
    term.textContent = name; figure.textContent = value; pair.append(term, figure); $("tallies").append(pair);
  }
  for (const notice of scene.notices) { const item = document.createElement("li"); item.textContent = notice; $("notices").append(item); }
  for (const [name, colour] of [["turn, words", "user"], ["draft", "draft"], ["withdrawn, dropped", "gone"], ["playback", "agent"], ["held", "hold"], ["barge-in, interrupt", "stop"]]) {
    const item = document.createElement("span"), chip = document.createElement("i");
    chip.style.cssText = `background:var(--${colour});border-color:var(--${colour})`; item.append(chip, name); $("legend").append(item);
  }
  const body = document.querySelector("#turns tbody");
  for (const turn of scene.turns) {
    const row = body.insertRow();
    row.dataset.turn = turn.turn; row.className = turn.fate; row.tabIndex = 0;
    const ended = turn.fate === "answered" ? turn.trigger || "end" : turn.fate === "open" ? "open" : turn.reason;
    for (const [text, kind] of [[turn.turn, ""], [clock(turn.start, 1), ""], [turn.text || "(no words)", "said"], [ended, "wide"], [ms(turn.lead), "wide"],
      [ms(turn.saved), ""], [ms(turn.gap), ""], [ms(turn.wait), "wide"]]) {
      const cell = row.insertCell(); cell.textContent = text; cell.className = kind;
    }
    row.addEventListener("click", () => pick(turn));
    row.addEventListener("keydown", (event) => { if (event.key === "Enter") pick(turn); });
  }
  const form = $("keys").firstElementChild, table = document.createElement("table");
  for (const [keys, what] of [["wheel, pinch, + −", "zoom"], ["drag, ← →", "move"], ["n p", "next, previous turn"], ["0", "the whole call"], ["t", "light or dark"], ["Esc", "close this"]]) {
    const row = table.insertRow(), key = document.createElement("kbd");
    key.textContent = keys; row.insertCell().append(key); row.insertCell().textContent = what;
  }
  form.append(table);
  if (Object.keys(scene.settings).length) {
    const heading = document.createElement("h2"), settings = document.createElement("table");
    heading.textContent = "Settings of this call";
    for (const [name, value] of [...Object.entries(scene.settings), ...Object.entries(scene.thresholds)]) {
      const row = settings.insertRow(); row.insertCell().textContent = name; row.insertCell().textContent = value;
    }
    form.append(heading, settings);
  }
  $("in").onclick = () => zoom(0.6); $("out").onclick = () => zoom(1 / 0.6); $("fit").onclick = fit;
  $("theme").onclick = turnOver; $("help").onclick = () => $("keys").showModal();
}
if (!document.documentElement.dataset.theme) document.documentElement.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
fill();
fit();
new ResizeObserver(schedule).observe(lanesSvg);
