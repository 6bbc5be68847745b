// The page: what is shown, what is chosen, what the keys do.

import * as api from "./api.js";
import { details } from "./details.js";
import { element, octets } from "./dom.js";
import { List } from "./list.js";
import { openReplay } from "./replay.js";

const find = (id) => document.getElementById(id);
const rows = find("rows");
const filter = find("filter");
const list = new List(rows, find("space"), show);
let known = null; // the inspector's state; null until there is a connection
let current = null; // the exchange that is shown
let filterTurn = 0;

// The address says what is shown: ?filter=…#RUN-NUMBER. Numbers begin anew with each run of labgate.
function start() {
  filter.value = new URLSearchParams(location.search).get("filter") ?? "";
  api.live(arrive, stateChanged, connected, lost);
  rows.focus();
}

async function connected(state) {
  const other = known !== null && known.run !== state.run;
  const first = known === null;
  known = state;
  showState();
  await load();
  if (other) list.forget();
  if (first || other) followAddress();
}

// By another page, by labgate inspect, or by itself, because of a fault.
function stateChanged(state) {
  Object.assign(known, state);
  showState();
}

function lost(problem) {
  find("banner").hidden = false;
  find("banner").textContent = problem?.status === 401
    ? "labgate was started again and does not know this page: open the address that `labgate inspect` prints."
    : "No connection to labgate: it has stopped, or is starting.";
}

function followAddress() {
  const [run, number] = location.hash.slice(1).split("-");
  if (!number) return;
  if (run === known.run) list.choose(Number(number));
  else showNote(`Exchange ${Number(number)} is of an earlier run of labgate: it is gone.`);
}

function showNote(text) {
  current = null;
  document.body.classList.add("chosen");
  find("details").replaceChildren(
    element("button", { class: "back", type: "button", onclick: actions.back }, "← List"),
    element("p", { class: "hint", role: "status" }, text));
}

function keepAddress() {
  const address = new URL(location.href);
  if (filter.value) address.searchParams.set("filter", filter.value);
  else address.searchParams.delete("filter");
  if (list.chosen !== null) address.hash = `${known.run}-${list.chosen}`;
  history.replaceState(null, "", address);
}

// What arrives while the list is asked for may be newer than the answer.
let arrivedMeanwhile = null;

async function load() {
  filterTurn += 1;
  const turn = filterTurn;
  arrivedMeanwhile = [];
  try {
    const answer = await api.exchanges(filter.value);
    if (turn !== filterTurn) return;
    find("filter-error").textContent = "";
    list.replace(answer.exchanges);
    list.merge(arrivedMeanwhile);
    showCount();
  } catch (problem) {
    if (turn === filterTurn) find("filter-error").textContent = problem.message;
  }
  if (turn === filterTurn) arrivedMeanwhile = null;
}

// What comes while a filter is on is asked for again, for only labgate knows whole heads.
let asking = null;
function loadSoon() {
  asking ??= setTimeout(() => { asking = null; load(); }, 250);
}

function showAll() {
  filter.value = "";
  keepAddress();
  load();
}

function arrive(batch) {
  if (filter.value.trim()) {
    loadSoon();
  } else {
    list.merge(batch);
    arrivedMeanwhile?.push(...batch);
    showCount();
  }
  if (batch.some((item) => item.number === list.chosen)) refresh();
}

const OBSERVING = "What the checks of Host, Origin and Referer would refuse goes up with these fields as they came. X-Forwarded-*, X-Real-IP, Via and X-Request-Id are labgate's own.";

function showState() {
  const { about, on, content } = known;
  find("about").replaceChildren(about.site, " → ", about.upstream,
    about.observe ? element("b", { title: OBSERVING }, " observing: nothing is refused") : "");
  find("capture").setAttribute("aria-pressed", String(on));
  find("capture").textContent = on ? "Capture: on" : "Capture: off";
  find("content").setAttribute("aria-pressed", String(content));
  find("content").textContent = content ? "Content: on" : "Content: off";
  find("banner").hidden = !known.fault;
  find("banner").textContent = known.fault ? `${known.fault} labgate's log says more.` : "";
  showEmpty();
}

function showEmpty() {
  const { about, on } = known;
  find("empty").textContent = on
    ? `Nothing has come yet. Open ${about.site} in a browser.`
    : "The capture is off: switch it on above.";
}

