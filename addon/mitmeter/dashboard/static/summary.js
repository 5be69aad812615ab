// The rows of a page added up, and written as Markdown.

import * as format from "./format.js";

const SUMS = ["input_tokens", "output_tokens", "cache_read_tokens", "draft_tokens", "draft_accepted_tokens"];

/** Sums leave out what nobody said, and are null where nobody did. Rates are weighted by tokens. */
export function summarize(rows) {
  const sums = Object.fromEntries(SUMS.map((name) => [name, total(rows.map((row) => row.usage[name]))]));
  const starts = rows.map((row) => row.started).filter(Boolean).sort();
  return {
    ...sums,
    duration_ms: total(rows.map((row) => row.timing.duration_ms)) ?? 0,
    prompt_per_second: weighted(rows, "input_tokens", "prompt_per_second"),
    tokens_per_second: weighted(rows, "output_tokens", "tokens_per_second"),
    first: starts[0] ?? null,
    last: starts.at(-1) ?? null,
  };
}

function total(values) {
  const told = values.filter(format.known);
  return told.length ? told.reduce((sum, value) => sum + value, 0) : null;
}

function weighted(rows, tokens, rate) {
  const told = rows.filter((row) => row.usage[tokens] > 0 && row.timing[rate] > 0);
  const seconds = told.reduce((sum, row) => sum + row.usage[tokens] / row.timing[rate], 0);
  return seconds ? told.reduce((sum, row) => sum + row.usage[tokens], 0) / seconds : null;
}

const safe = (text) => text.replaceAll("|", "\\|").replace(/\s+/g, " ").trim();
const line = (cells) => `| ${cells.map(safe).join(" | ")} |`;

/** A table of `columns` (`title`, and `text(row)` or what `cell(row)` shows). */
export function table(columns, rows) {
  if (!columns.length) return "";
  const head = [line(columns.map(({ title }) => title)), `| ${columns.map(() => "---").join(" | ")} |`];
  return [...head, ...rows.map((row) => line(columns.map((column) => shown(column, row))))].join("\n");
}

function shown(column, row) {
  const content = [column.cell(row)].flat();
  return content.map((part) => part.textContent ?? part).join("");
}

/** The sums as a table. */
export function sums(rows) {
  const all = summarize(rows);
  const lines = [
    ["Range", all.first ? `${format.stamp(new Date(all.first))} to ${format.stamp(new Date(all.last))}` : format.ABSENT],
    ["Duration", format.duration(all.duration_ms)],
    ["Cached", format.count(all.cache_read_tokens)],
    ["Prompt", `${format.count(all.input_tokens)} (${format.speed(all.prompt_per_second)})`],
    ["Generated", `${format.count(all.output_tokens)} (${format.speed(all.tokens_per_second)})`],
    ["Drafted", format.drafted(all.draft_tokens, all.draft_accepted_tokens)],
  ];
  return ["| Summary | |", "| --- | --- |", ...lines.map(line)].join("\n");
}

/** What is on the page, for an issue or a note. */
export function markdown(columns, rows, now = new Date()) {
  const shown = columns.filter((column) => column.shown && column.key !== "capture");
  return [sums(rows), table(shown, rows), `Exported from mitmeter at ${format.stamp(now)}`].join("\n\n");
}
