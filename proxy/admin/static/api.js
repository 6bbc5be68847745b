// Talks to labgate. Every call that changes something brings the session's token.

let csrf = "";

async function call(path, options = {}) {
  const response = await fetch(`api/${path}`, options);
  const type = response.headers.get("Content-Type") || "";
  const body = type.startsWith("application/json") ? await response.json() : await response.text();
  if (!response.ok) {
    const problem = new Error(body.error || String(body).trim() || `status ${response.status}`);
    problem.status = response.status;
    problem.route = body.route;
    throw problem;
  }
  return body;
}

function post(path, body) {
  return call(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Labgate-CSRF": csrf },
    body: JSON.stringify(body),
  });
}

export async function state() {
  const answer = await call("state");
  csrf = answer.csrf;
  return answer;
}

export const setCapture = (on, content) => post("state", { on, content });
export const exchanges = (filter) => call(`exchanges?filter=${encodeURIComponent(filter)}`);
export const exchange = (number) => call(`exchanges/${number}`);
export const replay = (number, request) => post(`exchanges/${number}/replay`, request);
export const clear = () => post("clear", {});
export const importArchive = (archive) => post("har", archive);
export const archiveAddress = (filter) => `api/har?filter=${encodeURIComponent(filter)}`;

// Calls back with each batch, and when the connection comes and goes. After a restart labgate has
// another state, and perhaps another key: then the page cannot go on, and says so.
export function live(onBatch, onState, onConnected, onLost) {
  let wait = 500;
  function again(problem) {
    onLost(problem);
    setTimeout(connect, wait);
    wait = Math.min(wait * 2, 5000);
  }
  async function connect() {
    let known;
    try {
      known = await state();
    } catch (problem) {
      again(problem);
      return;
    }
    const address = new URL(`api/live?csrf=${encodeURIComponent(csrf)}`, location.href);
    address.protocol = "ws:";
    const socket = new WebSocket(address);
    socket.onopen = () => { wait = 500; onConnected(known); };
    socket.onmessage = (event) => {
      const { exchanges, state: changed } = JSON.parse(event.data);
      if (changed) onState(changed);
      onBatch(exchanges);
    };
    socket.onclose = () => again(null);
  }
  connect();
}
