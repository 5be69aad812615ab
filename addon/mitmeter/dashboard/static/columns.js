// The columns that a table may have: what each shows of a row, and of a request that is still under way.

import { el } from "./dom.js";
import * as format from "./format.js";
import { swatch } from "./series.js";

const WORDS = { client_aborted: "client left", upstream_aborted: "cut short", unreachable: "unreachable" };

/** An outcome in words. */
export const outcome = (row) => WORDS[row.outcome] ?? row.outcome ?? format.ABSENT;

/** How bad it is: `bad`, `odd`, or nothing. */
export function verdict(row) {
  if (row.outcome === "error" || row.outcome === "unreachable") return "bad";
  return row.outcome === "complete" ? "" : "odd";
}

const text = (value) => value ?? format.ABSENT;
const when = (row) => el("time", { datetime: row.started, title: format.ago(row.started) }, format.time(row.started));
const named = (row) => (row.model ? [swatch(row.model), row.model] : format.ABSENT);
const client = (row) => row.client?.agent || row.client?.address || format.ABSENT;

function ended(row) {
  const kind = verdict(row);
  return el("span", { class: kind && `mark ${kind}`, title: row.error }, outcome(row));
}

function cached(row) {
  const { cache_read_tokens: read, input_tokens: all } = row.usage;
  return el("span", { title: format.known(read) && all ? `${format.percent(read, all)} of the input` : null }, format.count(read));
}

function generation(row) {
  const wire = row.timing.rate_source === "wire";
  return el("span", { title: wire ? "measured on the wire" : "said by the server" }, format.rate(row.timing.tokens_per_second));
}

function price(row) {
  const told = { provider: "told by the provider", prices: "by the list of prices" }[row.cost_source];
  return el("span", { title: format.known(row.cost_usd) ? `$${row.cost_usd} ${told ?? ""}` : null }, format.cost(row.cost_usd));
}

function doing(request) {
  const state = request.ended_at ? "ending" : ["thinking", "generating"].find((one) => one === request.state) ?? "waiting";
  return [el("span", { class: `doing ${state}` }, state), request.resp_bytes ? el("small", {}, ` ${format.bytes(request.resp_bytes)}`) : null];
}

const sofar = (request) => format.count(request.usage?.output_tokens);

/** In their first order; `sort` is the server's name, `number` aligns to the right, `off` is hidden at first. */
export const COLUMNS = [
  { key: "id", title: "ID", sort: "id", number: true, off: true, cell: (row) => String(row.id) },
  { key: "time", title: "Time", sort: "time", cell: when, live: when },
  { key: "model", title: "Model", sort: "model", cell: named, live: named },
  { key: "provider", title: "Provider", sort: "provider", cell: (row) => text(row.provider), live: (row) => text(row.provider) },
  { key: "api", title: "API", off: true, cell: (row) => text(row.api), live: (row) => text(row.api) },
  { key: "method", title: "Method", off: true, cell: (row) => text(row.method), live: (row) => text(row.method) },
  { key: "host", title: "Host", sort: "host", off: true, cell: (row) => text(row.host), live: (row) => text(row.host) },
  { key: "path", title: "Path", sort: "req_path", cell: (row) => text(row.path), live: (row) => text(row.path) },
  { key: "status", title: "Status", sort: "resp_status_code", number: true, cell: (row) => text(row.status), live: (row) => text(row.status) },
  { key: "outcome", title: "Outcome", sort: "outcome", cell: ended, live: doing },
  { key: "finish", title: "Finish", sort: "finish", off: true, cell: (row) => text(row.finish) },
  { key: "input", title: "Input", unit: "tok", sort: "prompt", number: true, cell: (row) => format.count(row.usage.input_tokens), live: (row) => format.count(row.usage?.input_tokens) },
  { key: "cached", title: "Cached", unit: "tok", sort: "cached", number: true, cell: cached, live: (row) => format.count(row.usage?.cache_read_tokens) },
  { key: "written", title: "Cache write", unit: "tok", sort: "cache_write", number: true, off: true, cell: (row) => format.count(row.usage.cache_write_tokens) },
  { key: "output", title: "Output", unit: "tok", sort: "generated", number: true, cell: (row) => format.count(row.usage.output_tokens), live: sofar },
  { key: "reasoning", title: "Reasoning", unit: "tok", sort: "reasoning", number: true, cell: (row) => format.count(row.usage.reasoning_tokens) },
  { key: "drafted", title: "Drafted", sort: "drafted", number: true, off: true, cell: (row) => format.drafted(row.usage.draft_tokens, row.usage.draft_accepted_tokens) },
  { key: "first_token", title: "First token", sort: "first_token", number: true, cell: (row) => format.moment(row.timing.first_token_ms) },
  { key: "prompt_speed", title: "Prompt", unit: "t/s", sort: "prompt_speed", number: true, cell: (row) => format.rate(row.timing.prompt_per_second) },
  { key: "gen_speed", title: "Generation", unit: "t/s", sort: "gen_speed", number: true, cell: generation },
  { key: "duration", title: "Duration", sort: "duration", number: true, cell: (row) => format.duration(row.timing.duration_ms), live: (row, now) => format.duration(row.elapsed(now)) },
  { key: "size", title: "Size", sort: "response_bytes", number: true, off: true, cell: (row) => format.bytes(row.sizes.response_bytes), live: (row) => format.bytes(row.resp_bytes) },
  { key: "cost", title: "Cost", sort: "cost", number: true, cell: price },
  { key: "type", title: "Content type", sort: "resp_content_type", off: true, cell: (row) => text(row.content_type) },
  { key: "credential", title: "Key", sort: "credential", off: true, cell: (row) => text(row.credential) },
  { key: "session", title: "Session", sort: "session", off: true, cell: (row) => text(row.session) },
  { key: "client", title: "Client", sort: "agent", off: true, cell: client },
  { key: "error", title: "Error", sort: "error", off: true, cell: (row) => text(row.error) },
  { key: "capture", title: "Capture", cell: (row) => (row.has_capture ? "kept" : format.ABSENT) },
];

const BY_KEY = new Map(COLUMNS.map((column) => [column.key, column]));

/** Columns as they are kept: `[key, shown]` in order. Unknown ones are dropped, new ones follow. */
export function arranged(kept) {
  const order = new Map();
  for (const entry of Array.isArray(kept) ? kept : [])
    if (Array.isArray(entry) && BY_KEY.has(entry[0])) order.set(entry[0], entry[1] === true);
  for (const column of COLUMNS) if (!order.has(column.key)) order.set(column.key, !column.off);
  return [...order].map(([key, shown]) => ({ ...BY_KEY.get(key), shown }));
}

/** What to keep of it. */
export const arrangement = (columns) => columns.map(({ key, shown }) => [key, shown]);
