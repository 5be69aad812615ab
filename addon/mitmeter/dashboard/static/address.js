// What is shown, as the address has it: reload, links and the back button keep it.

/** Filters by the name that the server gives them. */
export const FILTERS = [
  "text", "model", "provider", "host", "path", "status", "outcome", "session", "credential", "agent", "since", "start", "end",
  "min_id", "max_id",
];
const LISTS = new Set(["model", "provider", "host", "path", "status", "outcome", "session", "credential"]);
const IDS = new Set(["min_id", "max_id"]);
export const LIMITS = [25, 50, 100, 250, 500];
export const FIRST = { sort: "id", order: "desc", page: 1, limit: 50, capture: null, tab: "conversation" };
const TABS = ["conversation", "request", "response", "headers", "timeline"];

const positive = (text, otherwise) => (/^[1-9]\d*$/.test(text ?? "") ? Number(text) : otherwise);
const words = (text) => (text ?? "").split(",").map((word) => word.trim()).filter(Boolean);

/** The state that a query string stands for; what it does not understand is left out. */
export function read(query) {
  const params = new URLSearchParams(query);
  const filters = {};
  for (const name of FILTERS) {
    const value = LISTS.has(name) ? params.getAll(name).flatMap(words).join(", ") : (params.get(name) ?? "").trim();
    if (value && !(IDS.has(name) && !positive(value))) filters[name] = value;
  }
  const limit = positive(params.get("limit"));
  return {
    filters,
    sort: /^\w+$/.test(params.get("sort") ?? "") ? params.get("sort") : FIRST.sort,
    order: params.get("order") === "asc" ? "asc" : "desc",
    page: positive(params.get("page"), 1),
    limit: LIMITS.includes(limit) ? limit : FIRST.limit,
    capture: positive(params.get("capture"), null),
    tab: TABS.includes(params.get("tab")) ? params.get("tab") : FIRST.tab,
  };
}

/** The query string of a state, without what is as at first. */
export function write(state) {
  const params = new URLSearchParams();
  for (const name of FILTERS) if (state.filters[name]) params.set(name, state.filters[name]);
  for (const [name, first] of Object.entries(FIRST)) if (state[name] !== first) params.set(name, state[name]);
  const query = params.toString();
  return query ? `?${query}` : "";
}

/** The filters as the server takes them: lists repeat, ids that are none are left out. */
export function asked(filters) {
  const params = new URLSearchParams();
  for (const name of FILTERS) {
    const value = (filters[name] ?? "").trim();
    if (!value) continue;
    if (LISTS.has(name)) words(value).forEach((word) => params.append(name, word));
    else if (!IDS.has(name) || positive(value)) params.set(name, value);
  }
  return params;
}

/** The page of rows that a state asks for; a search in texts has no order but its own. */
export function page(state) {
  const params = asked(state.filters);
  const { page, limit, sort, order } = state.filters.text ? { ...FIRST, limit: state.limit } : state;
  for (const [name, value] of Object.entries({ page, limit, sort, order })) params.set(name, value);
  return params;
}

/** The filters that sums take: those of a list, without the text. */
export function summed(filters) {
  const { text, ...rest } = filters;
  return asked(rest);
}
