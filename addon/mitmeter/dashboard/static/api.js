// What the server is asked (docs/api.md).

/** A refusal or failure; `status` is 0 where the server was not reached. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(path, { params, method = "GET", headers = {}, signal } = {}) {
  const query = params && params.toString();
  const url = query ? `${path}?${query}` : path;
  let reply;
  try {
    reply = await fetch(url, { method, signal, headers: { accept: "application/json", ...headers }, redirect: "manual" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "the server cannot be reached");
  }
  const said = await reply.json().catch(() => null);
  if (!reply.ok) throw new ApiError(reply.status, said?.error?.message ?? said?.error ?? `HTTP ${reply.status}`);
  return said;
}

export const about = (signal) => ask("/api/meter", { signal });
export const activity = (params, signal) => ask("/api/metrics/activity", { params, signal });
export const stats = (params, signal) => ask("/api/metrics/stats", { params, signal });
export const series = (params, signal) => ask("/api/metrics/series", { params, signal });
export const values = (signal) => ask("/api/metrics/values", { signal });
export const capture = (id, signal) => ask(`/api/captures/${id}?view=full`, { signal });

/** Forget a capture; mitmweb wants its XSRF cookie's value said again. */
export function forget(id, cookie) {
  const said = document.cookie.split("; ").find((one) => one.startsWith(`${cookie}=`));
  const headers = cookie && said ? { "X-XSRFToken": said.slice(cookie.length + 1) } : {};
  return ask(`/api/captures/${id}`, { method: "DELETE", headers });
}

/** Where a capture can be downloaded: `json`, `frame`, `request` or `response`. */
export const download = (id, view) => `/api/captures/${id}?view=${view}`;
export const EVENTS = "/api/events";

/** What can be done about a failure, in one line. */
export function remedy(error) {
  if (error.status === 0) return "Is the proxy still running? The page tries again by itself.";
  if (error.status === 401 || error.status === 403)
    return "Open the address with ?token=… that was logged when the proxy started.";
  if (error.status === 400) return "A filter is not understood; clear it or correct it.";
  return "The proxy's log may say more.";
}
