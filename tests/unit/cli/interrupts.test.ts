import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { shellCommand } from "../../../src/cli/error-report.ts";
import { errorDocument } from "../../../src/schemas.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** A Node of its own that gets real signals from itself, at times of its own clock. */
async function run(body: string) {
  const args = ["--import", "tsx", "--input-type=module", "-e", body, "--", "main", "--prompt", "it's one"];
  const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      said[name] += text;
    });
  }
  const [code] = (await once(child, "close")) as [number | null];
  return { code, ...said };
}

/** Signals at these times, each once the one before was heard. */
const signalled = (times: readonly (readonly [signal: string, at: number])[]) => `
  import { onInterrupt } from "./src/cli/interrupts.ts";
  const alive = setInterval(() => {}, 1000);
  let now = 0;
  onInterrupt((signal) => console.log("stop", signal, now), (signal) => console.log("end", signal, now), () => now);
  for (const [signal, at] of ${JSON.stringify(times)}) {
    const heard = new Promise((resolve) => process.once(signal, resolve));
    now = at;
    process.kill(process.pid, signal);
    await heard;
  }
  clearInterval(alive);`;

const onPosix = test.skipIf(process.platform === "win32");

onPosix("the first signal stops, its echo is not heard, a later one ends", async () => {
  const times = [
    ["SIGTERM", 0],
    ["SIGTERM", 2],
    ["SIGINT", 99],
    ["SIGHUP", 100],
  ] as const;
  const { code, stdout } = await run(signalled(times));
  expect({ code, stdout }).toEqual({ code: 0, stdout: "stop SIGTERM 0\nend SIGHUP 100\n" });
});

onPosix("a command that does not stop is ended by the second, with its document", async () => {
  const { code, stdout, stderr } = await run(`
    import { runCommand } from "./src/cli/command.ts";
    let now = 0;
    performance.now = () => now;
    setInterval(() => {}, 1000);
    void runCommand({ json: true, journal: "tests" }, () => new Promise(() => {}));
    const heard = new Promise((resolve) => process.once("SIGINT", resolve));
    process.kill(process.pid, "SIGINT");
    await heard;
    now = 1000;
    process.kill(process.pid, "SIGINT");`);
  expect(code).toBe(130);
  const { error } = errorDocument.parse(JSON.parse(stdout));
  expect(error).toMatchObject({
    code: "CANCELLED",
    message: expect.stringContaining("A second signal (SIGINT)"),
    resume: { journal: `${root}tests`, command: "npx depthkit --prompt 'it'\\''s one'" },
  });
  expect(stderr).toContain("Stopping after the running step.");
  expect(stderr).toContain(error.resume?.command);
});

test("a command is written for the shell it is pasted into", () => {
  const args = ["solve", "--task", "a b.jsonl", "--prompt", '{q} "x"\\n', "--out", "c:/d"];
  expect(shellCommand(args, "linux")).toBe(
    `npx depthkit solve --task 'a b.jsonl' --prompt '{q} "x"\\n' --out c:/d`,
  );
  expect(shellCommand(args, "win32")).toBe(
    `npx depthkit solve --task "a b.jsonl" --prompt "{q} \\"x\\"\\n" --out c:/d`,
  );
});

test("a command that has kept nothing yet has nothing to go on from", async () => {
  const { code, stdout, stderr } = await run(`
    import { runCommand } from "./src/cli/command.ts";
    import { DepthkitError } from "./src/index.ts";
    await runCommand({ json: true, journal: "no such folder" }, async () => {
      throw new DepthkitError("NETWORK", "Fetching: nothing answers.");
    });`);
  expect(code).toBe(3);
  expect(errorDocument.parse(JSON.parse(stdout)).error).toMatchObject({ code: "NETWORK", resume: null });
  expect(stderr).not.toContain("To go on");
});
