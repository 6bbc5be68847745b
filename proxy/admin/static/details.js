// One exchange: the explanation first, then both sides of both heads, times, messages, content.

import { clock, element, octets, seconds } from "./dom.js";

const MARKS = { added: "+", removed: "−", changed: "~", same: "" };

export function details(exchange, actions) {
  return [
    element("button", { class: "back", type: "button", onclick: actions.back }, "← List"),
    element("h2", { class: "title" },
      element("span", { class: `s${Math.floor(exchange.status / 100)}` }, String(exchange.status || "no status")),
      element("span", { class: "mono" }, `${exchange.method} ${exchange.target}`)),
    element("p", { class: "facts" }, facts(exchange)),
    explanation(exchange),
    mends(exchange, actions),
    element("div", { class: "actions" },
      element("button", { type: "button", onclick: actions.curl, disabled: !exchange.curl }, "Copy as curl"),
      element("button", { type: "button", onclick: actions.replay }, "Send again …"),
      element("button", { type: "button", onclick: actions.link }, "Copy link")),
    element("p", { id: "copied", class: "facts", role: "status" }),
    headsTable("Request", "the client sent", "Jupyter received",
      exchange.received, exchange.sent_up, exchange.changes_up),
    headsTable("Response", "Jupyter answered", "the client got",
      exchange.answered, exchange.sent_down, exchange.changes_down),
    times(exchange),
    exchange.websocket ? messages(exchange) : null,
    content("Content of the request", exchange.content_up),
    content("Content of the response", exchange.content_down),
  ].filter(Boolean);
}

function facts(exchange) {
  const known = [
    `#${exchange.number}`, clock(exchange.started), `from ${exchange.peer || "an archive"}`,
    exchange.route && `route ${exchange.route}`, exchange.outcome, exchange.open ? "still open" : "",
    `${octets(exchange.bytes_up)} up, ${octets(exchange.bytes_down)} down`,
  ];
  return known.filter(Boolean).join(" · ");
}

function explanation(exchange) {
  const refused = exchange.rule && !exchange.would_refuse
    ? `labgate refused this by rule ${exchange.rule}; Jupyter has not seen it.` : "";
  const made = [];
  if (exchange.explanation) {
    made.push(element("div", { class: "explain", role: "note" },
      element("strong", {}, exchange.symptom), exchange.explanation,
      refused ? element("small", {}, `${refused} ${exchange.reason}`) : null));
  } else if (refused) {
    made.push(element("div", { class: "explain", role: "note" },
      element("strong", {}, refused), exchange.reason));
  }
  if (exchange.would_refuse) {
    made.push(element("div", { class: "explain would", role: "note" },
      element("strong", {}, `In front of a real site labgate would have refused this by rule ${exchange.rule}.`),
      exchange.reason));
  }
  return made.length ? element("div", {}, made) : null;
}

// Lines to paste, by server; closed, and the one that was recognised first.
function mends(exchange, actions) {
  if (!exchange.mends.length) return null;
  return element("section", { class: "mends", "aria-label": "Mends" },
    exchange.check ? element("p", { class: "facts" }, "Behind it: ", exchange.check, ".") : null,
    exchange.mends.map((mend) => element("details", { class: "mend" },
      element("summary", {}, `${mend.joined || "Mend"} in ${mend.name}`,
        mend.recognised ? element("span", { class: "tag" }, "seen on the way") : null),
      element("button", {
        type: "button", "aria-label": `Copy the lines for ${mend.name}`,
        onclick: () => actions.copy(mend.lines),
      }, "Copy"),
      element("pre", {}, mend.lines))));
}

// Both heads in one table, so that each difference has its line and its rule.
function headsTable(title, leftName, rightName, left, right, changes) {
  if (!left && !right) return null;
  const rows = [lineRow(left, right)];
  for (const row of compare(left, right, changes)) rows.push(fieldRow(row));
  return element("section", {},
    element("h2", {}, title),
    element("table", {},
      element("thead", {}, element("tr", {},
        element("th", { scope: "col" }, element("span", { class: "visually-hidden" }, "Difference")),
        element("th", { scope: "col", class: "name" }, "Field"),
        element("th", { scope: "col" }, leftName),
        element("th", { scope: "col" }, rightName),
        element("th", { scope: "col", class: "rule" }, "Rule"))),
      element("tbody", {}, rows)));
}

function lineRow(left, right) {
  if (left && right && left.line === right.line) {
    return element("tr", { class: "same" },
      element("td", { class: "mark" }), element("td"),
      element("td", { colspan: "3" }, left.line));
  }
  return element("tr", {},
    element("td", { class: "mark" }), element("td"),
    element("td", {}, left ? left.line : none("nothing")),
    element("td", {}, right ? right.line : none("nothing")),
    element("td", { class: "rule" }));
}

