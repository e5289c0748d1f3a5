"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const tuning = data.tuning, $ = (id) => document.getElementById(id), SVG = "http://www.w3.org/2000/svg";
const css = (name) => `var(--${name})`;
const ms = (seconds) => seconds === null ? "–" : `${Math.round(seconds * 1000)} ms`;
const percent = (share) => `${Math.round(share * 100)} %`;
const COLOURS = { exact: "agent", rough: "draft", bounds: "gone" };

function el(name, attributes, parent, text) {
  const node = document.createElementNS(SVG, name);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  if (text !== undefined) node.textContent = text;
  parent.appendChild(node);
  return node;
}
const told = new WeakMap();
function tell(node, title, rows) { told.set(node, [title, rows]); node.classList.add("tells"); }
document.addEventListener("pointermove", (event) => {
  const about = told.get(event.target);
  $("tip").hidden = !about;
  if (!about) return;
  const heading = document.createElement("b"), table = document.createElement("table");
  heading.textContent = about[0];
  for (const [name, value] of about[1]) { const row = table.insertRow(); row.insertCell().textContent = name; row.insertCell().textContent = value; }
  $("tip").replaceChildren(heading, table);
  $("tip").style.left = Math.max(8, Math.min(event.clientX + 14, innerWidth - $("tip").offsetWidth - 8)) + "px";
  $("tip").style.top = (event.clientY + 18 + $("tip").offsetHeight < innerHeight ? event.clientY + 18 : event.clientY - $("tip").offsetHeight - 12) + "px";
});

