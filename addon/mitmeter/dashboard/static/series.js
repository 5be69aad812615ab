// A colour for each model, the same in table and charts. Names never get into class names: numbers do.

import { el } from "./dom.js";

const COLOURS = 8;
const given = new Map();

/** 1 to 8 by the name, or the next that is free; 0 where none is. */
export function series(model) {
  const name = model ?? "";
  if (!given.has(name)) given.set(name, free(hash(name)));
  return given.get(name);
}

/** Have each of these, at most 8, in a colour: where none is free, that of a model which is not among them. */
export function claim(models) {
  const names = new Set(models.map((model) => model ?? ""));
  for (const name of names) {
    if (series(name)) continue;
    const [other, colour] = [...given].find(([one, has]) => has && !names.has(one)) ?? [];
    if (colour) given.set(name, colour).set(other, 0);
  }
  for (const node of document.querySelectorAll(".swatch[data-model]")) node.className = painted(node.dataset.model);
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

const painted = (model) => `swatch series-${series(model)}`;

/** A small square in the model's colour. */
export const swatch = (model) => el("span", { class: painted(model), "data-model": model ?? "", "aria-hidden": "true" });
