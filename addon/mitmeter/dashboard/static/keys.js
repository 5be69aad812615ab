// The keyboard.

import { at, el, put } from "./dom.js";

/** What the keys do, for the help. */
export const KEYS = [
  ["j  ↓", "next row; with a capture open, the next capture"],
  ["k  ↑", "row before"],
  ["g  G", "first, last row of the page"],
  ["enter", "open the capture"],
  ["esc", "close what is open, or leave a field"],
  ["n  p", "next page, page before"],
  ["/", "search"],
  ["x", "clear the filters"],
  ["1 … 5", "conversation, request, response, headers, timeline"],
  ["y", "copy as cURL"],
  ["c", "columns"],
  ["h", "show or hide the charts"],
  ["r", "refresh"],
  ["t", "light or dark"],
  ["?", "this list"],
];

/** Fill the help. */
export function explain() {
  put(at("keys"), KEYS.map(([keys, does]) => [
    el("dt", {}, keys.split("  ").map((key) => [el("kbd", {}, key), " "])),
    el("dd", {}, does),
  ]));
}

const typing = (target) => target.closest?.("input, select, textarea, [contenteditable]") && target.type !== "checkbox";

/** What an action returns that leaves the key to the browser. */
export const LEAVE = Symbol("leave");

/** Have `actions` (by key) called; a key that is typed into a field is left alone, but for Escape. */
export function bind(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.key === "Escape" && typing(event.target)) return event.target.blur();
    if (typing(event.target) || (document.querySelector("dialog[open]") && event.key !== "?")) return;
    const act = actions[event.key];
    if (act && act() !== LEAVE) event.preventDefault();
  });
}