function showCount() {
  find("empty").hidden = list.items.length > 0;
  if (filter.value.trim()) find("empty").textContent = "Nothing that is held passes the filter.";
  else if (known) showEmpty();
  const failed = list.items.filter(failedOne).length;
  find("count").textContent = `${list.items.length} shown${failed ? `, ${failed} failed` : ""}`;
}

const failedOne = (item) => item.status >= 400 || (item.rule && !item.would_refuse)
  || (!item.open && !item.status);

async function show() {
  find("note").textContent = "";
  keepAddress();
  document.body.classList.add("chosen");
  current = null;
  await refresh();
  find("details").scrollTop = 0;
}

async function refresh() {
  const number = list.chosen;
  try {
    const exchange = await api.exchange(number);
    if (number !== list.chosen) return;
    current = exchange;
    find("details").replaceChildren(...details(exchange, actions));
  } catch (problem) {
    if (number !== list.chosen) return;
    showNote(problem.status === 404
      ? `Exchange ${number} is gone: newer ones needed its room, or the list was cleared.`
      : problem.message);
  }
}

const actions = {
  back() {
    document.body.classList.remove("chosen");
    rows.focus();
  },
  copy,
  curl: () => current?.curl && copy(current.curl, current.curl_lacks),
  link: () => copy(location.href),
  replay() {
    if (!current) return;
    const { number } = current;
    openReplay(find("replay-dialog"), current, known.about, async (request) => {
      const answer = await api.replay(number, request);
      await load();
      list.choose(answer.number);
    });
  },
};

async function copy(text, lacks = "") {
  let said = "The browser does not let this page copy: mark the text instead.";
  try {
    await navigator.clipboard.writeText(text);
    said = "Copied.";
  } catch {
    // It said so.
  }
  find("note").textContent = said;
  // On a narrow screen only the details are in view.
  const beside = find("copied");
  if (beside) beside.textContent = [said, lacks].filter(Boolean).join(" ");
}

const keys = {
  j: () => list.step(1),
  k: () => list.step(-1),
  ArrowDown: () => list.step(1),
  ArrowUp: () => list.step(-1),
  g: () => list.edge(false),
  G: () => list.edge(true),
  Home: () => list.edge(false),
  End: () => list.edge(true),
  e: () => list.step(1, failedOne),
  r: actions.replay,
  c: actions.curl,
  Enter: () => find("details").focus(),
  "/": () => filter.focus(),
  "?": () => find("help-dialog").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const typing = event.target.matches("input, textarea, select");
  if (event.key === "Escape") {
    // A browser empties this field at Escape, in some without a word of it to the page.
    if (event.target === filter) event.preventDefault();
    if (event.target === filter && filter.value) showAll();
    else if (typing) rows.focus();
    else actions.back();
    return;
  }
  if (typing || (event.key === "Enter" && event.target !== rows)) return;
  const action = keys[event.key];
  if (action) {
    event.preventDefault();
    action();
  }
});

filter.addEventListener("input", () => { keepAddress(); loadSoon(); });
window.addEventListener("hashchange", followAddress);
find("filter-form").addEventListener("submit", (event) => {
  event.preventDefault();
  rows.focus();
});
find("help").addEventListener("click", () => find("help-dialog").showModal());
find("capture").addEventListener("click", () => change(!known.on, known.content));
find("content").addEventListener("click", () => change(true, !known.content));
find("clear").addEventListener("click", async () => {
  await api.clear();
  list.forget();
  find("details").replaceChildren();
  load();
});
find("export").addEventListener("click", () => {
  const link = element("a", { href: api.archiveAddress(filter.value), download: "labgate.har" });
  link.click();
});
find("import").addEventListener("click", () => find("archive").click());
find("archive").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  event.target.value = "";
  if (!file) return;
  try {
    const answer = await api.importArchive(JSON.parse(await file.text()));
    await load();
    find("note").textContent = `${answer.read} exchanges of ${file.name} (${octets(file.size)}) read.`;
  } catch (problem) {
    find("filter-error").textContent = `${file.name}: ${problem.message}`;
  }
});

async function change(on, content) {
  Object.assign(known, await api.setCapture(on, on && content));
  showState();
}

start();
