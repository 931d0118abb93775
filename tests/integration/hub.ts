/** A small hub on this machine, for tests of what goes there and of what comes from there. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { resolveWorkerPython } from "../../src/environment/worker-python.ts";

const SERVER = fileURLToPath(new URL("../python/hub_server.py", import.meta.url));

/** A hub, which writes what it holds to `folder` when it is closed. */
export async function startHub(folder: string, ...flags: readonly string[]) {
  const { python } = await resolveWorkerPython();
  const child = spawn(python, ["-I", SERVER, folder, ...flags]);
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const line = async () => String((await lines.next()).value);
  const close = async () => {
    // Not its streams' end: nobody reads what it says last.
    const exited = once(child, "exit");
    child.stdin.end();
    await exited;
  };
  return { address: await line(), line, close };
}

/** Of a process that takes the hub at `address` for the real one, and keeps what it fetches in `folder`. */
export const hubEnvironment = (address: string, folder: string) => ({
  ...process.env,
  HF_ENDPOINT: address,
  HF_TOKEN: "hf_test",
  HF_HOME: join(folder, "hf"),
  HF_HUB_DISABLE_XET: "1",
});

/** The exit code of a command with --json, and the document that it printed. */
export async function finish(child: ChildProcess) {
  let stdout = "";
  child.stdout?.on("data", (text) => {
    stdout += text;
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, document: JSON.parse(stdout) };
}
