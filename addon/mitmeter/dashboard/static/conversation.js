// The conversation as people read it. What was sent again from earlier turns is folded away.

import { button, el, put } from "./dom.js";
import { long } from "./content.js";
import { tree } from "./json.js";

const SHOWN = 12_000;
const SYSTEM_SHOWN = 600;
const ROLES = ["system", "user", "assistant", "tool"];
const KINDS = ["text", "thinking", "tool", "tool_result", "image", "audio", "file", "media", "other"];
const NAMES = { thinking: "Thinking", tool: "Tool call", tool_result: "Tool result", other: "Other" };
const STRUCTURED = ["tool", "tool_result", "other"];

/** Show messages `{role, blocks}`, the reply last, and in words what is not in them. */
export function showConversation(node, messages, leftOut) {
  const missing = (leftOut ?? []).map((what) => el("p", { class: "left-out" }, `Left out: ${what}`));
  if (!messages?.length) return put(node, el("p", { class: "nothing" }, "No conversation was found in these bodies; Request and Response have them as they are."), missing);
  const { before, now } = parted(messages);
  const calls = callNames(messages);
  put(node, before.length > 0 && [resent(before, calls), el("p", { class: "divide" }, "New in this turn")], now.map((one) => message(one, calls)), missing);
}

/** The messages that only repeat earlier turns, and the others. */
export function parted(messages) {
  const old = ({ blocks }) => blocks.length > 0 && blocks.every((block) => block.new === false);
  return { before: messages.filter(old), now: messages.filter((one) => !old(one)) };
}

/** The names of tools by the ids of their calls: a result has no more than the id. */
function callNames(messages) {
  const blocks = messages.flatMap((one) => one.blocks).filter((block) => block.call && block.name);
  return new Map(blocks.map((block) => [block.call, block.name]));
}

function resent(messages, calls) {
  const folded = el("details", { class: "resent" }, el("summary", {}, `${messages.length} ${messages.length === 1 ? "message" : "messages"} sent again from earlier turns`));
  folded.addEventListener("toggle", () => folded.childElementCount === 1 && folded.append(...messages.map((one) => message(one, calls))));
  return folded;
}

function message({ role, blocks }, calls) {
  return el("section", { class: `message ${ROLES.includes(role) ? role : ""}` }, el("h3", {}, role || "unknown"), blocks.map((part) => block(part, calls, role === "system" ? SYSTEM_SHOWN : SHOWN)));
}

function block(part, calls, shown) {
  const kind = KINDS.includes(part.kind) ? part.kind : "text";
  const label = [NAMES[kind], NAMES[kind] && (part.name ?? calls.get(part.call))].filter(Boolean).join(" · ");
  const inside = [STRUCTURED.includes(kind) ? structured(part.text) : prose(part.text, shown), part.cut > 0 && el("p", { class: "left-out" }, `${part.cut.toLocaleString()} more characters are not shown`)];
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

function prose(text, shown) {
  if (text.length <= shown) return fenced(text);
  const folded = el("div", {}, fenced(`${text.slice(0, shown)} …`));
  folded.append(button(`Show all ${text.length.toLocaleString()} characters`, () => put(folded, fenced(text)), { class: "more" }));
  return folded;
}

// Fenced code keeps its own type; nothing else of Markdown is interpreted.
function fenced(text) {
  const parts = text.split(/^```.*\n?/m).map((part) => part.replace(/^\n+|\s+$/g, ""));
  return parts.map((part, place) => (part ? el(place % 2 ? "pre" : "p", { class: place % 2 ? "code" : "prose" }, part) : null));
}
