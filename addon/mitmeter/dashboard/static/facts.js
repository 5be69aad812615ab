// The numbers of one exchange, and what it has in common with others.

import { outcome, verdict } from "./columns.js";
import { button, el, put } from "./dom.js";
import * as format from "./format.js";

const SHARED = ["session", "credential"];

/** Show what a row is of: the model, where it was asked, and what was asked for where that is another. */
export function showName(node, row, only) {
  const other = row.request_model && row.request_model !== row.model ? `; asked for ${row.request_model}` : "";
  const model = row.model && button(row.model, () => only("model", row.model), { class: "only", title: `Only this model${other}` });
  put(node, model || "unknown model", el("small", {}, ` ${row.method} ${row.host}${row.path}`));
}

/** Show the facts of a row; `only(filter, value)` asks for the rows that have one in common. */
export function showFacts(node, row, only) {
  const shared = ([filter, value]) => button(value, () => only(filter, value), { class: "only", title: `Only this ${filter}` });
  put(node, facts(row).map(([name, value, note]) => el("div", {}, el("dt", {}, name),
    el("dd", {}, Array.isArray(value) ? shared(value) : value, note && el("small", {}, " ", Array.isArray(note) ? shared(note) : note)))));
}

// A pair is a filter and its value.
function facts(row) {
  const { usage, timing, sizes } = row;
  const some = (value, name) => (format.known(value) ? `${format.count(value)} ${name}` : "");
  const told = [
    ["Outcome", el("span", { class: verdict(row) && `mark ${verdict(row)}` }, outcome(row)), [row.status, row.finish].filter(Boolean).join(" · ")],
    ["Input", format.count(usage.input_tokens), some(usage.cache_read_tokens, "cached")],
    ["Output", format.count(usage.output_tokens), some(usage.reasoning_tokens, "reasoning")],
    ["First token", format.moment(timing.first_token_ms)],
    ["Generation", format.speed(timing.tokens_per_second), timing.rate_source === "wire" ? "on the wire" : ""],
    ["Duration", format.duration(timing.duration_ms)],
    ["Size", format.bytes(sizes.decoded_bytes || sizes.response_bytes), `for ${format.bytes(sizes.request_bytes)} asked`],
    format.known(row.cost_usd) && ["Cost", `$${Number(row.cost_usd.toPrecision(6))}`, row.cost_source === "prices" ? "by list" : ""],
    ["When", format.time(row.started), format.ago(row.started)],
    row.provider && ["Provider", ["provider", row.provider], [row.api, row.service_tier].filter(Boolean).join(" · ")],
    row.client?.agent && ["Client", ["agent", row.client.agent], row.client.address],
    (row.session || row.credential) && [row.session ? "Session · key" : "Key", ...SHARED.filter((name) => row[name]).map((name) => [name, row[name]])],
    row.error && ["Error", el("span", { class: "error" }, row.error)],
    row.anomalies?.length > 0 && ["Odd", row.anomalies.join(", ")],
  ];
  return told.filter(Boolean);
}
