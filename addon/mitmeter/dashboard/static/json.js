// JSON as a tree that opens where one looks: only what is open is built.

import { button, el } from "./dom.js";

const PIECE = 100;
const LONG = 400;
const OPEN = 2;
const TELLING = ["type", "role", "name", "model"];

/** The tree of a parsed value, its first levels open; `label` stands before it. */
export function tree(value, depth = 0, label = null) {
  const entries = value !== null && typeof value === "object" ? Object.entries(value) : [];
  if (!entries.length) return el("div", { class: "leaf" }, label, leaf(value));
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  const hint = el("span", { class: "hint" }, ` ${Array.isArray(value) ? many(entries.length) : preview(entries)} `);
  const branch = el("details", { class: "branch" }, el("summary", {}, label, el("span", { class: "sign" }, open), hint, el("span", { class: "sign" }, close)));
  const build = () => branch.childElementCount === 1 && branch.append(grown(entries, 0, depth, Array.isArray(value)));
  branch.addEventListener("toggle", () => branch.open && build());
  if (depth < OPEN && entries.length <= PIECE) {
    build();
    branch.open = true;
  }
  return branch;
}

const many = (number) => (number === 1 ? "1 item" : `${number} items`);

function preview(entries) {
  const named = entries.slice(0, 4).map(([key, value]) => (TELLING.includes(key) && typeof value === "string" ? `${key}: ${value.slice(0, 40)}` : key));
  return named.join(", ") + (entries.length > 4 ? ", …" : "");
}

function grown(entries, from, depth, numbered) {
  const item = ([key, value]) => el("li", {}, tree(value, depth + 1, el("span", { class: numbered ? "index" : "key" }, `${key}: `)));
  const list = el("ul", { class: "entries" }, entries.slice(from, from + PIECE).map(item));
  const left = entries.length - from - PIECE;
  if (left > 0) {
    const more = button(`${left} more`, () => more.parentNode.replaceWith(...grown(entries, from + PIECE, depth, numbered).children), { class: "more" });
    list.append(el("li", {}, more));
  }
  return list;
}

function leaf(value) {
  if (Array.isArray(value)) return el("span", { class: "sign" }, "[]");
  if (value === null || typeof value === "object") return el("span", { class: "sign" }, value ? "{}" : "null");
  if (typeof value !== "string") return el("span", { class: typeof value }, String(value));
  if (value.length <= LONG) return el("span", { class: "string" }, JSON.stringify(value));
  const text = el("span", { class: "string" }, JSON.stringify(value.slice(0, LONG)).slice(0, -1), "…");
  const more = button(`all ${value.length.toLocaleString()} characters`, () => text.replaceChildren(value), { class: "more" });
  return [text, " ", more];
}
