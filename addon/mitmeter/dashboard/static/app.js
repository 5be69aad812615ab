// The page: what the address says is asked for and shown, and what the person does goes into the address.

import * as address from "./address.js";
import * as api from "./api.js";
import { arrangeIn } from "./arrange.js";
import { CaptureView } from "./capture.js";
import { Charts } from "./charts.js";
import { COLUMNS, arranged, arrangement } from "./columns.js";
import { at, button, copy, el, put } from "./dom.js";
import { listen } from "./events.js";
import { Filters, suggest } from "./filters.js";
import * as format from "./format.js";
import { InFlight, elapsed } from "./inflight.js";
import { keep, kept } from "./kept.js";
import { LEAVE, bind, explain } from "./keys.js";
import { Rows } from "./rows.js";
import { markdown } from "./summary.js";
import { Table } from "./table.js";

const TICK = 250;
// Filters by what is not known of a request while it runs, or that look at what is over.
const UNTOLD = ["outcome", "status", "text", "session", "credential", "agent", "end", "max_id"];
const SUGGESTED = ["model", "provider", "host", "path", "status"];

let state = address.read(location.search);
let columns = arranged(kept("columns"));
const flight = new InFlight();
const table = new Table(at("rows"), { sorted: sort, opened: (id) => go({ capture: id }), moved: moveColumn });
const view = new CaptureView(at("capture"), { turned: (tab) => go({ tab }, false), only, forgotten: () => rows.refresh() });
const filters = new Filters(at("filters"), (found, typed) => go({ filters: found, page: 1 }, !typed));
const charts = new Charts(chooseTime);
const rows = new Rows({ shown: showRows, waiting: showWaiting, failed: showTrouble, adding: (total) => charts.adding(total), summed: (told, series) => charts.show(told, series) });

/** Change the state: the address, then what is shown. `push` makes a step for the back button. */
function go(change, push = true) {
  const before = state;
  state = { ...state, ...change };
  const url = location.pathname + address.write(state);
  if (push) history.pushState(null, "", url);
  else history.replaceState(null, "", url);
  show(before);
}

function show(before) {
  const [was, is] = [before && String(address.page(before)), String(address.page(state))];
  filters.show(state.filters);
  if (!before || was !== is) {
    headings();
    rows.ask(state);
  }
  if (!before || before.capture !== state.capture || before.tab !== state.tab) open(before);
}

/** The headings; what a search in texts finds has no order but its own. */
function headings() {
  table.arrange(columns, state.filters.text ? null : state.sort, state.order);
}

async function open(before) {
  table.choose(state.capture);
  await view.open(state.capture, state.tab, state.filters.text);
  if (state.capture === null && before?.capture) table.link(before.capture)?.focus();
}

function sort(key) {
  const order = state.sort === key && state.order === "desc" ? "asc" : "desc";
  go({ sort: key, order, page: 1 });
}

function only(filter, value) {
  go({ filters: { ...state.filters, [filter]: value }, page: 1 });
}

function chooseTime(from, to) {
  const { since, ...rest } = state.filters;
  go({ filters: { ...rest, start: from.toISOString(), end: to.toISOString() }, page: 1 });
}

function showRows(found, fresh) {
  at("trouble").hidden = true;
  flight.settle(found.data, performance.now());
  table.show(found.data, state.capture, fresh);
  showLive();
  showPlace(found);
  showEmpty(found);
}

function showWaiting(waits) {
  at("scroll").setAttribute("aria-busy", String(waits));
  if (waits) at("place").textContent = state.filters.text ? "Searching …" : "Looking …";
}

function showPlace(found) {
  const first = (found.page - 1) * found.limit + 1;
  const searched = found.searched;
  at("place").textContent = searched
    ? `${format.count(found.data.length)} found in ${format.count(searched.captures)} captures${searched.complete ? "" : ", so far"}`
    : found.total ? `${format.count(first)} to ${format.count(first + found.data.length - 1)} of ${format.count(found.total)}` : "No rows";
  at("previous").disabled = found.page <= 1;
  at("next").disabled = searched ? searched.complete : found.page >= found.total_pages;
  at("next").textContent = searched && !searched.complete ? "Search on" : "Next";
}

function showEmpty(found) {
  const none = found.data.length === 0 && flight.list().length === 0;
  at("empty").hidden = !none;
  if (!none) return;
  if (Object.keys(state.filters).length)
    return put(at("empty"), el("h2", {}, "No exchange matches."), el("p", {}, "Loosen a filter, or "), button("clear all of them", () => go({ filters: {}, page: 1 })));
  return put(at("empty"), el("h2", {}, "Nothing metered yet."), el("p", {}, "Point a client at the proxy. Each request to an LLM API becomes a row here, while it runs:"),
    el("pre", {}, "OPENAI_BASE_URL=http://127.0.0.1:8080/v1\nANTHROPIC_BASE_URL=http://127.0.0.1:8080"));
}

function showTrouble(error) {
  at("trouble").hidden = false;
  put(at("trouble"), el("b", {}, `${error.message}. `), api.remedy(error), " ", button("Try again", () => rows.ask(state)));
}

/** What is under way, as far as the filters that can be told from it go. */
function showLive() {
  const now = performance.now();
  const requests = flight.list().filter((request) => wanted(request)).map((request) => ({ ...request, started: request.timestamp, path: request.req_path, model: request.model || request.request_model, elapsed: () => elapsed(request, now) }));
  table.showLive(state.page === 1 ? requests : [], now);
  at("running").textContent = flight.size ? `${flight.size} under way` : "";
}

