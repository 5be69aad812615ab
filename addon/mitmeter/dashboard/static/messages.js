// The messages of a streamed body: the events of SSE, the lines of NDJSON, and when each was there.

const encoder = new TextEncoder();
const size = (text) => encoder.encode(text).length;

/** `{name, text, end}` of each message; `end` is the offset in bytes just past it. */
export function messages(text, type) {
  const lines = /ndjson|jsonl/i.test(type);
  const parts = text.split(lines ? /(\n)/ : /((?:\r\n|\r|\n){2,})/);
  const found = [];
  let end = 0;
  for (let place = 0; place < parts.length; place += 2) {
    end += size(parts[place]) + size(parts[place + 1] ?? "");
    const message = lines ? { name: "", text: parts[place].trim() } : event(parts[place]);
    if (message.text || message.name) found.push({ ...message, end });
  }
  return found;
}

function event(block) {
  const found = { name: "", text: "" };
  const data = [];
  for (const line of block.replace(/^\ufeff/, "").split(/\r\n|\r|\n/)) {
    const [, field, value] = /^(\w+): ?(.*)$/s.exec(line) ?? [];
    if (field === "event") found.name = value;
    if (field === "data") data.push(value);
  }
  found.text = data.join("\n");
  return found;
}

const FRAME = new Set(["type", "index", "id", "object", "created", "model", "item_id", "output_index", "content_index", "sequence_number", "role"]);

/** What an event brings, without what frames it: `text: "Hello"`. */
export function gist(value) {
  const found = [];
  const walk = (one, key) => {
    if (one === null || FRAME.has(key)) return;
    if (typeof one === "object") Object.entries(one).forEach(([name, inner]) => walk(inner, Array.isArray(one) ? key : name));
    else found.push(`${key}: ${JSON.stringify(one)}`);
  };
  walk(value, "");
  return found.join("  ");
}

/** When the body had reached an offset, where that is one of the pairs [offset, ms] that were noted; else null. */
export const reached = (offset, points) => points?.find(([end]) => end === offset)?.[1] ?? null;
