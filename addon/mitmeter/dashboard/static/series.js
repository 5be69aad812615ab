// A colour for each model, the same in table and charts. Names never get into class names: numbers do.

import { el } from "./dom.js";

const COLOURS = 8;
const given = new Map();

/** 1 to 8 by the name, or the next that is free; 0 where none is. */
export function series(model) {
  if (!given.has(model)) given.set(model, free(hash(model ?? "")));
  return given.get(model);
}

function free(first) {
  const taken = new Set(given.values());
  for (let step = 0; step < COLOURS; step += 1) {
    const colour = ((first + step) % COLOURS) + 1;
    if (!taken.has(colour)) return colour;
  }
  return 0;
}

const hash = (name) => [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 65_521, 7);

/** A small square in the model's colour. */
export const swatch = (model) => el("span", { class: `swatch series-${series(model)}`, "aria-hidden": "true" });