function wanted(request) {
  const { model, provider, host, path, ...rest } = state.filters;
  const held = [[model, request.model], [provider, request.provider], [host, request.host], [path, request.req_path]];
  return !UNTOLD.some((name) => rest[name]) && held.every(([asked, value]) => !asked || matches(asked, value));
}

// As the server does: `*` and `?` are wildcards, of several words any will do.
function matches(asked, value) {
  return asked.split(",").some((word) => {
    const parts = word.trim().replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".");
    return new RegExp(`^${parts}$`, "s").test(value ?? "");
  });
}

function told(type, data) {
  if (type === "inflight") {
    flight.take(data, performance.now());
    showLive();
    if (at("empty").hidden === false && flight.size) at("empty").hidden = true;
  } else if (type === "activity" && state.page === 1) {
    rows.soon(state);
  }
}

function connection(how, seconds) {
  const words = { connecting: "connecting", live: "live", lost: `connection lost, trying again in ${seconds} s` };
  const before = at("connection").dataset.state;
  at("connection").textContent = words[how];
  at("connection").dataset.state = how;
  if (how === "live" && before === "connecting" && connection.once) rows.ask(state);
  connection.once ||= how === "live";
}

function arrange(next) {
  columns = next;
  keep("columns", arrangement(columns));
  headings();
  rows.again();
}

function moveColumn(key, before) {
  const from = columns.findIndex((column) => column.key === key);
  const to = columns.findIndex((column) => column.key === before);
  if (from < 0 || to < 0 || from === to) return;
  const next = [...columns];
  next.splice(to, 0, ...next.splice(from, 1));
  arrange(next);
}

function listColumns() {
  arrangeIn(at("column-list"), columns, (next, key) => {
    arrange(next);
    listColumns();
    at("column-list").querySelector(`[data-key="${key}"]`)?.focus();
  });
}

function turnPage(by) {
  if (by > 0 && at("next").disabled) return undefined;
  if (by > 0 && rows.searchesOn()) return rows.searchOn(state);
  return go({ page: Math.max(1, state.page + by) });
}

function step(by) {
  const id = table.step(by);
  if (state.capture !== null && id !== null) go({ capture: id }, false);
}

// In an open capture the arrows scroll, as everywhere.
function scrolls() {
  return at("capture").contains(document.activeElement);
}

async function forget() {
  const trouble = await view.forget();
  at("forget-trouble").textContent = trouble ?? "";
  if (trouble) return;
  at("forget").close();
  await view.open(state.capture, state.tab, state.filters.text);
}

function toggle(dialog, before = () => {}) {
  if (at(dialog).open) return at(dialog).close();
  before();
  return at(dialog).showModal();
}

function press() {
  const on = (id, act) => at(id).addEventListener("click", act);
  on("toggle-charts", () => charts.toggle());
  on("choose-columns", () => toggle("columns", listColumns));
  on("reset-columns", () => { arrange(arranged(COLUMNS.map(({ key, off }) => [key, !off]))); listColumns(); });
  on("copy-markdown", (event) => copy(markdown(columns, rows.data), event.currentTarget));
  on("switch-theme", () => globalThis.switchTheme());
  on("show-help", () => toggle("help"));
  on("previous", () => turnPage(-1));
  on("next", () => turnPage(1));
  on("close-capture", () => go({ capture: null }));
  on("forget-now", forget);
  put(at("limit"), address.LIMITS.map((limit) => el("option", { value: limit }, String(limit))));
  at("limit").value = state.limit;
  at("limit").addEventListener("change", () => go({ limit: Number(at("limit").value), page: 1 }));
}

const TABS = ["conversation", "request", "response", "headers", "timeline"];
const tabs = Object.fromEntries(TABS.map((tab, place) => [String(place + 1), () => state.capture !== null && go({ tab }, false)]));

bind({
  ...tabs,
  j: () => step(1), k: () => step(-1),
  ArrowDown: () => (scrolls() ? LEAVE : step(1)), ArrowUp: () => (scrolls() ? LEAVE : step(-1)),
  g: () => step(-Infinity), G: () => step(Infinity),
  Enter: () => document.activeElement?.click(),
  Escape: () => state.capture !== null && go({ capture: null }),
  n: () => turnPage(1), p: () => turnPage(-1),
  "/": () => at("filters").elements.text.focus(),
  x: () => go({ filters: {}, page: 1 }),
  y: () => view.copyCurl(),
  c: () => toggle("columns", listColumns),
  h: () => charts.toggle(),
  r: () => rows.ask(state),
  t: () => globalThis.switchTheme(),
  "?": () => toggle("help"),
});

async function begin() {
  press();
  explain();
  view.informed = api.about().catch(() => ({}));
  show(null);
  listen(api.EVENTS, told, connection);
  setInterval(() => flight.list().length && (flight.settle([], performance.now()), showLive()), TICK);
  addEventListener("popstate", () => {
    const before = state;
    state = address.read(location.search);
    at("limit").value = state.limit;
    show(before);
  });
  const known = await api.values().catch(() => ({}));
  for (const name of SUGGESTED) suggest(name, known[name] ?? []);
}

begin();
