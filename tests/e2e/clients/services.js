// @jupyterlab/services, which VS Code's Jupyter extension uses too: `services.js URL TOKEN`.
const { KernelManager, ServerConnection } = require("@jupyterlab/services");

async function main(baseUrl, token) {
  const wsUrl = baseUrl.replace(/^http/, "ws");
  const serverSettings = ServerConnection.makeSettings({ baseUrl, wsUrl, token, appendToken: true });
  const manager = new KernelManager({ serverSettings });
  await manager.ready;
  const kernel = await manager.startNew({ name: "python3" });
  const future = kernel.requestExecute({ code: "6 * 7" });
  future.onIOPub = message => {
    if (message.content.data) console.log(message.content.data["text/plain"]);
  };
  await future.done;
  await kernel.shutdown();
}

main(...process.argv.slice(2)).then(
  () => process.exit(0),
  error => { console.error(error); process.exit(1); });
