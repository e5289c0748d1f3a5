const scene = data;
const lanesSvg = $("lanes"), overviewSvg = $("overview"), tip = $("tip");

// Times ---------------------------------------------------------------------------------------------------------------
const LENGTH = Math.max(scene.seconds, 0.05);
const SHORTEST = Math.min(0.05, LENGTH);
let view = { from: 0, to: LENGTH };
let picked = null, cursorAt = null, playAt = null;
const replyOf = new Map(scene.replies.map((reply) => [reply.reply, reply]));
const waitOf = (turn) => turn.wait ?? turn.gap;
const spoken = (reply) => reply.phases.filter(([, , kind]) => kind !== "draft" && kind !== "withdrawn");

function show(from, to) {
  const span = Math.min(Math.max(to - from, SHORTEST), LENGTH * 1.04), slack = LENGTH * 0.02;
  from = Math.min(Math.max(from, -slack), LENGTH + slack - span);
  view = { from, to: from + span };
  schedule();
}
const zoom = (factor, around = (view.from + view.to) / 2) => show(around - (around - view.from) * factor, around + (view.to - around) * factor);
const move = (share) => show(view.from + (view.to - view.from) * share, view.to + (view.to - view.from) * share);
const fit = () => show(-LENGTH * 0.01, LENGTH * 1.01);

// Drawing -------------------------------------------------------------------------------------------------------------
let waiting = false;
function schedule() {
  if (!waiting) { waiting = true; requestAnimationFrame(() => { waiting = false; draw(); }); }
}
const measuring = document.createElement("canvas").getContext("2d");
measuring.font = "12px system-ui, -apple-system, 'Segoe UI', sans-serif";
const widths = new Map();
function measure(text) {
  if (!widths.has(text)) widths.set(text, measuring.measureText(text).width);
  return widths.get(text);
}
function clipped(text, room) {
  if (measure(text) <= room) return text;
  let low = 0, high = text.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (measuring.measureText(text.slice(0, middle).trimEnd() + "…").width <= room) low = middle; else high = middle - 1;
  }
  return low ? text.slice(0, low).trimEnd() + "…" : "";
}

const LANES = [
  { id: "sound", name: "sound", height: 34, draw: drawSound },
  { id: "user", name: "user", height: 54, draw: drawUser },
  { id: "flux", name: "Flux", height: 26, draw: drawFlux },
  { id: "confidence", name: "confidence", height: 56, draw: drawConfidence },
  { id: "drafts", name: "drafts", height: 24, draw: drawDrafts },
  { id: "agent", name: "agent", height: 54, draw: drawAgent },
  { id: "signals", name: "decisions", height: 60, draw: drawSignals },
  { id: "waits", name: "waits", height: 44, draw: drawWaits },
].filter((lane) => lane.id !== "sound" || scene.sound);
const AXIS = 22, GAP = 3;
let width = 800, gutter = 84;
const x = (t) => gutter + (t - view.from) / (view.to - view.from) * (width - gutter);
const at = (px) => view.from + (px - gutter) / (width - gutter) * (view.to - view.from);
const visible = (from, to) => to >= view.from && from <= view.to;
const scale = () => (width - gutter) / (view.to - view.from);  // pixels a second

