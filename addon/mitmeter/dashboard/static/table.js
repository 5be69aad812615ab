// The table: requests under way first, then a page of rows.

import { button, el, put } from "./dom.js";

const ARROWS = { asc: "↑", desc: "↓" };

/** The table in `node`; `sorted(key)`, `opened(id)` and `moved(key, before)` are told what the person does. */
export class Table {
  constructor(node, { sorted, opened, moved }) {
    this.head = node.tHead;
    [this.live, this.body] = node.tBodies;
    this.told = { sorted, opened, moved };
    this.columns = [];
    this.seen = null;
    this.body.addEventListener("click", (event) => this.#click(event));
  }

  /** Show the headings. */
  arrange(columns, sort, order) {
    this.columns = columns.filter((column) => column.shown);
    put(this.head, el("tr", {}, this.columns.map((column) => this.#heading(column, sort, order))));
  }

  #heading(column, sort, order) {
    const active = column.sort && column.sort === sort;
    const name = [column.title, column.unit && el("small", {}, ` ${column.unit}`)];
    const arrow = el("span", { class: "arrow", "aria-hidden": "true" }, active ? ARROWS[order] : "");
    const inside = column.sort
      ? button([name, arrow].flat().filter(Boolean), () => this.told.sorted(column.sort), { title: `Sort by ${column.title}` })
      : name;
    return el("th", {
      scope: "col",
      class: [column.number && "number", `of-${column.key}`].filter(Boolean).join(" "),
      "aria-sort": active ? (order === "asc" ? "ascending" : "descending") : column.sort ? "none" : null,
      draggable: "true",
      ondragstart: (event) => event.dataTransfer.setData("text/plain", column.key),
      ondragover: (event) => event.preventDefault(),
      ondrop: (event) => this.#dropped(event, column.key),
    }, inside);
  }

  #dropped(event, before) {
    event.preventDefault();
    this.told.moved(event.dataTransfer.getData("text/plain"), before);
  }

  /** Show a page of rows; those that were not there before are marked for a moment. */
  show(rows, chosen, fresh) {
    const focused = this.body.contains(document.activeElement) && document.activeElement.closest("tr")?.dataset.id;
    const before = this.seen;
    this.seen = new Set(rows.map((row) => row.id));
    put(this.body, rows.map((row) => this.#row(row, row.id === chosen, fresh && before && !before.has(row.id))));
    if (focused) this.link(Number(focused))?.focus({ preventScroll: true });
  }

  #row(row, chosen, fresh) {
    const cells = this.columns.map((column, place) => cell(column, place === 0 ? link(row, column) : column.cell(row)));
    const kind = [chosen && "chosen", fresh && "fresh"].filter(Boolean).join(" ");
    return el("tr", { "data-id": row.id, class: kind || null, "aria-current": chosen ? "true" : null }, cells);
  }

  /** Show what is under way. */
  showLive(requests, now) {
    put(this.live, requests.map((request) => this.#liveRow(request, now)));
  }

  #liveRow(request, now) {
    const cells = this.columns.map((column) => cell(column, column.live ? column.live(request, now) : ""));
    return el("tr", { "data-flow": request.flow_id, class: request.ended_at ? "ended" : null }, cells);
  }

  /** Mark the row whose capture is open. */
  choose(id) {
    for (const line of this.body.rows) {
      const chosen = Number(line.dataset.id) === id;
      line.classList.toggle("chosen", chosen);
      if (chosen) line.setAttribute("aria-current", "true");
      else line.removeAttribute("aria-current");
    }
  }

  /** Move the focus by rows; to the first or last with an infinite step. */
  step(by) {
    const lines = [...this.body.rows];
    const here = lines.findIndex((line) => line.contains(document.activeElement));
    const start = here < 0 ? lines.findIndex((line) => line.classList.contains("chosen")) : here;
    const next = start < 0 && Number.isFinite(by) ? 0 : Math.min(Math.max(start + by, 0), lines.length - 1);
    const target = lines[next]?.querySelector("a");
    target?.focus();
    target?.scrollIntoView({ block: "nearest" });
    return lines[next] ? Number(lines[next].dataset.id) : null;
  }

  /** The link of a row. */
  link(id) {
    return this.body.querySelector(`tr[data-id="${Number(id)}"] a`);
  }

  #click(event) {
    const line = event.target.closest("tr");
    if (!line || event.ctrlKey || event.metaKey || event.shiftKey || getSelection().toString()) return;
    event.preventDefault();
    this.told.opened(Number(line.dataset.id));
  }
}

const cell = (column, content) => {
  const shown = el("td", {}, content);
  const text = shown.textContent;
  shown.className = [column.number && "number", text === "-" && "absent", `of-${column.key}`].filter(Boolean).join(" ");
  if (text.length > 24) shown.title = text;
  return shown;
};

// The first cell names the row, and leads to its capture for those who use no mouse.
const link = (row, column) => el("a", { href: `?capture=${Number(row.id)}` }, column.cell(row));
