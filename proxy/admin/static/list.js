// The list of exchanges. Only the rows in view are in the document, so thousands cost nothing.

import { clock, element, octets, seconds } from "./dom.js";

const ROW = 26;
const MARGIN = 10;

export class List {
  constructor(rows, space, onChoose) {
    this.rows = rows;
    this.space = space;
    this.onChoose = onChoose;
    this.items = [];
    this.places = new Map();
    this.shown = new Map();
    this.chosen = null;
    this.following = true;
    this.waiting = false;
    rows.addEventListener("scroll", () => {
      this.following = rows.scrollTop + rows.clientHeight >= rows.scrollHeight - ROW;
      this.draw();
    });
    // A row may be drawn anew between the press and the release, and then there is no click on it;
    // programs for screen readers send a click alone.
    for (const kind of ["mousedown", "click"]) {
      rows.addEventListener(kind, (event) => {
        const row = event.button ? null : event.target.closest(".row");
        const number = row && Number(row.dataset.number);
        if (row && (number !== this.chosen || kind === "mousedown")) this.choose(number);
      });
    }
    new ResizeObserver(() => this.draw()).observe(rows);
  }

  replace(items) {
    this.items = items;
    this.places = new Map(items.map((item, place) => [item.number, place]));
    this.draw();
  }

  // Takes exchanges that are new or have changed; one that took long comes behind later ones.
  merge(items) {
    let ordered = true;
    for (const item of items) {
      const place = this.places.get(item.number);
      if (place === undefined) {
        ordered &&= !this.items.length || this.items.at(-1).number < item.number;
        this.places.set(item.number, this.items.length);
        this.items.push(item);
      } else {
        this.items[place] = item;
      }
    }
    if (ordered) this.draw();
    else this.replace(this.items.toSorted((one, other) => one.number - other.number));
  }

  choose(number) {
    this.chosen = number;
    this.reveal();
    this.draw();
    this.onChoose(number);
  }

  // Nothing is chosen any more.
  forget() {
    this.chosen = null;
    this.draw();
  }

  // Chooses another one: by steps, or the next that passes a test.
  step(by, test = () => true) {
    let place = this.places.get(this.chosen);
    place = place === undefined ? (by > 0 ? -1 : this.items.length) : place;
    for (place += by; place >= 0 && place < this.items.length; place += by) {
      if (test(this.items[place])) return this.choose(this.items[place].number);
    }
  }

  edge(last) {
    if (this.items.length) this.choose(this.items[last ? this.items.length - 1 : 0].number);
  }

  reveal() {
    const place = this.places.get(this.chosen);
    if (place === undefined) return;
    const top = place * ROW;
    if (top < this.rows.scrollTop) this.rows.scrollTop = top;
    else if (top + ROW > this.rows.scrollTop + this.rows.clientHeight) {
      this.rows.scrollTop = top + ROW - this.rows.clientHeight;
    }
  }

  draw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.drawNow();
    });
  }

  drawNow() {
    this.space.style.height = `${this.items.length * ROW}px`;
    if (this.following) this.rows.scrollTop = this.rows.scrollHeight;
    const first = Math.max(0, Math.floor(this.rows.scrollTop / ROW) - MARGIN);
    const visible = Math.ceil(this.rows.clientHeight / ROW) + 2 * MARGIN;
    const now = new Map();
    for (let place = first; place < Math.min(first + visible, this.items.length); place += 1) {
      now.set(this.items[place].number, place);
    }
    for (const [number, row] of this.shown) {
      if (!now.has(number)) { row.remove(); this.shown.delete(number); }
    }
    // In their order in the document too, for that is how they are read out.
    let before = this.space;
    for (const [number, place] of now) {
      const item = this.items[place];
      let row = this.shown.get(number);
      if (row?.item !== item) {
        const fresh = this.row(item);
        row?.replaceWith(fresh);
        row = fresh;
        this.shown.set(number, row);
      }
      row.setAttribute("aria-selected", String(number === this.chosen));
      row.setAttribute("aria-posinset", place + 1);
      row.setAttribute("aria-setsize", this.items.length);
      row.style.transform = `translateY(${place * ROW}px)`;
      if (before.nextSibling !== row) before.after(row);
      before = row;
    }
    this.rows.setAttribute("aria-activedescendant", this.chosen === null ? "" : `row-${this.chosen}`);
  }

  row(item) {
    const label = `${item.method} ${item.target}, ${item.status || "no answer yet"}`;
    const marks = tags(item);
    const row = element(
      "div",
      {
        class: "row", role: "option", id: `row-${item.number}`, "data-number": item.number,
        "aria-label": label, title: [item.target, marks?.textContent].filter(Boolean).join("\n"),
      },
      element("span", { class: "number" }, String(item.number)),
      element("span", { class: "time" }, clock(item.started)),
      element("span", { class: "method" }, item.method),
      element("span", { class: "target" }, element("span", {}, item.target), marks),
      element("span", { class: `status s${Math.floor(item.status / 100)}` }, status(item)),
      element("span", { class: "size" }, octets(item.bytes_down)),
      element("span", { class: "took" }, seconds(item.seconds)),
    );
    row.item = item;
    return row;
  }
}

function status(item) {
  return item.status ? String(item.status) : item.open ? "…" : "–";
}

function tags(item) {
  const made = [];
  if (item.outcome === "read from an archive") made.push(element("span", { class: "tag route" }, "read in"));
  if (item.route) made.push(element("span", { class: "tag route" }, item.route));
  if (item.websocket) made.push(element("span", { class: "tag" }, `ws ${item.messages}`));
  if (item.symptom) made.push(element("span", { class: "tag bad" }, item.symptom));
  else if (item.rule) {
    made.push(element("span", { class: "tag bad" }, item.would_refuse ? `would refuse: ${item.rule}` : item.rule));
  }
  return made.length ? element("span", { class: "tags" }, made) : null;
}
