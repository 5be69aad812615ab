// The form of filters. Its fields have the names that the address has.

import { at, button, el, put } from "./dom.js";
import { FILTERS } from "./address.js";

const PAUSE = 300;
const SHOWN = { start: "from", end: "to", since: "last", min_id: "from id", max_id: "to id" };
const TIMES = new Set(["start", "end"]);

/** The form; `changed(filters, typed)` gets all of them whenever one has changed. */
export class Filters {
  constructor(form, changed) {
    this.form = form;
    this.changed = changed;
    this.timer = 0;
    form.addEventListener("submit", (event) => this.#soon(event, 0));
    form.addEventListener("input", (event) => this.#soon(event, event.target.tagName === "SELECT" ? 0 : PAUSE));
  }

  #soon(event, pause) {
    if (event.type === "submit") event.preventDefault();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.changed(this.#values(), event.type === "input"), pause);
  }

  #values() {
    const filters = { ...this.current };
    for (const field of this.form.elements) if (FILTERS.includes(field.name)) set(filters, field.name, field.value);
    return filters;
  }

  /** Show filters in the form and as chips, but leave the field alone in which someone writes. */
  show(filters) {
    this.current = filters;
    for (const field of this.form.elements) {
      if (!FILTERS.includes(field.name) || field === document.activeElement) continue;
      if (field.tagName === "SELECT") offer(field, filters[field.name]);
      field.value = filters[field.name] ?? "";
    }
    const active = Object.entries(filters);
    put(at("chips"), active.map(([name, value]) => this.#chip(name, value)), active.length > 1 && button("Clear all", () => this.changed({}), { class: "chip clear" }));
    at("chips").hidden = active.length === 0;
  }

  #chip(name, value) {
    const shown = TIMES.has(name) ? new Date(value).toLocaleString() : value;
    const drop = () => this.changed(set({ ...this.current }, name, ""));
    // A time that passed is an instant, or how long ago.
    const told = name === "since" && !/^\d+[a-z]+$/.test(value) ? name : (SHOWN[name] ?? name);
    return el("span", { class: "chip" }, el("b", {}, told), ` ${shown}`, button("×", drop, { "aria-label": `Remove the filter ${name}` }));
  }
}

function set(filters, name, value) {
  if (value.trim()) filters[name] = value.trim();
  else delete filters[name];
  return filters;
}

// A value from the address that the list does not have shall be seen all the same.
function offer(select, value) {
  if (value && ![...select.options].some((option) => option.value === value)) select.add(new Option(value, value));
}

/** Offer the names that there are for a field. */
export function suggest(name, values) {
  put(at(`known-${name}`), values.map((value) => el("option", { value })));
}
