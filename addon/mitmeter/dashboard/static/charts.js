// The totals and charts above the table.

import { at } from "./dom.js";
import * as format from "./format.js";
import { drawHistogram } from "./histogram.js";
import { keep, kept } from "./kept.js";
import { drawOverTime } from "./over_time.js";
import { claim } from "./series.js";
import { showAdding, showTotals } from "./totals.js";

const HISTOGRAMS = [
  ["first-token", "Time to first token", "first_token_histogram", format.moment],
  ["prompt-speed", "Prompt speed, t/s", "prompt_histogram", format.roughly],
  ["gen-speed", "Generation speed, t/s", "gen_histogram", format.roughly],
];

/** `chosen(from, to)` gets the dates of a part of the time that was dragged over. */
export class Charts {
  constructor(chosen) {
    this.chosen = chosen;
    this.told = null;
    at("charts").hidden = !kept("charts", true);
    this.#say();
    new ResizeObserver(() => at("over-time").clientWidth !== this.wide && this.#draw()).observe(at("over-time"));
  }

  /** Show that sums of so many rows are being made: those that are there are of what was asked before. */
  adding(total) {
    at("totals").setAttribute("aria-busy", "true");
    at("charts").setAttribute("aria-busy", "true");
    showAdding(at("totals"), total);
  }

  /** Show what the server said of the rows; `lines` is null where it says nothing. */
  show(told, lines) {
    claim((lines?.series ?? []).filter((line) => !line.rest).map((line) => line.name));
    this.told = told;
    this.lines = lines;
    at("totals").removeAttribute("aria-busy");
    at("charts").removeAttribute("aria-busy");
    showTotals(at("totals"), told);
    this.#draw();
  }

  #draw() {
    if (at("charts").hidden || !this.told) return;
    const drawn = HISTOGRAMS.map(([id, ...how]) => [at(id), ...how]);
    // First those that go, so that the others know how wide they are.
    drawn.forEach(([node, , name]) => (node.hidden = !this.told[name]?.bins.length));
    drawn.forEach(([node, title, name, shown]) => node.hidden || drawHistogram(node, title, this.told[name], shown));
    this.wide = at("over-time").clientWidth;
    drawOverTime(at("over-time"), this.lines, this.chosen);
  }

  /** Show or hide them. */
  toggle() {
    at("charts").hidden = !at("charts").hidden;
    keep("charts", !at("charts").hidden);
    this.#say();
    this.#draw();
  }

  #say() {
    at("toggle-charts").setAttribute("aria-expanded", String(!at("charts").hidden));
  }
}