function draw() {
  width = lanesSvg.clientWidth || 800;
  gutter = width < 560 ? 0 : 84;
  const named = gutter ? 0 : 14, total = AXIS + LANES.reduce((sum, lane) => sum + lane.height + GAP + named, 0);
  lanesSvg.setAttribute("height", total);
  lanesSvg.replaceChildren();
  const clip = svg("clipPath", { id: "clip" }, svg("defs", {}, lanesSvg));
  svg("rect", { x: gutter, y: 0, width: Math.max(width - gutter, 1), height: total }, clip);
  let y = AXIS;
  const inside = svg("g", { "clip-path": "url(#clip)" }, lanesSvg);
  for (const [i, lane] of LANES.entries()) {
    y += named;
    svg("rect", { x: gutter, y, width: Math.max(width - gutter, 1), height: lane.height, fill: css(i % 2 ? "lane2" : "lane") }, inside);
    svg("text", { x: gutter ? 0 : 2, y: gutter ? y + lane.height / 2 + 4 : y - 3, class: "lane-name" }, lanesSvg, lane.name);
    lane.y = y;
    y += lane.height + GAP;
  }
  drawAxis(inside, y);
  for (const [from, to, why] of scene.lost) if (visible(from, to)) {
    const shade = svg("rect", { x: x(from), y: AXIS, width: Math.max(x(to) - x(from), 2), height: y - AXIS, class: "lost", "data-mark": "lost" }, inside);
    tell(shade, "no stream", [["from", clock(from, 2)], ["for", ms(to - from)], ["why", why]]);
  }
  for (const lane of LANES) lane.draw(svg("g", { id: "lane-" + lane.id, class: scale() < 4 ? "lane coarse" : "lane" }, inside), lane.y, lane.height);
  if (cursorAt !== null) svg("line", { x1: x(cursorAt), x2: x(cursorAt), y1: AXIS, y2: y, class: "cursor" }, inside);
  if (playAt !== null) svg("line", { x1: x(playAt), x2: x(playAt), y1: 0, y2: y, class: "playhead", "data-mark": "playhead" }, inside);
  drawOverview();
  if (typeof followView === "function") followView();
}

