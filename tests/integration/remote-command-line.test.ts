import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isAlive } from "../unit/platform/processes.ts";
import { cli } from "./cli.ts";
import { tinyModel } from "./tiny-model.ts";

let folder: string;
let tiny: string;
let worker: ChildProcess;
let url: string;
let log = "";

function start(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [...cli, ...args], { cwd: folder, env: { ...process.env, ...env } });
}

async function run(args: readonly string[], env?: Record<string, string>) {
  const child = start(args, env);
  const output = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream]?.on("data", (text) => {
      output[stream] += text;
    });
  }
  const [code] = (await once(child, "close")) as [number | null];
  return { code, ...output };
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-remote-cli-"));
  tiny = await tinyModel(folder);
  writeFileSync(join(folder, "text.txt"), "The boats lay on the sand with their nets still wet. ".repeat(60));
  for (const name of ["gpu.keys", "laptop.keys"])
    expect(await run(["keys", name])).toMatchObject({ code: 0 });
  for (const args of [
    ["gpu.keys", "--trust", "laptop.pub"],
    ["laptop.keys", "--trust", "gpu.pub"],
  ]) {
    expect(await run(["keys", ...args])).toMatchObject({ code: 0 });
  }
  worker = start(["worker", "--listen", "tcp://127.0.0.1:*", "--keys", "gpu.keys"]);
  url = await new Promise<string>((resolve) => {
    worker.stderr?.on("data", (text) => {
      log += text;
      const found = /Listening at (\S+)\. /.exec(log)?.[1];
      if (found !== undefined) resolve(found);
    });
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("secrets are not printed, and a key file that is there is not written over", async () => {
  const before = readFileSync(join(folder, "gpu.keys"), "utf8");
  const { secret } = JSON.parse(before);
  const again = await run(["keys", "gpu.keys", "--json"]);
  expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining("TARGET_NOT_EMPTY") });
  expect(again.stdout + again.stderr + log).not.toContain(secret);
  expect(readFileSync(join(folder, "gpu.keys"), "utf8")).toBe(before);
});

test("a command works on the remote worker, by flags or by variables", async () => {
  const text = join(folder, "text.txt");
  const evaluate = [
    "evaluate",
    "--model",
    tiny,
    "--device",
    "cpu",
    "--data",
    text,
    "--chunk",
    "64",
    "--json",
  ];
  const here = await run(evaluate);
  const there = await run([...evaluate, "--worker", url, "--keys", "laptop.keys"]);
  expect({ code: there.code, stderr: there.stderr }).toMatchObject({ code: 0 });
  const losses = [here, there].map(({ stdout }) => JSON.parse(stdout).results[0].perplexity.loss);
  expect(losses[1]).toBe(losses[0]);
  const named = await run([...evaluate.slice(0, -1), "--remove", "1"], {
    DEPTHKIT_WORKER: url,
    DEPTHKIT_KEYS: "laptop.keys",
  });
  expect(named).toMatchObject({ code: 0 });
  expect(log.match(/session [0-9a-f]{6} opened/g)).toHaveLength(2);
});

test("an export stays there, and is fetched", async () => {
  const remote = ["--worker", url, "--keys", "laptop.keys"];
  const out = join(folder, "out");
  const on = ["--model", tiny, "--device", "cpu", "--remove", "2"];
  const relative = await run(["export", ...on, "--out", "out", ...remote]);
  expect(relative).toMatchObject({ code: 2, stderr: expect.stringContaining("must be absolute") });
  expect(await run(["export", ...on, "--out", out, ...remote])).toMatchObject({ code: 0 });
  expect(await run(["fetch", out, "here", ...remote])).toMatchObject({ code: 0 });
  const weights = (of: string) => readFileSync(join(folder, of, "model.safetensors"));
  expect(weights("here").equals(weights("out"))).toBe(true);
});

test("flags that would say nothing, or lack their other half, are refused", async () => {
  const evaluate = ["evaluate", "--model", tiny, "--data", "text.txt"];
  const worded: [string[], string][] = [
    [["doctor", "--worker", url], "works on this machine"],
    [[...evaluate, "--keys", "laptop.keys"], "--keys goes with --worker"],
    [[...evaluate, "--take-over"], "--take-over goes with --worker"],
    [[...evaluate, "--worker", url], "needs a key file"],
    [["worker", "--listen", "tcp://127.0.0.1:*"], "needs a key file"],
    [["fetch", "/out", "here"], "needs a remote worker"],
    [["worker", "--listen", "tcp://127.0.0.1:*", "--keys", "laptop.pub"], "INVALID_ARGUMENT"],
  ];
  for (const [args, words] of worded) {
    expect(await run(args)).toMatchObject({ code: 2, stderr: expect.stringContaining(words) });
  }
});

test("SIGTERM ends the worker in good order, with no process left", async () => {
  const ended = once(worker, "close");
  const { stdout } = await run([
    ...["generate", "--model", tiny, "--prompt", "A", "--max-new-tokens", "1", "--device", "cpu", "--json"],
    ...["--worker", url, "--keys", "laptop.keys"],
  ]);
  expect(JSON.parse(stdout)).toBeDefined();
  worker.kill("SIGTERM");
  const [code] = await ended;
  expect(code).toBe(0);
  expect(isAlive(worker.pid ?? 0)).toBe(false);
});
