// What this browser remembers: columns, and whether the charts are shown. Nothing of it comes from traffic.

const PREFIX = "mitmeter.";

/** The value kept under a name, `otherwise` where there is none or storage is off. */
export function kept(name, otherwise) {
  try {
    const text = localStorage.getItem(PREFIX + name);
    return text === null ? otherwise : JSON.parse(text);
  } catch {
    return otherwise;
  }
}

/** Keep a value. */
export function keep(name, value) {
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // Without storage it lasts until the page is left.
  }
}
