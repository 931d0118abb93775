/** Text of a hub, from the command line: the real huggingface_hub, and a server on this machine. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cli } from "./cli.ts";
import { finish, hubEnvironment, startHub } from "./hub.ts";
import { tinyModel } from "./tiny-model.ts";

const NAME = "hf://datasets/me/texts/test.txt";

let folder: string;
let model: string;
let text: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "depthkit-hub-data-"));
  model = await tinyModel(folder);
  text = join(folder, "test.txt");
  writeFileSync(text, "Many words, one after the other, and then some more of them. ".repeat(20));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const evaluation = (address: string, data: string, cache = "cache"): ChildProcess =>
  spawn(process.execPath, [...cli, "evaluate", "--model", model, "--data", data, "--chunk", "32", "--json"], {
    env: hubEnvironment(address, join(folder, cache)),
  });

test("text of a hub gives what the file gives, and is named with its commit", async () => {
  const hub = await startHub(join(folder, "held"), "--dataset", "me/texts", text);
  const own = await finish(evaluation(hub.address, text));
  const found = await finish(evaluation(hub.address, NAME));
  const none = await finish(evaluation(hub.address, "hf://datasets/me/texts"));
  await hub.close();
  expect([own.code, found.code, none.code]).toEqual([0, 0, 2]);
  const of = ({ document }: typeof own) => document.results[0].perplexity;
  expect(of(found).bitsPerByte).toBeGreaterThan(0);
  expect(of(found).bitsPerByte).toBe(of(own).bitsPerByte);
  expect(of(found).data.digest).toBe(of(own).data.digest);
  expect(of(found).data.files).toEqual([
    expect.stringMatching(/^hf:\/\/datasets\/me\/texts@[0-9a-f]{40}\/test\.txt$/),
  ]);
  expect(none.document.error.message).toContain(`There are: ${NAME}.`);
});

test("Ctrl-C ends it while it fetches", async () => {
  const hub = await startHub(join(folder, "nothing"), "--hang", "--dataset", "me/texts", text);
  const child = evaluation(hub.address, NAME, "another cache");
  expect(await hub.line()).toBe("hangs");
  child.kill("SIGINT");
  expect(await finish(child)).toMatchObject({ code: 130, document: { error: { code: "CANCELLED" } } });
  await hub.close();
});