function drawAxis(parent, bottom) {
  const steps = [.01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
  const step = steps.find((s) => s * scale() >= 78) || 7200, digits = step < .1 ? 2 : step < 1 ? 1 : 0;
  const group = svg("g", { class: "axis" }, parent);
  for (let i = Math.ceil(view.from / step); i * step <= view.to; i++) {
    const px = x(i * step);
    svg("line", { x1: px, x2: px, y1: AXIS - 6, y2: bottom }, group);
    svg("text", { x: px + 3, y: AXIS - 8 }, group, clock(i * step, digits));
  }
}
function bar(parent, from, to, y, height, kind, mark) {
  const left = Math.max(x(from), gutter - 40), right = Math.min(x(to), width + 40), wide = Math.max(right - left, 2);
  return svg("rect", { x: left, y, width: wide, height, rx: Math.min(3.5, wide / 2), class: kind, "data-mark": mark }, parent);
}

// Words: never in slivers. Those with room are drawn whole, in rows; the rest is left to the transcript.
function flow(parent, items, y, rows, drawn) { // where single words are drawn, the first row is taken
  const taken = Array.from({ length: rows }, (_, row) => (row ? [] : drawn)), least = 52, most = scale() > 12 ? 520 : 190, placed = [];
  const inView = items.filter((item) => visible(item.from, item.to)).sort((a, b) => a.rank - b.rank);
  for (const item of inView) {
    const left = Math.max(x(item.from), gutter + 2), wanted = Math.min(measure(item.text) + 6, most);
    if (left + least > width) continue;
    const row = taken.findIndex((spans) => spans.every(([from, to]) => left + Math.min(wanted, Math.max(least, wanted)) + 8 <= from || left >= to + 8));
    if (row < 0) continue;
    const span = [left, left + Math.min(wanted, width - left)];
    taken[row].push(span);
    placed.push([item, row, span]);
  }
  for (const [item, row, span] of placed) {
    const next = Math.min(width, ...taken[row].filter(([from]) => from > span[0]).map(([from]) => from - 8));
    const label = clipped(item.text, next - span[0] - 2);
    if (label) svg("text", { x: span[0], y: y + row * 16 + 12, class: "words " + (item.kind || ""), "pointer-events": "none" }, parent, label);
    if (scale() < 12) svg("line", { x1: span[0] - 2, x2: span[0] - 2, y1: y + row * 16 + 1, y2: y + row * 16 + 15, class: "leader " + (item.kind || "") }, parent);
  }
}
// The order in which they get room: what went wrong, then what took long, then evenly through the call.
function ranked(items) {
  const reversed = (i) => { let r = 0; for (let bit = 0; bit < 12; bit++) r = r * 2 + ((i >> bit) & 1); return r; };
  items.forEach((item, i) => { item.rank = (item.weight ? -item.weight * 10000 : 0) + reversed(i); });
  return items;
}

function drawSound(parent, y, height) {
  const peaks = drawSound.peaks ??= Uint8Array.from(atob(scene.sound.peaks), (c) => c.charCodeAt(0));
  const loudest = drawSound.loudest ??= Math.max(1, peaks.reduce((most, peak) => Math.max(most, peak), 0));
  const second = peaks.length / scene.sound.seconds, middle = y + height / 2;
  let path = "";
  for (let px = Math.max(gutter, 0); px < width; px++) {
    const from = (at(px) - scene.offset) / scene.pace * second, to = (at(px + 1) - scene.offset) / scene.pace * second;
    let peak = 0;
    for (let i = Math.max(Math.floor(from), 0); i < Math.min(Math.max(to, from + 1), peaks.length); i++) peak = Math.max(peak, peaks[i]);
    if (peak) { const half = Math.max(peak / loudest * (height / 2 - 2), .5); path += `M${px},${(middle - half).toFixed(1)}V${(middle + half).toFixed(1)}`; }
  }
  svg("path", { d: path || `M${gutter},${middle}H${width}`, class: "wave", "data-mark": "wave" }, parent);
}

const userItems = ranked(scene.turns.map((turn) => ({ turn, from: turn.words.length ? Math.min(turn.words[0][0], turn.start) : turn.start, to: Math.max(turn.end, turn.start),
  text: (turn.typed ? "⌨ " : "") + (turn.text || "(no words)"), kind: `${turn.typed ? "typed-words " : ""}${turn.fate === "failed" ? "bad" : turn.fate === "dropped" ? "faint" : ""}`,
  weight: turn.fate === "failed" ? 3 : turn.cut_off !== null ? 2 : 0 })));
function drawUser(parent, y, height) {
  const flowing = [], drawn = [];
  for (const item of userItems) if (visible(item.from, item.to)) {
    const turn = item.turn, mark = turn.typed ? "typed" : turn.fate === "dropped" ? "turn-dropped" : turn.fate === "failed" ? "turn-failed" : turn.fate === "unheard" ? "turn-unheard" : "turn";
    const node = bar(parent, turn.start, turn.typed ? turn.start : turn.end, y + height - 16, 11, `turn ${turn.fate}${turn.typed ? " typed" : ""}${turn === picked ? " picked" : ""}`, mark);
    tell(node, `turn ${turn.turn}`, () => turnRows(turn));
    node.dataset.turn = turn.turn;
    if (!(turn.words.length && scale() > 40 && drawWords(parent, turn, y + 4))) flowing.push(item);
    else drawn.push([x(turn.words[0][0]), x(turn.words.at(-1)[1])]);
  }
  flow(parent, flowing, y + 2, 2, drawn);
}
function drawWords(parent, turn, y) {
  const inView = turn.words.filter(([from, to]) => visible(from, to));
  const starts = inView.map(([from]) => x(from)), room = (i) => (i + 1 < starts.length ? starts[i + 1] : Infinity) - starts[i];
  if (inView.some(([, , text], i) => measure(text) + 3 > room(i))) return false;
  for (const [from, to, text, measured] of inView) {
    const node = svg("rect", { x: x(from), y, width: Math.max(x(to) - x(from) - 1, 1), height: 20, rx: 3, class: measured ? "word" : "word guessed", "data-mark": measured ? "word" : "word-guessed" }, parent);
    tell(node, text, [["turn", turn.turn], ["from", clock(from, 2)], ["to", clock(to, 2)], ["time", measured ? "measured by Flux" : "when it was reported"]]);
    svg("text", { x: x(from) + 2, y: y + 14, class: "words", "pointer-events": "none" }, parent, text);
  }
  return true;
}
const FATES = { answered: "answered", failed: "its reply failed", unheard: "its reply was cancelled before a sound", dropped: "dropped", open: "open at the end" };
const turnRows = (turn) => [[turn.typed ? "typed" : "words", turn.text || "none"], ["from", clock(turn.start, 2)], ["to", clock(turn.end, 2)],
  ["came to", FATES[turn.fate] + (turn.fate === "dropped" ? `: ${turn.reason}` : turn.reply === null ? "" : `, reply ${turn.reply}`)],
  ...[["ended by", turn.trigger], ["stopped reply", turn.cut_off], ["waited", known(turn.wait) ? ms(turn.wait) : null], ["commit → sound", known(turn.gap) ? ms(turn.gap) : null],
    ["draft begun before the commit", known(turn.lead) ? ms(turn.lead) : null], ["saved by the draft", known(turn.saved) ? ms(turn.saved) : null]].filter(([, value]) => known(value) && value !== "")];

const FLUX = {
  StartOfTurn: ["user", "M-4,-5 L5,0 L-4,5 Z"], EagerEndOfTurn: ["draft", "M0,-6 A6,6 0 0 1 0,6 Z M0,-6 A6,6 0 0 0 0,6"],
  TurnResumed: ["soft", "M5,-5 L-4,0 L5,5 Z"], EndOfTurn: ["commit", "M-5,-5 H5 V5 H-5 Z"],
};
function drawFlux(parent, y, height) {
  const middle = y + height / 2, last = {}, fine = scale() > 14, size = scale() < 6 ? .55 : scale() < 14 ? .8 : 1;
  for (const [t, kind, , details] of scene.flux) if (visible(t, t)) {
    if (kind === "Update" ? !fine : scale() < 4 && kind !== "EndOfTurn") continue;
    if (x(t) - (last[kind] ?? -99) < (kind === "Update" ? 1.5 : 7)) continue;
    last[kind] = x(t);
    const rows = () => [["at", clock(t, 3)], ...Object.entries(details)];
    if (kind === "Update") { tell(svg("line", { x1: x(t), x2: x(t), y1: middle - 4, y2: middle + 4, class: "tick", "stroke-width": 2, "data-mark": "Update" }, parent), "Update", rows); continue; }
    const [colour, path] = FLUX[kind], group = svg("g", { class: "mark", transform: `translate(${x(t)},${middle}) scale(${size})`, "data-mark": kind }, parent);
    svg("rect", { x: -8, y: -12, width: 16, height: 24, fill: "transparent" }, group);
    svg("path", { d: path, stroke: css(colour), fill: kind === "TurnResumed" ? css("lane") : css(colour) }, group);
    tell(group, kind, rows);
  }
}

function drawConfidence(parent, y, height) {
  const up = (c) => y + height - 4 - c * (height - 8), points = scene.confidence;
  for (const [name, kind, short] of [["eager_eot_threshold", "threshold", "eager"], ["eot_threshold", "threshold eot", "end"]]) {
    const level = scene.thresholds[name];
    if (level === undefined) continue;
    tell(svg("line", { x1: gutter, x2: width, y1: up(level), y2: up(level), class: kind, "data-mark": name }, parent), name, [["value", level]]);
    svg("text", { x: width - 4, y: up(level) + (short === "end" ? -3 : 11), "text-anchor": "end", class: "soft halo" }, parent, `${short} ${level}`);
  }
  let path = "", from = null, column = null, low = 1, high = 0;
  const coarse = scale() < 14;
  const first = Math.max(points.findIndex(([t]) => t >= view.from) - 1, 0);
  let seen = 0;
  for (let i = first; i < points.length && (points[i][0] <= view.to || i === first || points[i - 1][0] <= view.to); i++) {
    const [t, c] = points[i], px = Math.round(x(t));
    if (coarse) {
      if (px !== column && column !== null) { path += `M${column},${up(low).toFixed(1)}V${(up(high) - .6).toFixed(1)}`; low = 1; high = 0; }
      column = px; low = Math.min(low, c); high = Math.max(high, c);
    } else {
      // A second without an event is a second without a number.
      path += `${from !== null && t - from < 1 ? "L" : "M"}${x(t).toFixed(1)},${up(c).toFixed(1)}`;
      from = t;
    }
    seen++;
  }
  if (coarse && column !== null) path += `M${column},${up(low).toFixed(1)}V${(up(high) - .6).toFixed(1)}`;
  if (path) svg("path", { d: path, class: coarse ? "curve coarse" : "curve", "data-mark": "confidence" }, parent);
  if (!coarse && seen < (width - gutter) / 7) for (let i = first; i < Math.min(first + seen, points.length); i++)
    tell(svg("circle", { cx: x(points[i][0]), cy: up(points[i][1]), r: 2.6, fill: css("user"), "data-mark": "confidence" }, parent), "confidence", [["at", clock(points[i][0], 3)], ["value", points[i][1]]]);
}

function drawDrafts(parent, y, height) {
  for (const reply of scene.replies) for (const [from, to, kind] of reply.phases) {
    if ((kind !== "draft" && kind !== "withdrawn") || !visible(from, to)) continue;
    const failed = kind === "withdrawn" && reply.failed, node = bar(parent, from, to, y + 5, height - 10, failed ? "failed" : kind, failed ? "draft-failed" : kind);
    tell(node, `draft ${reply.reply}`, () => [["for turn", reply.turn], ["from", clock(from, 2)], ["for", ms(to - from)], ["came to", kind === "draft" ? "kept" : reply.outcome], ["said", reply.said || "nothing"]]);
  }
}
const agentItems = ranked(scene.replies.filter((reply) => spoken(reply).length).map((reply) => ({ reply, from: spoken(reply)[0][0], to: spoken(reply).at(-1)[1],
  text: reply.failed ? (reply.heard ? `${reply.heard} ✕ failed` : "✕ failed") : reply.heard || reply.said || `reply ${reply.reply}`,
  kind: reply.failed ? "bad" : reply.heard ? "" : "faint", weight: reply.failed ? 3 : reply.outcome.startsWith("interrupted") ? 2 : 0 })));
function drawAgent(parent, y, height) {
  const base = y + height - 16, flowing = [], drawn = [];
  for (const item of agentItems) if (visible(item.from, item.to)) {
    const reply = item.reply, phases = spoken(reply);
    for (const [from, to, kind] of phases) if (visible(from, to)) {
      const bad = reply.failed && kind === "pending";
      tell(bar(parent, from, to, base, 11, bad ? "failed" : kind, bad ? "failed" : kind), `reply ${reply.reply}, ${bad ? "failed" : { pending: "not heard yet", audible: "heard", held: "held" }[kind] ?? kind}`, () => replyRows(reply, from, to));
    }
    if (reply.failed || reply.outcome.startsWith("interrupted")) {
      const px = x(item.to), kind = reply.failed ? "failed-end" : "interrupted-end";
      const end = svg("g", { class: kind, "data-mark": kind, transform: `translate(${px},${base + 5.5})` }, parent);
      svg("rect", { x: -7, y: -9, width: 14, height: 18, fill: "transparent" }, end);
      svg("path", { d: reply.failed ? "M-4.5,-4.5L4.5,4.5M4.5,-4.5L-4.5,4.5" : "M0,-8V8" }, end);
      tell(end, `reply ${reply.reply} ${reply.failed ? "failed" : "was interrupted"}`, () => replyRows(reply, phases[0][0], item.to));
    }
    if (!(reply.pieces.length && scale() > 40 && drawPieces(parent, reply, y + 4))) flowing.push(item);
    else drawn.push([x(reply.pieces[0][0]), x(reply.pieces.at(-1)[1])]);
  }
  flow(parent, flowing, y + 2, 2, drawn);
}
function drawPieces(parent, reply, y) {
  const inView = reply.pieces.filter(([from, to]) => visible(from, to));
  if (inView.some(([from, , text], i) => measure(text) + 3 > (i + 1 < inView.length ? x(inView[i + 1][0]) : Infinity) - x(from))) return false;
  for (const [from, to, text] of inView) {
    const node = svg("rect", { x: x(from), y, width: Math.max(x(to) - x(from) - 1, 1), height: 20, rx: 3, class: "piece", "data-mark": "piece" }, parent);
    tell(node, text, [["reply", reply.reply], ["heard by", clock(to, 2)]]);
    svg("text", { x: x(from) + 2, y: y + 14, class: "words", "pointer-events": "none" }, parent, text);
  }
  return true;
}
const restOf = (reply) => reply.said.trim() && reply.said.trim() !== reply.heard.trim() ? (reply.said.startsWith(reply.heard) ? reply.said.slice(reply.heard.length) : reply.said) : "";
const replyRows = (reply, from, to) => [["to turn", reply.turn ?? "none: the agent began"], ["from", clock(from, 2)], ["for", ms(to - from)], ["came to", reply.outcome || "open at the end"],
  ["heard", reply.heard || "nothing"], ...(restOf(reply) ? [["said, not heard", restOf(reply)]] : [])];

const SIGNAL = { Speculate: "draft", Cancel: "gone", Commit: "commit", BargeIn: "stop", Interrupt: "stop", Hold: "hold", Resume: "hold", TurnStarted: "user",
  TurnDropped: "gone", TurnStalled: "stop", UserIdle: "soft", Note: "note", ReplyEnded: "agent" };
const WEIGHTY = new Set(["BargeIn", "Interrupt", "TurnStalled"]);
const isBad = (kind, details) => kind === "ReplyEnded" && String(details.outcome).startsWith("failed");
function drawSignals(parent, y, height) {
  const rows = [-Infinity, -Infinity, -Infinity], last = {}, coarse = scale() < 8;
  // Far away nothing has a name, but what matters has a row of its own: failures, then who stopped the agent.
  for (const [t, kind, label, details] of scene.signals) if (visible(t, t)) {
    const bad = isBad(kind, details), heavy = bad || WEIGHTY.has(kind), mark = bad ? "failed-over" : kind;
    const crowd = coarse && !heavy ? "others" : mark;
    if (x(t) - (last[crowd] ?? -99) < (coarse ? (heavy ? 2 : 5) : 0)) continue;
    last[crowd] = x(t);
    const colour = css(bad ? "stop" : SIGNAL[kind] || "soft"), text = bad ? "failed" : label, wide = measure(text) + 16;
    const row = coarse ? -1 : rows.findIndex((free) => free < x(t)), labelled = row >= 0;
    const middle = coarse ? y + 10 + (!heavy ? 2 : kind === "BargeIn" || kind === "Interrupt" ? 1 : 0) * 17 : labelled ? y + 10 + row * 17 : y + height - 4;
    const group = svg("g", { class: "mark", "data-kind": kind, "data-mark": mark }, parent);
    svg("rect", { x: x(t) - 6, y: middle - 8, width: labelled ? wide : 12, height: 16, fill: "transparent" }, group);
    if (labelled) svg("line", { x1: x(t), x2: x(t), y1: y, y2: y + height, stroke: colour, opacity: .25, "pointer-events": "none" }, group);
    svg("circle", { cx: x(t), cy: middle, r: labelled ? 4 : heavy ? 3.2 : coarse ? 1.6 : 2.6, fill: colour, stroke: coarse ? "none" : css("panel") }, group);
    if (labelled) { svg("text", { x: x(t) + 7, y: middle + 4, class: "halo" }, group, text); rows[row] = x(t) + wide; }
    tell(group, kind, () => [["at", clock(t, 3)], ...Object.entries(details)]);
  }
}

const longest = Math.max(0, ...scene.turns.map((turn) => waitOf(turn) ?? 0));
function drawWaits(parent, y, height) {
  for (const turn of scene.turns) {
    if (!known(turn.sound)) continue;
    if (scale() < 14) {  // as columns: how long it was, and not how wide
      const wait = waitOf(turn), tall = Math.max(wait / longest * (height - 6), 1);
      if (visible(turn.sound, turn.sound)) tell(svg("line", { x1: x(turn.sound), x2: x(turn.sound), y1: y + height - 2, y2: y + height - 2 - tall, class: "wait column", "data-mark": "wait-column" }, parent), `turn ${turn.turn}`, () => turnRows(turn));
      continue;
    }
    span(parent, turn.end, turn.sound, y + 34, "gap", "commit → sound", turn.gap, "from the Commit to the first sound");
    if (turn.saved) span(parent, turn.sound, turn.sound + turn.saved, y + 34, "saved", "saved", turn.saved, "how much later it would have been heard without the draft");
    if (known(turn.last_word)) span(parent, turn.last_word, turn.sound, y + 14, "wait", "waited", turn.wait, "from the last word to the first sound");
  }
}
function span(parent, from, to, y, kind, name, value, meaning) {
  if (!visible(from, to)) return;
  const group = svg("g", { class: "mark", "data-mark": kind }, parent), label = `${name} ${ms(value)}`;
  svg("rect", { x: x(from), y: y - 9, width: Math.max(x(to) - x(from), 4), height: 18, fill: "transparent" }, group);
  svg("path", { d: `M${x(from)},${y - 4}v8 M${x(from)},${y} H${x(to)} M${x(to)},${y - 4}v8`, class: kind, fill: "none" }, group);
  if (measure(label) + 6 < x(to) - x(from)) svg("text", { x: (x(from) + x(to)) / 2, y: y - 3, "text-anchor": "middle", class: "soft" }, group, label);
  else if (measure(ms(value)) + 2 < x(to) - x(from)) svg("text", { x: (x(from) + x(to)) / 2, y: y - 3, "text-anchor": "middle", class: "soft" }, group, ms(value));
  tell(group, name, [["took", ms(value)], ["is", meaning]]);
}

let overview = null;
function drawOverview() {
  const wide = overviewSvg.clientWidth || 800, place = (t) => t / LENGTH * wide;
  if (overview !== wide) {
    overview = wide;
    overviewSvg.replaceChildren();
    svg("rect", { x: 0, y: 0, width: wide, height: 34, fill: css("lane"), rx: 5 }, overviewSvg);
    for (const turn of scene.turns) svg("rect", { x: place(turn.start), y: 4, width: Math.max(place(turn.end - turn.start), 1), height: 11, fill: css(turn.fate === "dropped" ? "gone" : "user") }, overviewSvg);
    for (const reply of scene.replies) for (const [from, to, kind] of reply.phases) if (kind === "audible" || kind === "held")
      svg("rect", { x: place(from), y: 18, width: Math.max(place(to - from), 1), height: 11, fill: css(kind === "held" ? "hold" : "agent") }, overviewSvg);
    for (const [from, to] of scene.lost) svg("rect", { x: place(from), y: 0, width: Math.max(place(to - from), 2), height: 34, fill: css("stop"), opacity: .25 }, overviewSvg);
    for (const [t, kind] of scene.signals) if (kind === "BargeIn" || kind === "Interrupt") svg("rect", { x: place(t) - .75, y: 2, width: 1.5, height: 30, fill: css("stop"), opacity: .7 }, overviewSvg);
    for (const failure of failures) svg("path", { d: "M-3.5,-3.5L3.5,3.5M3.5,-3.5L-3.5,3.5", transform: `translate(${place(failure.at)},28)`, stroke: css("stop"), "stroke-width": 2 }, overviewSvg);
    svg("g", { id: "hits" }, overviewSvg);
    svg("rect", { id: "window", y: .75, height: 32.5, rx: 4, fill: css("focus"), "fill-opacity": .1, stroke: css("focus"), "stroke-width": 1.5 }, overviewSvg);
    svg("line", { id: "head", y1: 0, y2: 34, class: "playhead" }, overviewSvg);
  }
  $("hits").replaceChildren(...hits.map((hit) => svg("rect", { x: place(hit.from) - 1, y: 0, width: 2.5, height: 5, fill: css("note") })));
  const left = place(Math.max(view.from, 0)), right = place(Math.min(view.to, LENGTH));
  $("window").setAttribute("x", left);
  $("window").setAttribute("width", Math.max(right - left, 4));
  for (const end of ["x1", "x2"]) $("head").setAttribute(end, playAt === null ? -9 : place(playAt));
}
