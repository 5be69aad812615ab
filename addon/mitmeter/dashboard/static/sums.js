// What the rows that are wanted come to: asked for when the filter changes, and again when there are new rows.

import * as address from "./address.js";
import * as api from "./api.js";
import { totalsOf } from "./totals.js";

const PAUSE = 1000;
const PATIENCE = 5;
const NOTICEABLE = 250;

/** `summed(stats, series)` gets the sums, `adding(total)` that those of so many rows take time, `failed(error)` a failure. */
export class Sums {
  constructor(told) {
    this.told = told;
    this.key = null;
    this.asking = null;
    this.timer = 0;
    this.took = 0;
    this.at = -Infinity;
  }

  /** Have the sums of what a state wants; `found` is its page of rows, `fresh` says that rows have come. */
  want(state, found, fresh) {
    const key = `${address.summed(state.filters)} ${state.filters.text ?? ""}`;
    const same = key === this.key;
    Object.assign(this, { key, state, found });
    if (state.filters.text) return this.#rest(() => this.told.summed(totalsOf(found.data), null));
    if (!same) return this.#rest(() => this.#ask());
    // What is being made is waited for, however many rows come meanwhile.
    if (this.asking || this.timer) return undefined;
    return this.#later(fresh ? this.at + Math.max(PAUSE, this.took * PATIENCE) - performance.now() : 0);
  }

  #rest(begin) {
    clearTimeout(this.timer);
    this.timer = 0;
    this.asking?.abort();
    this.asking = null;
    begin();
  }

  // Sums over very many rows take time: new rows have them made again no more often than a part of that time allows.
  #later(ms) {
    this.timer = setTimeout(() => {
      this.timer = 0;
      this.#ask();
    }, Math.max(0, ms));
  }

  async #ask() {
    const asking = (this.asking = new AbortController());
    const began = performance.now();
    const params = address.summed(this.state.filters);
    const slow = setTimeout(() => this.told.adding(this.found.total), NOTICEABLE);
    try {
      const [stats, series] = await Promise.all([api.stats(params, asking.signal), api.series(params, asking.signal)]);
      if (asking !== this.asking) return;
      this.told.summed(stats, series);
      this.#answered(performance.now() - began, Math.max(stats.again_ms ?? 0, series.again_ms ?? 0));
    } catch (error) {
      if (error.name === "AbortError" || asking !== this.asking) return;
      this.told.failed(error);
      this.#answered(performance.now() - began, 0);
    } finally {
      clearTimeout(slow);
    }
  }

  // The server may give older sums at once, and say when it has newer ones.
  #answered(took, again) {
    this.asking = null;
    this.took = took;
    this.at = performance.now();
    if (again) this.#later(Math.max(PAUSE, again));
  }
}
