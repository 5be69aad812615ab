// The conversation as people read it. What was sent again from earlier turns is folded away.

import { button, el, put } from "./dom.js";
import { long } from "./content.js";
import { tree } from "./json.js";

const SHOWN = 12_000;
const NAMES = { text: "", thinking: "Thinking", tool: "Tool call", tool_result: "Tool result", image: "Image", audio: "Audio", file: "File", refusal: "Refusal" };

/** Messages `{role, blocks: [{kind, text, name, new}]}`, the reply last. */
export function showConversation(node, messages) {
  if (!messages?.length) return put(node, el("p", { class: "nothing" }, "No conversation was found in these bodies; Request and Response have them as they are."));
  const { before, now } = parted(messages);
  put(node, before.length > 0 && resent(before), before.length > 0 && el("p", { class: "divide" }, "New in this turn"), now.map(message));
}

/** The messages that only repeat earlier turns, and the others. */
export function parted(messages) {
  const old = (one) => one.blocks.length > 0 && one.blocks.every((block) => block.new === false);
  return { before: messages.filter(old), now: messages.filter((one) => !old(one)) };
}

function resent(messages) {
  const folded = el("details", { class: "resent" }, el("summary", {}, `${messages.length} ${messages.length === 1 ? "message" : "messages"} sent again from earlier turns`));
  folded.addEventListener("toggle", () => folded.childElementCount === 1 && folded.append(...messages.map(message)));
  return folded;
}

function message({ role, blocks }) {
  const known = ["system", "developer", "user", "assistant", "tool"].includes(role) ? role : "other";
  return el("section", { class: `message ${known}` }, el("h3", {}, role ?? "unknown"), blocks.map(block));
}

function block(part) {
  const label = [NAMES[part.kind] ?? part.kind, part.name].filter(Boolean).join(" · ");
  const kind = part.kind in NAMES ? part.kind : "other";
  const inside = kind === "tool" || kind === "tool_result" ? structured(part.text ?? "") : prose(part.text ?? "");
  if (kind === "thinking") return el("details", { class: "block thinking", open: true }, el("summary", {}, label), inside);
  return el("div", { class: `block ${kind}` }, label && el("p", { class: "label" }, label), inside);
}

function structured(text) {
  try {
    const value = JSON.parse(text);
    if (value && typeof value === "object") return el("div", { class: "json" }, tree(value));
  } catch {
    // Not JSON: text as it is.
  }
  return long(text, {}, SHOWN);
}

// Fenced code keeps its own type; nothing else of Markdown is interpreted.
function prose(text) {
  if (text.length > SHOWN) {
    const folded = el("div", {}, fenced(text.slice(0, SHOWN)));
    const more = button(`Show all ${text.length.toLocaleString()} characters`, () => put(folded, fenced(text)), { class: "more" });
    folded.append(more);
    return folded;
  }
  return fenced(text);
}

function fenced(text) {
  const parts = text.split(/^```.*\n?/m).map((part) => part.replace(/^\n+|\s+$/g, ""));
  return parts.map((part, place) => (part ? el(place % 2 ? "pre" : "p", { class: place % 2 ? "code" : "prose" }, part) : null));
}