// Axes ----------------------------------------------------------------------------------------------------------------
function axes(svg, xs, ys, xName, yName, xText, yText) {
  const width = svg.clientWidth || 600, height = 320, left = 56, bottom = 42, top = 12, right = 28;
  svg.setAttribute("height", height);
  svg.replaceChildren();
  const nice = (low, high) => {
    const raw = (high - low || 1) / 5, power = 10 ** Math.floor(Math.log10(raw)), step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
    const to = Math.ceil(high / step - 1e-9) * step;
    return { from: Math.floor(low / step + 1e-9) * step, to: to > low ? to : to + step, step };
  };
  const xr = nice(...xs), yr = nice(...ys);
  const x = (v) => left + (v - xr.from) / (xr.to - xr.from) * (width - left - right);
  const y = (v) => height - bottom - (v - yr.from) / (yr.to - yr.from) * (height - bottom - top);
  const grid = el("g", { class: "axis" }, svg);
  for (let v = xr.from; v <= xr.to + xr.step / 2; v += xr.step) {
    el("line", { x1: x(v), x2: x(v), y1: top, y2: height - bottom }, grid);
    el("text", { x: x(v), y: height - bottom + 15, "text-anchor": "middle" }, grid, xText(v));
  }
  for (let v = yr.from; v <= yr.to + yr.step / 2; v += yr.step) {
    el("line", { x1: left, x2: width - right, y1: y(v), y2: y(v) }, grid);
    el("text", { x: left - 6, y: y(v) + 4, "text-anchor": "end" }, grid, yText(v));
  }
  el("text", { x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle", class: "soft" }, svg, xName);
  el("text", { x: 12, y: (height - bottom) / 2, transform: `rotate(-90 12 ${(height - bottom) / 2})`, "text-anchor": "middle", class: "soft" }, svg, yName);
  return { x, y };
}

// Plots ---------------------------------------------------------------------------------------------------------------
const rowsOf = (o) => [["wait, median", ms(o.median)], ["wait, p95", ms(o.p95)],
  ["wait, mean", o.knowledge === "bounds" ? `${ms(o.best_response)} to ${ms(o.response.value)}` : ms(o.response.value)],
  ["saved by drafts", `${ms(o.saved_median)}, p95 ${ms(o.saved_p95)}`], ["answered by a draft", percent(o.hits)],
  ["extra LLM calls a turn", o.extra.value.toFixed(2)], ["cut off", percent(o.cut_offs.value)], ["cost a turn", o.cost.toFixed(4)], ["known", o.knowledge]];
function drawFront() {
  const shown = tuning.outcomes.filter((o) => o.knowledge !== "bounds" || o.on_front || o.name === tuning.current.name);
  const xs = shown.map((o) => o.response.value), ys = shown.map((o) => o.extra.value);
  const { x, y } = axes($("front"), [Math.min(...xs), Math.max(...xs)], [0, Math.max(...ys, 0.1)], "waiting, from the last word to the first sound (mean)", "extra LLM calls a turn",
    (v) => ms(v), (v) => v.toFixed(1));
  const size = (o) => 2.5 + 22 * Math.sqrt(o.cut_offs.value) * 0.45;
  for (const o of shown) if (!o.on_front) tell(el("circle", { cx: x(o.response.value), cy: y(o.extra.value), r: size(o), fill: css(COLOURS[o.knowledge]), opacity: .22 }, $("front")), o.name, rowsOf(o));
  const front = shown.filter((o) => o.on_front).sort((a, b) => a.response.value - b.response.value);
  const edge = [];
  for (const o of front) if (!edge.length || o.extra.value < edge[edge.length - 1].extra.value) edge.push(o);
  el("path", { d: edge.map((o, i) => `${i ? "L" : "M"}${x(o.response.value)},${y(o.extra.value)}`).join(""), fill: "none", stroke: css("soft") }, $("front"));
  for (const o of front) tell(el("circle", { cx: x(o.response.value), cy: y(o.extra.value), r: size(o), fill: css(COLOURS[o.knowledge]), stroke: css("panel"), class: "point" }, $("front")), o.name, rowsOf(o));
  const ring = (o, colour, label) => {
    el("circle", { cx: x(o.response.value), cy: y(o.extra.value), r: size(o) + 5, fill: "none", stroke: css(colour), "stroke-width": 2.5, "pointer-events": "none" }, $("front"));
    const leftward = x(o.response.value) > ($("front").clientWidth || 600) * .7;
    el("text", { x: x(o.response.value) + (leftward ? -1 : 1) * (size(o) + 9), y: y(o.extra.value) - 8, "text-anchor": leftward ? "end" : "start", "pointer-events": "none" }, $("front"), label);
  };
  ring(tuning.current, "user", "running");
  const best = tuning.recommendation && tuning.outcomes.find((o) => o.name === tuning.recommendation.name);
  if (best && best.name !== tuning.current.name) ring(best, "commit", "recommended");
}
function drawCalibration() {
  const bins = tuning.calibration.bins;
  if (!bins.length) { $("calibration").parentNode.hidden = true; return; }
  const { x, y } = axes($("calibration"), [bins[0].low, bins[bins.length - 1].high], [0, 1], "confidence of the eager end of turn", "was the end", (v) => v.toFixed(2), percent);
  el("path", { d: `M${x(bins[0].low)},${y(bins[0].low)}L${x(Math.min(bins[bins.length - 1].high, 1))},${y(Math.min(bins[bins.length - 1].high, 1))}`, stroke: css("soft"), "stroke-dasharray": "4 4" }, $("calibration"));
  const most = Math.max(...bins.map((b) => b.drafts));
  for (const bin of bins) {
    const middle = x((bin.low + bin.high) / 2);
    el("line", { x1: middle, x2: middle, y1: y(bin.confirmed.low), y2: y(bin.confirmed.high), stroke: css("user"), "stroke-width": 2 }, $("calibration"));
    tell(el("circle", { cx: middle, cy: y(bin.confirmed.value), r: 3 + 6 * Math.sqrt(bin.drafts / most), fill: css("user"), class: "point" }, $("calibration")),
      `confidence ${bin.low.toFixed(2)} to ${bin.high.toFixed(2)}`, [["eager ends", bin.drafts], ["were the end", percent(bin.confirmed.value)], ["interval", `${percent(bin.confirmed.low)} to ${percent(bin.confirmed.high)}`]]);
  }
  el("path", { d: bins.map((b, i) => `${i ? "L" : "M"}${x((b.low + b.high) / 2)},${y(b.rising)}`).join(""), fill: "none", stroke: css("user") }, $("calibration"));
}
function drawPolicies() {
  const rows = data.barge_in.filter((row) => row.overlaps);
  if (!rows.length) { $("overlaps").hidden = true; return; }
  const { x, y } = axes($("policies"), [0, 1], [0, 1], "stopped for nothing", "not stopped, though meant", percent, percent);
  const heights = [];
  for (const row of rows) {
    const px = x(row.false_stops.value), py = y(row.missed.value);
    tell(el("circle", { cx: px, cy: py, r: 6, fill: css("stop"), class: "point" }, $("policies")), row.policy, [["stopped for nothing", percent(row.false_stops.value)],
      ["not stopped, though meant", percent(row.missed.value)], ["reaction, median", ms(row.reaction)], ["paused", row.pauses]]);
    let level = py + 4;
    while (heights.some(([hx, hy]) => Math.abs(hx - px) < 150 && Math.abs(hy - level) < 13)) level -= 13;
    heights.push([px, level]);
    const leftward = px > ($("policies").clientWidth || 600) * .65;
    el("text", { x: px + (leftward ? -10 : 10), y: level, "text-anchor": leftward ? "end" : "start" }, $("policies"), row.policy);
  }
}

// The page around it --------------------------------------------------------------------------------------------------
function fill() {
  $("title").textContent = "Which thresholds to run";
  $("when").textContent = `${tuning.utterances} utterances in ${tuning.conversations} calls`;
  const advice = tuning.recommendation, answer = $("answer");
  const line = (name, text, strong) => { const p = document.createElement("p"), label = document.createElement("span"), value = document.createElement(strong ? "strong" : "span"); label.className = "label"; label.textContent = name; value.textContent = text; p.append(label, value); answer.append(p); };
  line("running", tuning.current.name);
  line("recommended", !advice ? "nothing yet" : advice.name === tuning.current.name ? "stay" : advice.name, true);
  if (advice) line("", advice.why);
  for (const caveat of tuning.caveats) { const item = document.createElement("li"); item.textContent = caveat; $("notices").append(item); }
  const head = document.querySelector("#turns thead").insertRow(), body = document.querySelector("#turns tbody");
  for (const [name, kind] of [["setting", "said"], ["median", ""], ["p95", "wide"], ["saved", "wide"], ["calls +", ""], ["cut off", ""], ["cost", "wide"], ["known", "wide"]]) {
    const cell = document.createElement("th"); cell.textContent = name; cell.className = kind; head.append(cell);
  }
  for (const o of tuning.outcomes.filter((one) => one.on_front || one.name === tuning.current.name).sort((a, b) => a.cost - b.cost)) {
    const row = body.insertRow();
    row.classList.toggle("picked", Boolean(advice) && o.name === advice.name);
    for (const [text, kind] of [[o.name, "said"], [ms(o.median), ""], [ms(o.p95), "wide"], [ms(o.saved_median), "wide"], [o.extra.value.toFixed(2), ""], [percent(o.cut_offs.value), ""], [o.cost.toFixed(4), "wide"], [o.knowledge, "wide"]]) {
      const cell = row.insertCell(); cell.textContent = text; cell.className = kind;
    }
  }
  $("theme").onclick = turnOver;
}
function turnOver() { const root = document.documentElement; root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark"; }
document.addEventListener("keydown", (event) => { if (event.key === "t" && !event.ctrlKey && !event.metaKey) turnOver(); });
if (!document.documentElement.dataset.theme) document.documentElement.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
fill();
const draw = () => { drawFront(); drawCalibration(); drawPolicies(); };
draw();
new ResizeObserver(draw).observe($("front"));
