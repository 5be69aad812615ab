// The exchanges under way, as the server's events tell them.

const LINGER = 3000;

/** What is under way, by id. */
export class InFlight {
  constructor() {
    this.open = new Map();
    this.gone = new Map();
  }

  /** Take an event: a snapshot, an upsert or a removal. */
  take(event, now) {
    if (event.operation === "snapshot") {
      this.open.clear();
      for (const request of event.requests ?? []) this.#set(request, now);
    } else if (event.operation === "upsert") {
      this.#set(event.request, now);
    } else if (event.operation === "remove") {
      this.#end(String(event.id), now);
    }
  }

  #set(request, now) {
    this.gone.delete(String(request.id));
    this.open.set(String(request.id), { ...request, received_at: now });
  }

  // A request that has ended stays until its row is there, so that nothing vanishes for a moment.
  #end(id, now) {
    const request = this.open.get(id);
    this.open.delete(id);
    if (request) this.gone.set(id, { ...request, elapsed_ms: elapsed(request, now), ended_at: now, received_at: null });
  }

  /** Let go of those that have ended and whose rows are here, or that have waited long enough. */
  settle(rows, now) {
    const flows = new Set(rows.map((row) => row.flow_id));
    for (const [id, request] of this.gone)
      if (flows.has(request.flow_id) || now - request.ended_at > LINGER) this.gone.delete(id);
  }

  /** All of them, the newest first. */
  list() {
    return [...this.gone.values(), ...this.open.values()].sort((a, b) => (a.timestamp < b.timestamp ? 1 : -1));
  }

  get size() {
    return this.open.size;
  }
}

/** Milliseconds since the request began: the server's figure, moved on by our own clock. */
export function elapsed(request, now) {
  if (request.received_at === null || request.received_at === undefined) return request.elapsed_ms;
  return request.elapsed_ms + Math.max(0, now - request.received_at);
}
