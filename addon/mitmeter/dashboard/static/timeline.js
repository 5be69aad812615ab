// When what arrived: the phases of an exchange, the bytes of its stream, and where it stood still.

import { el, put, svg } from "./dom.js";
import * as format from "./format.js";

const [WIDTH, HEIGHT, BASE] = [760, 170, 140];
const LONGEST = 5;
const STALL = { floor: 500, times: 10 };

/** Show `timing` of a row and `points`, the pairs [decoded offset in bytes, ms] of its stream. */
export function showTimeline(node, timing, points) {
  put(node, phases(timing), points?.length > 1 ? [stream(points, timing), gapsTable(points)] : el("p", { class: "nothing" }, "No moments inside this response: it came in one piece, or was kept without them."));
}

/** The phases `{name, from, to}` that the clock of a row has, each from where the one before ends. */
export function phasesOf(timing) {
  const ends = [["waiting for headers", timing.headers_ms], ["first byte", timing.first_byte_ms], ["first token", timing.first_token_ms], ["to the end", timing.duration_ms]];
  let from = 0;
  const found = [];
  for (const [name, to] of ends) {
    if (!format.known(to) || to < from) continue;
    found.push({ name, from, to });
    from = to;
  }
  return found;
}

function phases(timing) {
  const found = phasesOf(timing);
  const all = found.at(-1)?.to || 1;
  const bar = svg("svg", { viewBox: "0 0 1000 18", preserveAspectRatio: "none", class: "phases", "aria-hidden": "true" },
    found.map(({ from, to }, place) => svg("rect", { x: (from / all) * 1000, width: Math.max(2, ((to - from) / all) * 1000 - 1.5), height: 18, class: `phase-${place}` })));
  return [bar, el("dl", { class: "phase-list" }, found.map(({ name, from, to }, place) => el("div", {}, el("dt", {}, el("span", { class: `swatch phase-${place}` }), name), el("dd", {}, format.moment(to - from), el("small", {}, `at ${format.moment(to)}`)))))];
}

/** The pauses between arrivals, the longest first: `{from, to, ms, offset, stall}`. */
export function gaps(points) {
  const found = points.slice(1).map(([offset, at], place) => ({ from: points[place][1], to: at, ms: at - points[place][1], offset: points[place][0] }));
  const middle = [...found].sort((a, b) => a.ms - b.ms)[Math.floor(found.length / 2)]?.ms ?? 0;
  const limit = Math.max(STALL.floor, middle * STALL.times);
  return found.map((gap) => ({ ...gap, stall: gap.ms >= limit })).sort((a, b) => b.ms - a.ms);
}

function stream(points, timing) {
  const end = Math.max(timing.duration_ms ?? 0, points.at(-1)[1]);
  const most = points.at(-1)[0] || 1;
  const x = (ms) => (ms / end) * WIDTH;
  const y = (offset) => BASE - (offset / most) * (BASE - 20);
  const line = points.map(([offset, ms], place) => (place ? `H${x(ms).toFixed(1)}V${y(offset).toFixed(1)}` : `M${x(ms).toFixed(1)} ${BASE}V${y(offset).toFixed(1)}`)).join("");
  const marks = [["headers", timing.headers_ms], ["first byte", timing.first_byte_ms], ["first token", timing.first_token_ms]].filter(([, ms]) => format.known(ms));
  return svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", class: "stream", "aria-label": `${format.bytes(most)} in ${points.length} arrivals over ${format.moment(end)}` },
    gaps(points).filter((gap) => gap.stall).slice(0, 50).map((gap) => svg("rect", { x: x(gap.from), width: Math.max(1, x(gap.to) - x(gap.from)), y: 12, height: BASE - 12, class: "stall" }, svg("title", {}, `nothing for ${format.moment(gap.ms)}`))),
    svg("line", { x1: 0, x2: WIDTH, y1: BASE, y2: BASE, class: "axis" }),
    marks.map(([name, ms], place) => [svg("line", { x1: x(ms), x2: x(ms), y1: 12, y2: BASE, class: `moment phase-${place}` }, svg("title", {}, `${name} at ${format.moment(ms)}`))]),
    svg("path", { d: line, class: "arrivals" }),
    [0, 0.25, 0.5, 0.75, 1].map((share) => svg("text", { x: share * WIDTH, y: HEIGHT - 12, class: share === 1 ? "end" : share ? "middle" : null }, format.moment(end * share))),
    svg("text", { x: 0, y: 10 }, format.bytes(most)));
}

function gapsTable(points) {
  const rows = gaps(points).slice(0, LONGEST);
  return el("table", { class: "small" }, el("caption", {}, "Longest pauses"),
    el("thead", {}, el("tr", {}, ["Pause", "From", "To", "After"].map((name) => el("th", { scope: "col", class: "number" }, name)))),
    el("tbody", {}, rows.map((gap) => el("tr", {}, el("td", { class: "number" }, gap.stall ? el("span", { class: "mark odd" }, `${format.moment(gap.ms)} stall`) : format.moment(gap.ms)),
      [format.moment(gap.from), format.moment(gap.to), format.bytes(gap.offset)].map((text) => el("td", { class: "number" }, text))))));
}
