/* The scope: the last seconds of a call, drawn as they pass. Confidence against the thresholds, and below it who speaks. */

const SECONDS_WIDE = 16, SECONDS_NARROW = 9; // of the call that are seen
const KEPT = 60; // seconds of the call that are kept
const LEFT = 38, RIGHT = 12, TOP = 10, AXIS = 16, LANE = 13, GAP = 5;

export class Scope {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.reset();
    this.colours();
  }

  reset() {
    this.curve = []; // {at, confidence, open}
    this.turns = []; // {start, end, kind}
    this.drafts = []; // {reply, start, end, gone}
    this.voice = []; // {reply, start, end, kind}
    this.marks = []; // {at, kind}
    this.keys = []; // seconds
    this.thresholds = { eot: 0.7, eager: null, asked: {} };
  }

  /** After the colours of the page have changed. */
  colours() {
    const style = getComputedStyle(document.documentElement);
    const names = ["ink", "soft", "line", "lane", "panel", "user", "user-soft", "agent", "agent-soft", "draft", "draft-soft", "gone", "gone-soft",
      "stop", "hold", "hold-soft"];
    this.colour = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }

  // What happens --------------------------------------------------------------------------------------------------

  heard(at, confidence, open) {
    this.curve.push({ at, confidence, open });
    if (this.curve.length > 2000) this.curve.splice(0, 500);
  }

  /** A span of one of the lanes goes on until `end` is given; the one before it ends. */
  begin(lane, at, fields) {
    this.end(lane, at);
    this[lane].push({ start: at, end: null, ...fields });
    if (this[lane].length > 200) this[lane].shift();
  }

  end(lane, at, fields = {}) {
    const last = this[lane].at(-1);
    if (last && last.end === null) Object.assign(last, { end: at }, fields);
  }

  mark(at, kind, confidence = 0) {
    this.marks.push({ at, kind, confidence });
    if (this.marks.length > 300) this.marks.shift();
  }

  key(at) {
    this.keys.push(at);
    if (this.keys.length > 600) this.keys.splice(0, 200);
  }

  // What is seen --------------------------------------------------------------------------------------------------

  draw(now) {
    const { canvas, context: c, colour } = this;
    const width = canvas.clientWidth, height = canvas.clientHeight, scale = Math.min(3, window.devicePixelRatio || 1);
    if (!width) return;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    c.setTransform(scale, 0, 0, scale, 0, 0);
    c.clearRect(0, 0, width, height);
    c.font = "11px system-ui, -apple-system, 'Segoe UI', sans-serif";
    const span = width < 420 ? SECONDS_NARROW : SECONDS_WIDE, right = width - RIGHT;
    this.x = (at) => right - ((now - at) / span) * (right - LEFT);
    this.from = now - span;
    this.lanes = height - AXIS - 3 * (LANE + GAP);
    const bottom = this.lanes - 10;
    this.y = (confidence) => bottom - confidence * (bottom - TOP);
    this.drawTime(now, span, height, right);
    c.save();
    c.beginPath();
    c.rect(LEFT, 0, right - LEFT + 6, height);
    c.clip();
    this.drawDraftShades(now, bottom);
    this.drawCurve();
    this.drawLanes(now);
    this.drawMarks();
    c.restore();
    this.drawThresholds(right);
    this.drawNames();
    for (const list of ["curve", "marks"]) while (this[list].length && this[list][0].at < now - KEPT) this[list].shift();
  }

  drawTime(now, span, height, right) {
    const { context: c, colour } = this;
    c.textAlign = "center";
    c.textBaseline = "alphabetic";
    for (let second = Math.ceil(Math.max(0, this.from) / 2) * 2; second <= now; second += 2) {
      const x = Math.round(this.x(second)) + 0.5;
      if (x < LEFT) continue;
      line(c, x, TOP, x, height - AXIS, colour.lane);
      c.fillStyle = colour.soft;
      if (x < right - 8 && x > LEFT + 8) c.fillText(`${second} s`, x, height - 3);
    }
    for (const level of [0, 1]) line(c, LEFT, this.y(level), right, this.y(level), colour.line);
  }

  drawDraftShades(now, bottom) {
    const { context: c, colour } = this;
    for (const { start, end, gone } of this.drafts) {
      c.fillStyle = gone ? colour["gone-soft"] : colour["draft-soft"];
      c.globalAlpha = 0.7;
      const x = this.x(start);
      c.fillRect(x, TOP, this.x(end ?? now) - x, bottom - TOP);
      c.globalAlpha = 1;
    }
  }

  drawCurve() {
    const { context: c, colour } = this;
    let before = null;
    for (const point of this.curve) {
      const to = { x: this.x(point.at), y: this.y(point.confidence), open: point.open };
      if (before && to.x >= LEFT - 20) {
        if (before.open && to.open) {
          c.fillStyle = colour["user-soft"];
          c.globalAlpha = 0.75;
          c.beginPath();
          c.moveTo(before.x, this.y(0));
          c.lineTo(before.x, before.y);
          c.lineTo(to.x, to.y);
          c.lineTo(to.x, this.y(0));
          c.fill();
          c.globalAlpha = 1;
          line(c, before.x, before.y, to.x, to.y, colour.user, 1.8);
        } else line(c, before.x, before.y, to.x, to.y, colour["gone-soft"], 1.2);
      }
      before = to;
    }
  }

  drawLanes(now) {
    const { context: c, colour } = this;
    const span = (row, { start, end }, fill, stroke, dashed) => {
      const x = this.x(start), y = this.lanes + row * (LANE + GAP);
      c.beginPath();
      c.roundRect(x, y + 0.5, Math.max(3, this.x(end ?? now) - x), LANE - 1, 4);
      c.fillStyle = fill;
      c.strokeStyle = stroke;
      c.setLineDash(dashed ? [3, 3] : []);
      c.lineWidth = 1;
      c.fill();
      c.stroke();
      c.setLineDash([]);
    };
    for (const turn of this.turns) {
      if (turn.kind === "dropped") span(0, turn, colour["gone-soft"], colour.gone, true);
      else span(0, turn, colour["user-soft"], colour.user);
    }
    for (const draft of this.drafts) {
      if (draft.gone) span(1, draft, colour["gone-soft"], colour.gone, true);
      else span(1, draft, colour["draft-soft"], colour.draft);
    }
    for (const said of this.voice) {
      if (said.kind === "held") span(2, said, colour["hold-soft"], colour.hold);
      else if (said.kind === "pending") span(2, said, "transparent", colour.agent, true);
      else span(2, said, colour["agent-soft"], colour.agent);
    }
    c.globalAlpha = 0.6;
    for (const at of this.keys) line(c, this.x(at), this.lanes + 3, this.x(at), this.lanes + LANE - 3, colour.user);
    c.globalAlpha = 1;
  }

  drawMarks() {
    const { context: c, colour } = this;
    const below = this.lanes + 3 * LANE + 2 * GAP;
    for (const { at, kind, confidence } of this.marks) {
      const x = this.x(at), there = this.y(confidence);
      if (x < LEFT - 6) continue;
      if (kind === "barge-in") {
        line(c, x, TOP, x, below, colour.stop, 1.6);
        const y = below - LANE / 2;
        line(c, x - 4, y - 4, x + 4, y + 4, colour.stop, 2);
        line(c, x - 4, y + 4, x + 4, y - 4, colour.stop, 2);
      } else if (kind === "end") dot(c, x, there, colour.agent, colour.panel);
      else if (kind === "eager") dot(c, x, there, colour.draft, colour.panel);
      else if (kind === "resumed") dot(c, x, there, colour.panel, colour.gone);
    }
  }

  drawThresholds(right) {
    const { context: c, colour, thresholds } = this;
    const rule = (value, name, stroke, asked, below = false) => {
      const y = Math.round(this.y(value)) + 0.5;
      line(c, LEFT, y, right, y, stroke, asked ? 1 : 1.4, asked ? [2, 4] : [6, 4]);
      if (asked) return;
      const text = `${name} ${value.toFixed(2)}`, wide = c.measureText(text).width + 8;
      c.fillStyle = colour.panel;
      c.globalAlpha = 0.85;
      c.fillRect(LEFT + 4, below ? y + 1 : y - 15, wide, 14);
      c.globalAlpha = 1;
      c.textAlign = "left";
      c.textBaseline = "alphabetic";
      c.fillStyle = stroke;
      c.fillText(text, LEFT + 8, below ? y + 12 : y - 4);
    };
    const near = thresholds.eager && this.y(thresholds.eager) - this.y(thresholds.eot) < 15; // their names would overlap
    if (thresholds.eager) rule(thresholds.eager, "draft", colour.draft, false, near);
    rule(thresholds.eot, "end", colour.agent);
    if (thresholds.asked.eot) rule(thresholds.asked.eot, "", colour.agent, true);
    if (thresholds.asked.eager) rule(thresholds.asked.eager, "", colour.draft, true);
  }

  drawNames() {
    const { context: c, colour } = this;
    c.fillStyle = colour.soft;
    c.textAlign = "right";
    c.textBaseline = "middle";
    ["you", "draft", "bot"].forEach((name, row) => c.fillText(name, LEFT - 7, this.lanes + row * (LANE + GAP) + LANE / 2));
    for (const level of [0, 0.5, 1]) c.fillText(level === 0.5 ? ".5" : String(level), LEFT - 7, this.y(level));
  }
}

function line(c, x1, y1, x2, y2, stroke, width = 1, dash = []) {
  c.beginPath();
  c.moveTo(x1, y1);
  c.lineTo(x2, y2);
  c.strokeStyle = stroke;
  c.lineWidth = width;
  c.setLineDash(dash);
  c.stroke();
  c.setLineDash([]);
}

function dot(c, x, y, fill, stroke) {
  c.beginPath();
  c.arc(x, y, 3.5, 0, 7);
  c.fillStyle = fill;
  c.fill();
  c.strokeStyle = stroke;
  c.lineWidth = 1.4;
  c.stroke();
}
