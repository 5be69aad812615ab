// Values as people read them. What nobody said (null, undefined, and -1 as llama-swap writes it) is not 0.

export const ABSENT = "-";
const UNITS = ["KB", "MB", "GB", "TB"];
const whole = new Intl.NumberFormat();
const cents = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });

export const known = (value) => value !== null && value !== undefined && value >= 0;

/** `12,345` */
export const count = (value) => (known(value) ? whole.format(value) : ABSENT);

/** `12.3K`, for places where the whole number stands nearby. */
export const compact = (value) => (known(value) ? short.format(value) : ABSENT);

/** `42.50 t/s` */
export const speed = (value) => (known(value) ? `${value.toFixed(2)} t/s` : "unknown");

/** `42.50`, under a heading that has the unit. */
export const rate = (value) => (known(value) ? value.toFixed(value < 1000 ? 2 : 0) : ABSENT);

/** `42.5`, in charts. */
export const roughly = (value) => (known(value) ? value.toFixed(value < 100 ? 1 : 0) : ABSENT);

/** Milliseconds as `1.50s`, from a minute on as `2m 05s`. */
export function duration(ms) {
  if (!known(ms)) return ABSENT;
  if (ms < 59_995) return `${(ms / 1000).toFixed(2)}s`;
  const seconds = Math.round(ms / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  const pad = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}h ${pad(minutes)}m` : `${minutes}m ${pad(seconds % 60)}s`;
}

/** The same where there is little room: `56.9s`. */
export const brief = (ms) => (ms >= 9995 && ms < 59_950 ? `${(ms / 1000).toFixed(1)}s` : duration(ms));

/** Milliseconds as `153 ms`, from a second on as a duration. */
export function moment(ms) {
  if (!known(ms)) return ABSENT;
  if (ms >= 1000) return duration(ms);
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** `2.00 KB`, by 1024. */
export function bytes(size) {
  if (!known(size)) return ABSENT;
  if (size < 1024) return `${size} B`;
  let unit = -1;
  let value = size;
  do {
    value /= 1024;
    unit += 1;
  } while (value >= 1024 && unit < UNITS.length - 1);
  return `${value.toFixed(value < 10 ? 2 : 1)} ${UNITS[unit]}`;
}

/** `70.0% (7/10)`: drafted tokens that were accepted. */
export function drafted(drawn, accepted) {
  if (!known(drawn) || !known(accepted) || drawn === 0) return ABSENT;
  return `${((accepted / drawn) * 100).toFixed(1)}% (${accepted}/${drawn})`;
}

/** `$0.0123`, `$12,345.67` */
export function cost(usd) {
  if (!known(usd)) return ABSENT;
  if (usd > 0 && usd < 0.0001) return "<$0.0001";
  return `$${usd < 100 ? usd.toFixed(4) : cents.format(usd)}`;
}

/** `3 errors` */
export const many = (number, name) => `${count(number)} ${name}${number === 1 ? "" : "s"}`;

/** A share as `93%`. */
export const percent = (part, all) => (known(part) && all > 0 ? `${Math.round((part / all) * 100)}%` : ABSENT);

const pad = (number, width = 2) => String(number).padStart(width, "0");
const day = (date) => `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
const clock = (date) => `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;

/** Local `2026-11-28 14:03:22` */
export const stamp = (date) => `${day(date)} ${clock(date)}`;

/** `14:03:22`, with the day where it is not today's. */
export function time(instant, now = new Date()) {
  const date = new Date(instant);
  if (Number.isNaN(date.getTime())) return ABSENT;
  return day(date) === day(now) ? clock(date) : stamp(date);
}

/** `now`, `12s ago`, `3m ago`, `5h ago`, then the local time. */
export function ago(instant, now = new Date()) {
  const date = new Date(instant);
  const seconds = Math.floor((now - date) / 1000);
  if (Number.isNaN(seconds)) return ABSENT;
  if (seconds < 5) return "now";
  if (seconds < 60) return `${seconds}s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h ago`;
  return stamp(date);
}
