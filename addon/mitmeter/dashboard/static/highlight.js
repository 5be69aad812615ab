// What was searched for, marked where it is shown: by the browser, without a change to the page.

const MOST = 500;

/** Mark `text` in `node`; returns the first place, or null. */
export function highlight(node, text) {
  if (!globalThis.CSS?.highlights) return null;
  CSS.highlights.delete("found");
  if (!text) return null;
  const found = places(node, text.toLowerCase());
  if (found.length) CSS.highlights.set("found", new Highlight(...found));
  return found[0] ?? null;
}

function places(node, text) {
  const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
  const found = [];
  while (found.length < MOST && walker.nextNode()) {
    const held = walker.currentNode.data.toLowerCase();
    for (let at = held.indexOf(text); at >= 0 && found.length < MOST; at = held.indexOf(text, at + text.length)) {
      const range = new Range();
      range.setStart(walker.currentNode, at);
      range.setEnd(walker.currentNode, Math.min(at + text.length, walker.currentNode.length));
      found.push(range);
    }
  }
  return found;
}
