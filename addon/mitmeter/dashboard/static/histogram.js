// A histogram with its percentiles.

import { el, put, svg } from "./dom.js";

const [HEIGHT, BASE] = [122, 104];
const GAP = 1.5;
const PADDING = 26;

/** Draw `{bins, min, max, p50, p95, p99}` into `node`; `shown` puts a value in words. */
export function drawHistogram(node, title, found, shown) {
  const name = el("h2", {}, title);
  const wide = Math.max(140, node.clientWidth - PADDING);
  const marks = ["p50", "p95", "p99"].map((mark) => ({ mark, value: found[mark] }));
  const said = marks.map(({ mark, value }) => `${mark} ${shown(value)}`).join(", ");
  put(node, name,
    svg("svg", { viewBox: `0 0 ${wide} ${HEIGHT}`, height: HEIGHT, role: "img", "aria-label": `${title}: ${said}`, class: "histogram" },
      bars(found, wide, shown), percentiles(found, wide, marks), ends(found, wide, shown)),
    el("p", { class: "legend" }, marks.map(({ mark, value }) => el("span", { class: "key" }, el("b", {}, mark), ` ${shown(value)}`))));
}

function bars({ bins, min, max }, all, shown) {
  const most = Math.max(...bins);
  const wide = all / bins.length;
  return bins.map((number, place) => {
    const tall = number ? Math.max(1.5, (number / most) * (BASE - 8)) : 0;
    const from = min + ((max - min) / bins.length) * place;
    const label = `${number} between ${shown(from)} and ${shown(from + (max - min) / bins.length)}`;
    return svg("rect", { x: place * wide + GAP / 2, y: BASE - tall, width: Math.max(1, wide - GAP), height: tall, rx: 1, class: "bar" }, svg("title", {}, label));
  });
}

function percentiles({ min, max }, wide, marks) {
  if (max <= min) return [];
  return marks.map(({ mark, value }) => {
    const x = Math.min(wide - 0.75, Math.max(0.75, ((value - min) / (max - min)) * wide));
    return svg("line", { x1: x, x2: x, y1: 2, y2: BASE, class: `percentile ${mark}` });
  });
}

const ends = ({ min, max }, wide, shown) => [
  svg("line", { x1: 0, x2: wide, y1: BASE, y2: BASE, class: "axis" }),
  svg("text", { x: 0, y: HEIGHT - 4 }, shown(min)),
  svg("text", { x: wide, y: HEIGHT - 4, class: "end" }, max > min ? shown(max) : ""),
];
