// When what arrived: the phases of an exchange, the bytes of its stream, and where it stood still.

import { el, put, svg } from "./dom.js";
import * as format from "./format.js";

const [WIDTH, HEIGHT, BASE] = [760, 170, 140];
const NOTABLE_MS = 50;
const PART = 1 / 16;
const SLOW = 1 / 4;

/** Show `timing` of a row and `points` of its stream: pairs [offset in the decoded body, ms], a few of them. */
export function showTimeline(node, timing, points) {
  const drawn = points?.length > 1;
  put(node, phases(timing), drawn ? [stream(points, timing), standstills(points)] : el("p", { class: "nothing" }, "No moments inside this response: it came in one piece, or its capture has none."));
}

/** The phases `{name, from, to}` that the clock of a row has, each from where the one before ends. */
export function phasesOf(timing) {
  const ends = [["to headers", timing.headers_ms], ["to first byte", timing.first_byte_ms], ["to first token", timing.first_token_ms], ["to the end", timing.duration_ms]];
  let from = 0;
  const found = [];
  ends.forEach(([name, to], colour) => {
    if (!format.known(to) || to < from) return;
    found.push({ name, from, to, colour });
    from = to;
  });
  return found;
}

function phases(timing) {
  const found = phasesOf(timing);
  const all = found.at(-1)?.to || 1;
  const bar = svg("svg", { viewBox: "0 0 1000 18", preserveAspectRatio: "none", class: "phases", "aria-hidden": "true" },
    found.map(({ from, to, colour }) => svg("rect", { x: (from / all) * 1000, width: Math.max(2, ((to - from) / all) * 1000 - 1.5), height: 18, class: `phase-${colour}` })));
  const list = found.map(({ name, from, to, colour }) => el("div", {}, el("dt", {}, el("span", { class: `swatch phase-${colour}` }), name), el("dd", {}, format.moment(to - from), el("small", {}, `at ${format.moment(to)}`))));
  return [bar, el("dl", { class: "phase-list" }, list)];
}

/**
 * Where the stream stood still, the longest first: `{from, to, ms, offset}`. Between two points that are no such gap
 * lie many arrivals, so a gap is what takes a good part of the whole time and brings far less than its share.
 */
export function stalls(points) {
  const [first, last] = [points[0], points.at(-1)];
  const all = last[1] - first[1];
  const pace = (last[0] - first[0]) / all;
  return points.slice(1)
    .map(([offset, to], place) => ({ from: points[place][1], to, ms: to - points[place][1], offset: points[place][0], brought: offset - points[place][0] }))
    .filter(({ ms, brought }) => ms >= Math.max(NOTABLE_MS, all * PART) && brought / ms < pace * SLOW)
    .sort((a, b) => b.ms - a.ms);
}

function stream(points, timing) {
  const end = Math.max(timing.duration_ms ?? 0, points.at(-1)[1]) || 1;
  const most = points.at(-1)[0] || 1;
  const x = (ms) => ((ms / end) * WIDTH).toFixed(1);
  const y = (offset) => (BASE - (offset / most) * (BASE - 20)).toFixed(1);
  const line = points.map(([offset, ms]) => `L${x(ms)} ${y(offset)}`).join("");
  const moments = [["headers", timing.headers_ms, 0], ["first byte", timing.first_byte_ms, 1], ["first token", timing.first_token_ms, 2]].filter(([, ms]) => format.known(ms));
  return svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", class: "stream", "aria-label": `${format.bytes(most)} over ${format.moment(end)}` },
    stalls(points).map((gap) => svg("rect", { x: x(gap.from), width: Math.max(1, x(gap.to) - x(gap.from)), y: 12, height: BASE - 12, class: "stall" }, svg("title", {}, `nearly nothing for ${format.moment(gap.ms)}`))),
    svg("line", { x1: 0, x2: WIDTH, y1: BASE, y2: BASE, class: "axis" }),
    moments.map(([name, ms, colour]) => svg("line", { x1: x(ms), x2: x(ms), y1: 12, y2: BASE, class: `moment phase-${colour}` }, svg("title", {}, `${name} at ${format.moment(ms)}`))),
    svg("path", { d: `M${x(points[0][1])} ${BASE}${line}`, class: "arrivals" }),
    points.map(([offset, ms]) => svg("circle", { cx: x(ms), cy: y(offset), r: 2.2, class: "arrival" }, svg("title", {}, `${format.bytes(offset)} at ${format.moment(ms)}`))),
    [0, 0.25, 0.5, 0.75, 1].map((share) => svg("text", { x: share * WIDTH, y: HEIGHT - 12, class: share === 1 ? "end" : share ? "middle" : null }, share ? format.moment(end * share) : "0")),
    svg("text", { x: 0, y: 10 }, `${format.bytes(most)} decoded`));
}

function standstills(points) {
  const found = stalls(points);
  if (!found.length) return el("p", { class: "nothing" }, "Nowhere it stood still for long.");
  const head = ["Stall", "From", "To", "After"].map((name) => el("th", { scope: "col", class: "number" }, name));
  const line = (gap) => [el("span", { class: "mark odd" }, format.moment(gap.ms)), format.moment(gap.from), format.moment(gap.to), format.bytes(gap.offset)];
  return el("table", { class: "small" }, el("caption", {}, "Where it stood still"), el("thead", {}, el("tr", {}, head)),
    el("tbody", {}, found.map((gap) => el("tr", {}, line(gap).map((content) => el("td", { class: "number" }, content))))));
}
