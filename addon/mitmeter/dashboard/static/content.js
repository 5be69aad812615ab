// A body, pretty or raw. Bodies may be large: what is shown at first is bounded.

import { button, copy, el, put, save } from "./dom.js";
import { bytes, moment } from "./format.js";
import { tree } from "./json.js";
import { gist, messages, reached } from "./messages.js";

const SHOWN = 256 * 1024;
const EVENTS = 200;
const HEAD = 240;
const TYPES = /^(text\/|application\/([\w.+-]*json|x-ndjson|xml|x-www-form-urlencoded|graphql))/i;

/** Bytes as text, null where they are none. */
export function textOf(body, type = "") {
  if (!body) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    return TYPES.test(type) ? new TextDecoder().decode(body) : null;
  }
}

/** A text that may be long: the first part of it, and the rest when asked for. */
export function long(text, attributes = {}, shown = SHOWN) {
  const block = el("pre", attributes, text.slice(0, shown));
  if (text.length <= shown) return block;
  const more = button(`Show all ${text.length.toLocaleString()} characters`, () => {
    block.textContent = text;
    more.remove();
  }, { class: "more" });
  return [block, more];
}

function parsed(text) {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return null;
  }
}

function line(message, points) {
  const json = parsed(message.text);
  const when = reached(message.end, points);
  const head = [el("span", { class: "when" }, when === null ? "" : moment(when)), message.name && el("b", {}, `${message.name} `), el("code", {}, ((json && gist(json.value)) || message.text).slice(0, HEAD))];
  if (!json || typeof json.value !== "object") return el("li", {}, el("div", { class: "event" }, head));
  const folded = el("details", { class: "event" }, el("summary", {}, head));
  folded.addEventListener("toggle", () => folded.childElementCount === 1 && folded.append(tree(json.value)));
  return el("li", {}, folded);
}

function listed(found, points) {
  const list = el("ol", { class: "events" });
  const add = (from) => {
    list.append(...found.slice(from, from + EVENTS).map((message) => line(message, points)));
    const left = found.length - from - EVENTS;
    if (left <= 0) return;
    const more = el("li", {}, button(`${left} more events`, () => (more.remove(), add(from + EVENTS)), { class: "more" }));
    list.append(more);
  };
  add(0);
  return list;
}

function pretty(text, type, points) {
  const json = parsed(text);
  if (json) return el("div", { class: "json" }, tree(json.value));
  if (/event-stream|ndjson|jsonl/i.test(type) || /^(event|data|id):/.test(text)) return listed(messages(text, type), points);
  return long(text);
}

/** A body with its switch; `why` says why there is none, `points` when what of it was there. */
export function showContent(node, { body, type, cut, name, why, points }) {
  if (!body) return put(node, el("p", { class: "nothing" }, why));
  const text = textOf(body, type);
  const facts = [type, bytes(body.length), cut ? `${bytes(cut)} more were left out` : ""].filter(Boolean).join(" · ");
  const shown = el("div", { class: "content" });
  const download = button("Download", () => save(name, new Blob([body], { type: "application/octet-stream" })));
  if (text === null) return put(node, el("div", { class: "bar" }, el("span", {}, facts), download), el("p", { class: "nothing" }, "Binary: nothing to read."));
  const modes = { Pretty: () => pretty(text, type, points), Raw: () => long(text) };
  const buttons = Object.keys(modes).map((mode) => button(mode, () => choose(mode), { class: "choice" }));
  const choose = (mode) => {
    buttons.forEach((one) => one.setAttribute("aria-pressed", one.textContent === mode));
    put(shown, modes[mode]());
  };
  put(node, el("div", { class: "bar" }, el("span", { class: "choices" }, buttons), el("span", {}, facts), button("Copy", (event) => copy(text, event.currentTarget)), download), shown);
  choose("Pretty");
}
