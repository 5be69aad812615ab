// The choice and order of columns.

import { button, el, put } from "./dom.js";

/** A list in `node` to tick and move columns; `changed(columns)` gets what came of it. */
export function arrangeIn(node, columns, changed) {
  const move = (from, to) => {
    const next = [...columns];
    next.splice(to, 0, ...next.splice(from, 1));
    changed(next, next[to].key);
  };
  const tick = (place, shown) => changed(columns.map((column, at) => (at === place ? { ...column, shown } : column)), columns[place].key);
  put(node, columns.map((column, place) => {
    const box = el("input", { type: "checkbox", checked: column.shown, "data-key": column.key, onchange: (event) => tick(place, event.target.checked) });
    return el("li", {},
      el("label", {}, box, ` ${column.title}`),
      button("↑", () => move(place, place - 1), { disabled: place === 0, "aria-label": `Move ${column.title} to the left` }),
      button("↓", () => move(place, place + 1), { disabled: place === columns.length - 1, "aria-label": `Move ${column.title} to the right` }));
  }));
}
