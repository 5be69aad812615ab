// Tokens over time, a colour for each model. A part that is dragged over becomes the filter.

import { button, el, put, svg } from "./dom.js";
import * as format from "./format.js";
import { series, swatch } from "./series.js";

const HEIGHT = 132;
const [LEFT, BASE] = [44, 110];
const DAY = 86_400;

/** What can be drawn, by name: a series' numbers. */
const MEASURES = {
  "All tokens": (one) => one.input_tokens.map((input, place) => input + one.output_tokens[place]),
  Output: (one) => one.output_tokens,
  Uncached: (one) => one.input_tokens.map((input, place) => input - one.cache_read_tokens[place]),
  Requests: (one) => one.requests,
};
let measure = "All tokens";

/** Draw `GET /api/metrics/series` into `node`; `chosen(from, to)` gets the dates of a part that was dragged over. */
export function drawOverTime(node, found, chosen) {
  const readout = el("output", { class: "readout" });
  const choices = Object.keys(MEASURES).map((name) => button(name, () => {
    measure = name;
    drawOverTime(node, found, chosen);
  }, { class: "choice", "aria-pressed": String(name === measure) }));
  const head = el("div", { class: "chart-head" }, el("h2", {}, "Over time, by model"), readout, el("span", { class: "choices" }, choices));
  const plot = prepared(found);
  if (!plot) return put(node, head, el("p", { class: "nothing" }, "Nothing in these rows."));
  plot.wide = Math.max(320, node.clientWidth - 24);
  plot.step = (plot.wide - LEFT) / plot.sums.length;
  const drawing = svg("svg", { viewBox: `0 0 ${plot.wide} ${HEIGHT}`, height: HEIGHT, role: "img", "aria-label": said(plot), class: "over-time" },
    grid(plot), stacks(plot), times(plot));
  put(node, head, drawing, legend(plot));
  follow(drawing, plot, readout, chosen);
}

function prepared(found) {
  const lines = (found?.series ?? []).map((one) => ({ name: one.name, rest: one.rest, numbers: MEASURES[measure](one) }));
  const drawn = lines.filter(({ numbers }) => numbers.some((number) => number > 0));
  const sums = (lines[0]?.numbers ?? []).map((_, place) => lines.reduce((sum, one) => sum + one.numbers[place], 0));
  if (!sums.some((sum) => sum > 0)) return null;
  return { lines: drawn, sums, top: ceiling(Math.max(...sums)), since: Date.parse(found.since), step_ms: found.step_seconds * 1000 };
}

const called = ({ name, rest }) => (rest ? "the rest" : (name ?? "unknown"));
const colour = (line) => (line.rest ? 0 : series(line.name));
const said = ({ lines, sums, since }) => `${measure}: ${format.count(sums.reduce((a, b) => a + b, 0))}, ${lines.length} models, since ${format.stamp(new Date(since))}`;

/** The next round number: 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15 … */
export function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  return power * [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((step) => step * power >= value);
}

const height = (number, { top }) => (number / top) * (BASE - 8);

function grid(plot) {
  return [0, 0.5, 1].map((share) => {
    const y = BASE - height(plot.top * share, plot);
    return [svg("line", { x1: LEFT, x2: plot.wide, y1: y, y2: y, class: share ? "grid" : "axis" }), svg("text", { x: LEFT - 6, y: y + 3.5, class: "end" }, format.compact(plot.top * share))];
  });
}

function stacks(plot) {
  const drawn = [];
  plot.sums.forEach((_, place) => {
    let y = BASE;
    for (const line of plot.lines) {
      const tall = height(line.numbers[place], plot);
      if (tall <= 0) continue;
      y -= tall;
      drawn.push(svg("rect", { x: LEFT + place * plot.step + 0.5, y, width: Math.max(1, plot.step - 1), height: tall, class: `series-${colour(line)}` }));
    }
  });
  return drawn;
}

function times(plot) {
  const every = Math.max(1, Math.ceil(90 / plot.step));
  const seconds = (plot.step_ms * plot.sums.length) / 1000;
  const drawn = [];
  for (let place = 0; place < plot.sums.length; place += every) {
    const stamp = format.stamp(new Date(plot.since + place * plot.step_ms));
    const x = LEFT + place * plot.step;
    if (x + 70 < plot.wide) drawn.push(svg("text", { x, y: HEIGHT - 7 }, seconds > 2 * DAY ? stamp.slice(5, 16) : stamp.slice(11, plot.step_ms < 60_000 ? 19 : 16)));
  }
  return drawn;
}

const legend = ({ lines }) => el("p", { class: "legend" }, lines.map((line) => el("span", { class: "key" }, line.rest ? el("span", { class: "swatch series-0" }) : swatch(line.name), called(line))));

function follow(drawing, plot, readout, chosen) {
  const band = svg("rect", { y: 4, height: BASE - 4, class: "band" });
  drawing.append(band);
  let from = null;
  const place = (event) => {
    const box = drawing.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * plot.wide;
    return Math.min(plot.sums.length - 1, Math.max(0, Math.floor((x - LEFT) / plot.step)));
  };
  const instant = (at) => new Date(plot.since + at * plot.step_ms);
  drawing.addEventListener("pointerdown", (event) => {
    from = place(event);
    drawing.setPointerCapture(event.pointerId);
  });
  drawing.addEventListener("pointermove", (event) => {
    const here = place(event);
    const [first, last] = [Math.min(here, from ?? here), Math.max(here, from ?? here)];
    band.setAttribute("x", LEFT + first * plot.step);
    band.setAttribute("width", (last - first + 1) * plot.step);
    readout.textContent = words(plot, here, instant(here));
  });
  drawing.addEventListener("pointerup", (event) => {
    const [first, last] = [Math.min(from, place(event)), Math.max(from, place(event)) + 1];
    const dragged = from !== null && last - first > 1;
    from = null;
    if (dragged) chosen(instant(first), instant(last));
  });
  drawing.addEventListener("pointerleave", () => {
    if (from === null) band.setAttribute("width", 0);
    readout.textContent = "";
  });
}

function words(plot, place, instant) {
  const parts = plot.lines.filter(({ numbers }) => numbers[place]).slice(0, 3).map((line) => `${called(line)} ${format.compact(line.numbers[place])}`);
  return [format.stamp(instant).slice(5), `${format.count(plot.sums[place])} ${measure === "Requests" ? "requests" : "tokens"}`, ...parts].join(" · ");
}