function compare(left, right, changes) {
  const rest = [...changes];
  const take = (name, test) => {
    const place = rest.findIndex((one) => one.name.toLowerCase() === name.toLowerCase() && test(one));
    return place < 0 ? null : rest.splice(place, 1)[0];
  };
  const waiting = right ? right.fields.map(([name, value]) => ({ name, value })) : [];
  const arrived = (name, value) => {
    const place = waiting.findIndex((one) => one.name.toLowerCase() === name.toLowerCase() && one.value === value);
    return place < 0 ? null : waiting.splice(place, 1)[0];
  };
  const rows = [];
  for (const [name, value] of left ? left.fields : []) {
    const change = take(name, (one) => one.before === value);
    if (!right) rows.push({ kind: "same", name, before: value, after: null, rule: "" });
    else if (change && change.after !== null) {
      arrived(name, change.after);
      rows.push({ kind: "changed", name, before: value, after: change.after, rule: change.rule });
    } else if (change && arrived(name, value)) {
      // Taken out and put in again as it was: Connection and Upgrade of a WebSocket.
      take(name, (one) => one.before === null && one.after === value);
      rows.push({ kind: "same", name, before: value, after: value, rule: "" });
    } else if (change) rows.push({ kind: "removed", name, before: value, after: null, rule: change.rule });
    else if (arrived(name, value)) rows.push({ kind: "same", name, before: value, after: value, rule: "" });
    else rows.push({ kind: "removed", name, before: value, after: null, rule: "" });
  }
  for (const { name, value } of waiting) {
    const change = take(name, (one) => one.after === value);
    const kind = left ? "added" : "same";
    rows.push({ kind, name, before: null, after: value, rule: change ? change.rule : "" });
  }
  return rows;
}

function fieldRow(row) {
  return element("tr", { class: row.kind },
    element("td", { class: "mark" }, MARKS[row.kind],
      element("span", { class: "visually-hidden" }, row.kind)),
    element("td", {}, row.name),
    element("td", {}, row.before ?? none("—")),
    element("td", {}, row.after ?? none("—")),
    element("td", { class: "rule" }, row.rule));
}

const none = (text) => element("span", { class: "none" }, text);

function times(exchange) {
  const known = exchange.times;
  if (known.last_octet === null && known.sent_down === null) return null;
  const end = known.last_octet ?? known.sent_down;
  const up = known.sent_up ?? 0;
  const queue = Math.min(known.queue ?? 0, up);
  const dial = Math.min(known.dial ?? 0, up - queue);
  const first = known.first_octet ?? known.sent_down ?? end;
  const parts = [
    ["queue", "until a slot and access control let it", queue],
    ["dial", known.dial === null ? "a connection was at hand" : "connecting to Jupyter", dial],
    ["wait", "Jupyter thought, until its first octet", Math.max(0, first - up)],
    ["send", "from the first octet to the last", Math.max(0, end - first)],
  ];
  const total = Math.max(end, 1e-6);
  const legend = parts.map(([name, label, length]) => element("span", {},
    element("i", { class: name }), `${label}: ${seconds(length)}`));
  if (known.tls !== null || exchange.scheme === "https") {
    const took = known.tls === null ? "not measured here" : seconds(known.tls);
    legend.unshift(element("span", {}, `the connection's TLS handshake, before: ${took}`));
  }
  const bars = element("div", { class: "bars" }, parts.map(([name, , length]) => {
    const bar = element("i", { class: name });
    bar.style.width = `${(100 * length) / total}%`;
    return bar;
  }));
  return element("section", {}, element("h2", {}, `Times: ${seconds(end)}`), bars,
    element("p", { class: "legend" }, legend));
}

function messages(exchange) {
  const rows = exchange.messages.map((message) => element("tr", {},
    element("td", {}, `+${seconds(message.at)}`),
    element("td", {}, message.up ? "↑ client" : "↓ Jupyter"),
    element("td", {}, message.kind),
    element("td", {}, octets(message.octets)),
    element("td", { class: "words" },
      message.close_code ? `code ${message.close_code} ` : "", message.words,
      message.text ? element("pre", {}, message.text) : null)));
  const dropped = exchange.messages_dropped
    ? element("p", { class: "facts" }, `${exchange.messages_dropped} earlier ones were dropped.`) : null;
  return element("section", {},
    element("h2", {}, `WebSocket: ${exchange.messages.length + exchange.messages_dropped} messages`),
    dropped,
    element("table", { class: "messages" },
      element("thead", {}, element("tr", {},
        ["At", "From", "Kind", "Size"].map((name) => element("th", { scope: "col" }, name)),
        element("th", { scope: "col", class: "words" }, "What it says"))),
      element("tbody", {}, rows)));
}

function content(title, captured) {
  if (!captured || !captured.octets) return null;
  const text = captured.text || "(no text)";
  const more = captured.whole || !captured.text ? "" : ", the beginning";
  return element("section", {},
    element("h2", {}, `${title}: ${octets(captured.octets)}${more}`), element("pre", {}, text));
}
