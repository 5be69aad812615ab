// One exchange: its numbers, and what its capture holds.

import * as api from "./api.js";
import { at, button, copy, el, put } from "./dom.js";
import { showContent } from "./content.js";
import { showConversation } from "./conversation.js";
import { showFacts, showName } from "./facts.js";
import { time } from "./format.js";
import { highlight } from "./highlight.js";
import { showTimeline } from "./timeline.js";

const TABS = ["conversation", "request", "response", "headers", "timeline"];
const NOT_KEPT = "Not kept: no capture of this exchange, or only its headers (meter_capture), or it was pruned.";

/**
 * The view of one exchange; `turned(tab)`, `only(filter, value)` and `forgotten()`
 * are told what the person does.
 */
export class CaptureView {
  constructor(node, told) {
    this.node = node;
    this.told = told;
    this.about = {};
    this.informed = Promise.resolve({});
    this.shown = null;
    put(at("tabs"), TABS.map((tab) => button(tab, () => told.turned(tab), { role: "tab", id: `tab-${tab}`, "aria-controls": "capture-body" })));
    at("tabs").addEventListener("keydown", (event) => this.#turn(event));
    // `toggle` does not bubble: what is unfolded is marked as well.
    at("capture-body").addEventListener("toggle", () => highlight(at("capture-body"), this.text), true);
  }

  #turn(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const here = TABS.indexOf(this.tab);
    const next = TABS[(here + by + TABS.length) % TABS.length];
    this.told.turned(next);
    at(`tab-${next}`).focus();
  }

  /** Show an exchange, or nothing with null; `text` is what was searched for. */
  async open(id, tab, text) {
    this.text = text;
    this.node.hidden = id === null;
    document.body.classList.toggle("split", id !== null);
    if (id === null) return this.#leave();
    if (this.shown?.id !== id) await this.#load(id);
    this.#body(tab);
  }

  #leave() {
    this.asking?.abort();
    this.shown = null;
    this.wanted = null;
  }

  async #load(id) {
    this.asking?.abort();
    this.asking = new AbortController();
    this.wanted = id;
    this.shown = null;
    this.node.setAttribute("aria-busy", "true");
    try {
      const [found, about] = await Promise.all([api.capture(id, this.asking.signal), this.informed]);
      if (this.wanted !== id) return;
      this.about = about;
      this.shown = { ...found, id };
      this.#head(this.shown);
    } catch (error) {
      if (error.name !== "AbortError" && this.wanted === id) this.#missing(id, error);
    } finally {
      if (this.wanted === id) this.node.removeAttribute("aria-busy");
    }
  }

  #missing(id, error) {
    put(at("capture-name"), `Exchange ${id}`);
    put(at("capture-actions"));
    put(at("capture-facts"));
    put(at("capture-body"), el("p", { class: "nothing" }, error.status === 404 ? "There is no row of this id; it may be of another meter_dir." : `${error.message}. ${api.remedy(error)}`));
  }

  #head(row) {
    showName(at("capture-name"), row, this.told.only);
    showFacts(at("capture-facts"), row, this.told.only);
    put(at("capture-actions"),
      row.curl && button("Copy as cURL", (event) => copy(row.curl, event.currentTarget), { id: "curl" }),
      el("a", { class: "button", href: api.download(row.id, "json"), download: `capture-${row.id}.json` }, "Download"),
      this.about.flows && el("a", { class: "button", href: `${this.about.flows}${encodeURIComponent(row.flow_id)}/response`, id: "flow" }, "In mitmweb"),
      row.has_capture && this.about.deletes && button("Delete…", () => at("forget").showModal(), { class: "danger", id: "delete" }));
    at("forget-which").textContent = `The capture of ${row.model ?? row.path} from ${time(row.started)}`;
  }

  #body(tab) {
    this.tab = tab;
    for (const name of TABS) {
      const chosen = name === tab;
      at(`tab-${name}`).setAttribute("aria-selected", String(chosen));
      at(`tab-${name}`).tabIndex = chosen ? 0 : -1;
    }
    const body = at("capture-body");
    body.setAttribute("aria-labelledby", `tab-${tab}`);
    if (!this.shown) return;
    body.scrollTop = 0;
    SHOW[tab](body, this.shown);
    const first = highlight(body, this.text);
    if (first) first.startContainer.parentElement.scrollIntoView({ block: "center" });
    else if (this.text) body.querySelector(".resent")?.setAttribute("open", "");
  }

  /** Copy the command of what is open. */
  copyCurl() {
    at("curl")?.click();
  }

  /** Forget the capture of what is open; returns what went wrong, or null. */
  async forget() {
    try {
      await api.forget(this.shown.id, this.about.xsrf_cookie);
    } catch (error) {
      return error.message;
    }
    this.shown = null;
    this.told.forgotten();
    return null;
  }
}

/** A body as bytes; the server writes it as text where it is text. */
function bytesOf(body, encoding) {
  if (body === null || body === undefined) return null;
  return encoding === "base64" ? Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0)) : new TextEncoder().encode(body);
}

const type = (headers) => headers?.find(([name]) => name.toLowerCase() === "content-type")?.[1] ?? "";

function side(node, row, name, points) {
  const held = row.capture;
  const body = held && bytesOf(held[`${name}_body`], held[`${name}_body_encoding`]);
  showContent(node, {
    body: body?.length ? body : null,
    type: held ? type(held[`${name}_headers`]) : "",
    cut: held?.[`${name}_cut`],
    name: `${row.id}-${name}`,
    points,
    why: body ? "Empty." : (row.capture_error ?? NOT_KEPT),
  });
}

function showHeaders(node, row) {
  const held = row.capture;
  if (!held) return put(node, el("p", { class: "nothing" }, row.capture_error ?? NOT_KEPT));
  const parts = [
    [`${held.method} ${held.url}`, held.request_headers],
    [[held.http_version, held.status, held.reason].filter(Boolean).join(" "), held.response_headers],
    ["Trailers", held.response_trailers],
  ];
  put(node, parts.filter(([, headers]) => headers).map(([name, headers]) => el("table", { class: "headers small" }, el("caption", {}, name),
    el("tbody", {}, headers.map(([field, value]) => el("tr", {}, el("th", { scope: "row" }, field), el("td", { class: value.startsWith("[REDACTED") ? "absent" : null }, value)))))));
}

const SHOW = {
  conversation: (node, row) => showConversation(node, row.conversation, row.conversation_left_out),
  request: (node, row) => side(node, row, "request"),
  response: (node, row) => side(node, row, "response", row.timeline),
  headers: showHeaders,
  timeline: (node, row) => showTimeline(node, row.timing, row.timeline),
};
