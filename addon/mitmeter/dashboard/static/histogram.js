// A histogram with its percentiles.

import { el, put, svg } from "./dom.js";

const [WIDTH, HEIGHT, BASE] = [240, 122, 104];
const GAP = 1.5;

/** Draw `{bins, min, max, p50, p95, p99}` into `node`, which is hidden where nothing was measured; `shown` puts a value in words. */
export function drawHistogram(node, title, found, shown) {
  const name = el("h2", {}, title);
  node.hidden = !found?.bins?.length;
  if (node.hidden) return;
  const marks = ["p50", "p95", "p99"].map((mark) => ({ mark, value: found[mark] }));
  const said = marks.map(({ mark, value }) => `${mark} ${shown(value)}`).join(", ");
  put(node, name,
    svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}: ${said}`, class: "histogram" },
      bars(found, shown), percentiles(found, marks), ends(found, shown)),
    el("p", { class: "legend" }, marks.map(({ mark, value }) => el("span", { class: "key" }, el("b", {}, mark), ` ${shown(value)}`))));
}

function bars({ bins, min, max }, shown) {
  const most = Math.max(...bins);
  const wide = WIDTH / bins.length;
  return bins.map((number, place) => {
    const tall = number ? Math.max(1.5, (number / most) * (BASE - 8)) : 0;
    const from = min + ((max - min) / bins.length) * place;
    const label = `${number} between ${shown(from)} and ${shown(from + (max - min) / bins.length)}`;
    return svg("rect", { x: place * wide + GAP / 2, y: BASE - tall, width: Math.max(1, wide - GAP), height: tall, rx: 1, class: "bar" }, svg("title", {}, label));
  });
}

function percentiles({ min, max }, marks) {
  if (max <= min) return [];
  return marks.map(({ mark, value }) => {
    const x = Math.min(WIDTH - 0.75, Math.max(0.75, ((value - min) / (max - min)) * WIDTH));
    return svg("line", { x1: x, x2: x, y1: 2, y2: BASE, class: `percentile ${mark}` });
  });
}

const ends = ({ min, max }, shown) => [
  svg("line", { x1: 0, x2: WIDTH, y1: BASE, y2: BASE, class: "axis" }),
  svg("text", { x: 0, y: HEIGHT - 4 }, shown(min)),
  svg("text", { x: WIDTH, y: HEIGHT - 4, class: "end" }, max > min ? shown(max) : ""),
];
