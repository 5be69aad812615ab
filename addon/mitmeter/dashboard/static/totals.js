// What the rows that are wanted come to.

import { el, put } from "./dom.js";
import * as format from "./format.js";

const figure = (name, value, note, kind) => el("div", { class: kind || null }, el("dt", {}, name), el("dd", {}, value, el("small", {}, note ?? "")));
const whole = (value) => el("span", { title: format.count(value) }, value < 1_000_000 ? format.count(value) : format.compact(value));

function spread(name, found, shown) {
  if (!found) return null;
  const [p95, p99] = [shown(found.p95), shown(found.p99)];
  const unit = p95.endsWith(" ms") && p99.endsWith(" ms") ? / ms$/ : /$/;
  const parts = [`p95 ${p95.replace(unit, "")} ·`, `p99 ${p99}`].map((part) => part.replaceAll(" ", "\u00a0"));
  return figure(name, shown(found.p50), parts.join(" "));
}

/** Show what `GET /api/metrics/stats` said. */
export function showTotals(node, told) {
  const failed = told.errors + told.aborted;
  // llama-swap's totals are 0 where nobody said a number.
  const said = (name, total) => (!told.models?.length || told.models.some((one) => one[name] !== null) ? total : null);
  const cached = said("cache_read_tokens", told.total_cache_tokens);
  const reasoned = said("reasoning_tokens", told.total_reasoning_tokens);
  const share = (part, all) => (part ? `${format.percent(part, all)} of ` : "of ");
  put(node,
    figure("Requests", whole(told.total_requests), told.models ? format.many(told.models.length, "model") : "found"),
    figure("Input", whole(said("input_tokens", told.total_input_tokens)), "tokens"),
    figure("Cached", whole(cached), `${share(cached, told.total_input_tokens)}input`),
    figure("Output", whole(said("output_tokens", told.total_output_tokens)), "tokens"),
    figure("Reasoning", whole(reasoned), `${share(reasoned, told.total_output_tokens)}output`),
    figure("Failed", whole(failed), `${format.many(told.errors, "error")} · ${format.count(told.aborted)} cut`, failed ? "troubled" : ""),
    format.known(told.total_cost_usd) && figure("Cost", format.cost(told.total_cost_usd), "where known"),
    spread("First token", told.first_token_histogram, format.moment),
    spread("Duration", told.duration_histogram, format.brief),
    spread("Generation, t/s", told.gen_histogram, format.roughly));
}

/** Show how many there are, which is known before what they come to. */
export function showAdding(node, total) {
  put(node, figure("Requests", whole(total), "adding up …"), [...node.children].slice(1));
}

/** The same of rows that are at hand, for a search whose rows the server does not sum. */
export function totalsOf(rows) {
  const sum = (name) => rows.reduce((all, row) => all + (row.usage[name] ?? 0), 0);
  const ended = (...outcomes) => rows.filter((row) => outcomes.includes(row.outcome)).length;
  return {
    total_requests: rows.length,
    total_input_tokens: sum("input_tokens"),
    total_output_tokens: sum("output_tokens"),
    total_cache_tokens: sum("cache_read_tokens"),
    total_reasoning_tokens: sum("reasoning_tokens"),
    errors: ended("error", "unreachable"),
    aborted: ended("client_aborted", "upstream_aborted"),
  };
}
