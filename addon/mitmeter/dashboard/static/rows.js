// The rows on the page: asked for, and again when there are new ones.

import * as address from "./address.js";
import * as api from "./api.js";
import { Sums } from "./sums.js";

const PAUSE = 400;
const PATIENCE = 5;
const NOTICEABLE = 250;

/**
 * `shown(page, fresh)` gets a page of rows, `waiting(yes)` whether one is waited for, `failed(error)` what went
 * wrong; what `Sums` tells is told as well.
 */
export class Rows {
  constructor(told) {
    this.told = told;
    this.found = null;
    this.asking = null;
    this.timer = 0;
    this.took = 0;
    this.more = false;
    this.sums = new Sums(told);
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
      this.sums.want(state, found, fresh);
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
    const before = this.found;
    const params = address.page(state);
    params.set("max_id", before.searched.next_max_id);
    try {
      const more = await api.activity(params);
      if (this.found !== before) return;
      more.searched.captures += before.searched.captures;
      this.found = { ...more, data: [...before.data, ...more.data] };
      this.told.shown(this.found, false);
      this.sums.want(state, this.found, false);
    } catch (error) {
      this.told.failed(error);
    }
  }
}
