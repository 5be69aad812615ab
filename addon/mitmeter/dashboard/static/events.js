// The server's events, with a connection whose state can be seen and that comes back by itself.

const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 30_000;

/**
 * Listen. `told(type, data)` gets each event, `changed(state, seconds)` the connection's: `connecting`, `live`, or
 * `lost` with the seconds until it is tried again.
 */
export function listen(url, told, changed) {
  let pause = FIRST_PAUSE;
  let timer = 0;

  function connect() {
    clearTimeout(timer);
    changed("connecting");
    const source = new EventSource(url);
    source.addEventListener("open", () => {
      pause = FIRST_PAUSE;
      changed("live");
    });
    source.addEventListener("message", (event) => {
      const said = parse(event.data);
      if (said) told(said.type, said.data);
    });
    source.addEventListener("error", () => {
      // The browser's own attempts end at a refusal, and show no state: ours do neither.
      source.close();
      changed("lost", pause / 1000);
      timer = setTimeout(connect, pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    });
    stop = () => {
      clearTimeout(timer);
      source.close();
    };
  }

  let stop = () => {};
  connect();
  addEventListener("pagehide", () => stop());
  addEventListener("pageshow", (event) => event.persisted && connect());
  return connect;
}

/** `{type, data}` of a frame; its data is JSON in a string. */
export function parse(frame) {
  try {
    const said = JSON.parse(frame);
    return { type: said.type, data: typeof said.data === "string" ? JSON.parse(said.data) : said.data };
  } catch {
    return null;
  }
}
