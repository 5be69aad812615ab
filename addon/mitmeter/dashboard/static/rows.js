// The rows on the page and what they come to: asked for, and again when there are new ones.

import * as address from "./address.js";
import * as api from "./api.js";
import { totalsOf } from "./totals.js";

const PAUSE = 400;
const SUMS_PAUSE = 1000;
const PATIENCE = 5;
const NOTICEABLE = 250;

/**
 * `shown(page, fresh)` gets a page of rows, `waiting(yes)` whether one is waited for, `adding(total)` that
 * sums of so many rows are under way, `summed(stats, series)` the sums, `failed(error)` what went wrong.
 */
export class Rows {
  constructor(told) {
    this.told = told;
    this.found = null;
    this.asking = null;
    this.timer = 0;
    this.took = 0;
    this.more = false;
    this.sums = { state: null, took: 0, at: -Infinity, timer: 0, asking: null };
  }

  /** The rows that are shown. */
  get data() {
    return this.found?.data ?? [];
  }

  /** Ask for what a state wants, now. */
  async ask(state, fresh = false) {
    clearTimeout(this.timer);
    this.timer = 0;
    this.state = state;
    this.asking?.abort();
    const asking = (this.asking = new AbortController());
    const slow = fresh ? 0 : setTimeout(() => this.told.waiting(true), NOTICEABLE);
    const began = performance.now();
    try {
      const found = await api.activity(address.page(state), asking.signal);
      if (asking !== this.asking) return;
      this.found = found;
      this.told.waiting(false);
      this.told.shown(found, fresh);
      this.#sumSoon(state, fresh);
    } catch (error) {
      if (error.name === "AbortError" || asking !== this.asking) return;
      this.told.waiting(false);
      this.told.failed(error);
    } finally {
      clearTimeout(slow);
      if (asking === this.asking) this.#answered(performance.now() - began);
    }
  }

  #answered(took) {
    this.asking = null;
    this.took = took;
    if (this.more) this.soon(this.state);
  }

  /** Ask again before long: rows have come. What is being asked is waited for; a search is left as it is. */
  soon(state) {
    if (this.timer || state.filters.text) return;
    this.more = this.asking !== null;
    if (!this.more) this.timer = setTimeout(() => this.ask(state, true), Math.max(PAUSE, this.took * PATIENCE));
  }

  /** Ask again for the same. */
  refresh() {
    return this.ask(this.state);
  }

  /** Show the same again. */
  again() {
    if (this.found) this.told.shown(this.found, false);
  }

  /** Whether a search has not come to its end. */
  searchesOn() {
    return this.found?.searched?.complete === false;
  }

  /** Search on where it stopped, and add what is found. */
  async searchOn(state) {
    const params = address.page(state);
    params.set("max_id", this.found.searched.next_max_id);
    try {
      const more = await api.activity(params);
      more.searched.captures += this.found.searched.captures;
      this.found = { ...more, data: [...this.found.data, ...more.data] };
      this.told.shown(this.found, false);
      this.told.summed(totalsOf(this.data), null);
    } catch (error) {
      this.told.failed(error);
    }
  }

  // Sums over very many rows take time: new rows have them made again no more often than a part of that time allows.
  #sumSoon(state, fresh) {
    const key = String(address.summed(state.filters)) + (state.filters.text ?? "");
    const again = key === this.sums.state;
    if (again && !fresh && this.sums.at > performance.now() - SUMS_PAUSE) return;
    this.sums.state = key;
    clearTimeout(this.sums.timer);
    const due = this.sums.at + Math.max(SUMS_PAUSE, this.sums.took * PATIENCE);
    const wait = again ? Math.max(0, due - performance.now()) : 0;
    this.sums.timer = setTimeout(() => this.#sum(state), wait);
  }

  async #sum(state) {
    if (state.filters.text) return this.told.summed(totalsOf(this.data), null);
    this.sums.asking?.abort();
    const asking = (this.sums.asking = new AbortController());
    const began = performance.now();
    const params = address.summed(state.filters);
    const slow = setTimeout(() => this.told.adding(this.found.total), NOTICEABLE);
    try {
      const [stats, series] = await Promise.all([api.stats(params, asking.signal), api.series(params, asking.signal)]);
      this.told.summed(stats, series);
    } catch (error) {
      if (error.name !== "AbortError") this.told.failed(error);
    } finally {
      clearTimeout(slow);
    }
    this.sums.at = performance.now();
    this.sums.took = this.sums.at - began;
    return undefined;
  }
}
