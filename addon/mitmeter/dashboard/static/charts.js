// The totals and charts above the table.

import { at } from "./dom.js";
import * as format from "./format.js";
import { drawHistogram } from "./histogram.js";
import { keep, kept } from "./kept.js";
import { drawOverTime } from "./over_time.js";
import { series } from "./series.js";
import { showTotals } from "./totals.js";

/** `chosen(from, to)` gets the dates of a part of the time that was dragged over. */
export class Charts {
  constructor(chosen) {
    this.chosen = chosen;
    this.told = null;
    at("charts").hidden = !kept("charts", true);
    this.#say();
    new ResizeObserver(() => this.#overTime()).observe(at("over-time"));
  }

  /** Show what the server said of the rows; `lines` is null where it says nothing. */
  show(told, lines) {
    (told.models ?? []).forEach((one) => series(one.model));
    this.told = told;
    this.lines = lines;
    showTotals(at("totals"), told);
    this.#draw();
  }

  #draw() {
    if (at("charts").hidden || !this.told) return;
    drawHistogram(at("first-token"), "Time to first token", this.told.first_token_histogram, format.moment);
    drawHistogram(at("prompt-speed"), "Prompt speed, t/s", this.told.prompt_histogram, format.roughly);
    drawHistogram(at("gen-speed"), "Generation speed, t/s", this.told.gen_histogram, format.roughly);
    this.#overTime();
  }

  #overTime() {
    const node = at("over-time");
    if (!this.told || at("charts").hidden || this.wide === node.clientWidth && this.drawn === this.lines) return;
    this.wide = node.clientWidth;
    this.drawn = this.lines;
    drawOverTime(node, this.lines, this.chosen);
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
