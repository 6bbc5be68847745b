// The form that sends an exchange's request again, as it was or edited.

import { element } from "./dom.js";

const SAFE = ["GET", "HEAD", "OPTIONS"];
const METHODS = [...SAFE, "POST", "PUT", "PATCH", "DELETE"];

export function openReplay(dialog, exchange, about, send) {
  const method = element("select", { id: "replay-method" },
    METHODS.map((name) => element("option", { selected: name === exchange.method }, name)));
  const target = element("input", { id: "replay-target", type: "text", value: exchange.target, required: true });
  const fields = element("textarea", { id: "replay-fields", rows: "6", spellcheck: "false" },
    exchange.received.fields.filter(([name]) => name.toLowerCase() !== "content-length").map(([name, value]) => `${name}: ${value}`).join("\n"));
  const body = element("textarea", { id: "replay-content", rows: "3", spellcheck: "false" },
    exchange.content_up ? exchange.content_up.text : "");
  const token = element("input", { id: "replay-token", type: "password", autocomplete: "off" });
  const own = element("input", { type: "checkbox", id: "replay-own" });
  const direct = element("input", { type: "radio", name: "through", value: "upstream", checked: true, id: "through-upstream" });
  const rules = element("input", { type: "radio", name: "through", value: "rules", id: "through-rules" });
  const error = element("p", { class: "error", role: "alert" });
  const form = element("form", { class: "replay" },
    element("h2", {}, "Send again"),
    element("p", {}, "If there are several Jupyters, it goes to the one that it was for, and this page asks before it goes to another. Secrets were never captured: a field or parameter with [redacted] is left out or must be replaced."),
    element("label", { for: "replay-method" }, "Method"), method,
    element("label", { for: "replay-target" }, "Target"), target,
    element("label", { for: "replay-fields" }, "Fields, one a line"), fields,
    element("label", { for: "replay-content" }, "Content; Content-Length follows it"), body,
    exchange.content_lacks ? element("p", { class: "lacks" }, exchange.content_lacks) : null,
    element("label", { for: "replay-token" }, "Jupyter's token, if it needs one"), token,
    about.own_token ? element("p", { class: "choices" },
      element("label", {}, own, " or the token of the Jupyter that labgate launched")) : null,
    element("p", { class: "choices", role: "radiogroup", "aria-label": "Way" },
      element("label", {}, direct, " straight to Jupyter"),
      element("label", {}, rules, " through labgate's rules")),
    element("div", { class: "send" }, error,
      element("button", { type: "submit" }, "Send"), " ",
      element("button", { type: "button", onclick: () => dialog.close() }, "Cancel")));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const changes = !SAFE.includes(method.value);
    if (changes && !confirm(`${method.value} may change something in Jupyter. Send it?`)) return;
    try {
      await sendOrAsk(send, {
        method: method.value, target: target.value, fields: lines(fields.value),
        content: body.value, token: token.value, own_token: own.checked,
        through: rules.checked ? "rules" : "upstream", confirmed: changes,
      });
      dialog.close();
    } catch (problem) {
      error.textContent = problem.message;
    }
  });
  dialog.replaceChildren(form);
  dialog.showModal();
}

async function sendOrAsk(send, request) {
  try {
    await send(request);
  } catch (problem) {
    if (problem.route === undefined || !confirm(`${problem.message} Send it there?`)) throw problem;
    await send({ ...request, route: problem.route });
  }
}

function lines(text) {
  return text.split("\n").filter((line) => line.trim()).map((line) => {
    const colon = line.indexOf(":");
    return colon < 0 ? [line.trim(), ""] : [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
  });
}
