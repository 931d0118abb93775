import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { tinyModel } from "./tiny-model.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

async function run(file: string, ...args: readonly string[]) {
  const child = spawn(process.execPath, ["--import", "tsx", file, ...args], { cwd: root });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (text) => {
      output += text;
    });
  }
  const [code] = (await once(child, "close")) as [number | null];
  return { code, output };
}

// A server that is never done is tested by what it serves (backend.test.ts), and the paper's study is too long.
const others = ["backend", "paper"];
test.each(readdirSync(join(root, "examples")).filter((name) => !others.includes(name)))(
  "examples/%s ends with 0",
  async (name) => {
    expect(await run(join("examples", name, "main.ts"))).toMatchObject({ code: 0 });
  },
  300_000,
);

test("examples/paper runs on a small model, and its report ends with the paper's claims", async () => {
  const folder = mkdtempSync(join(tmpdir(), "depthkit-paper-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const tiny = await tinyModel(folder);
  const out = join(folder, "out");
  const { code, output } = await run("examples/paper/main.ts", "--quick", "--model", tiny, "--out", out);
  expect({ code, output }).toMatchObject({ code: 0 });
  for (const claim of [
    "About a tenth of the blocks",
    "the emulated update matches",
    "Shapley values choose",
  ]) {
    expect(output).toMatch(new RegExp(`^(held|did-not-hold|cannot-be-told) +.*${claim}`, "m"));
  }
  expect(readFileSync(join(out, "report/report.html"), "utf8")).toContain("The paper's claims");
}, 300_000);

test("the example of docs/studies.md runs as it stands there", async () => {
  const folder = target("studies-example-run");
  const { code, output } = await runDocumented("docs/studies.md", { "runs/first": folder });
  expect({ code, output }).toMatchObject({ code: 0 });
  expect(output).toContain("emulated-update");
  rmSync(folder, { recursive: true });
}, 300_000);

/** Runs a document's first example as it stands there, but for the folders that it writes to. */
async function runDocumented(document: string, folders: Readonly<Record<string, string>>) {
  const code = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(root, document), "utf8"))?.[1] ?? "";
  for (const folder of Object.values(folders)) rmSync(folder, { recursive: true, force: true });
  const file = join(root, ".depthkit", `${basename(document, ".md")}-example.ts`);
  const own = Object.entries(folders).reduce((text, [name, folder]) => text.replace(name, folder), code);
  writeFileSync(file, own);
  return { lines: code.trim().split("\n").length, ...(await run(file)) };
}

const target = (name: string) => join(root, ".depthkit", name);

test("the README's example runs as it stands there", async () => {
  const smaller = target("readme-example-out");
  const { lines, ...result } = await runDocumented("README.md", { "out/smaller": smaller });
  expect(lines).toBeLessThanOrEqual(15);
  expect(result).toMatchObject({ code: 0 });
  expect(readdirSync(smaller)).toContain("model.safetensors");
  rmSync(smaller, { recursive: true });
}, 300_000);

test("the example of docs/search.md runs as it stands there", async () => {
  const [smaller, journal] = [target("search-example-out"), target("search-example-journal")];
  const folders = { "out/smaller": smaller, "runs/search": journal };
  const { output, ...result } = await runDocumented("docs/search.md", folders);
  expect({ output, ...result }).toMatchObject({ code: 0 });
  expect(output).toContain("part: 'report'");
  expect(readdirSync(smaller)).toContain("config.json");
  expect(readdirSync(journal).length).toBeGreaterThan(0);
  for (const folder of [smaller, journal]) rmSync(folder, { recursive: true });
}, 600_000);
