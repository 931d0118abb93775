import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

async function run(file: string) {
  const child = spawn(process.execPath, ["--import", "tsx", file], { cwd: root });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (text) => {
      output += text;
    });
  }
  const [code] = (await once(child, "close")) as [number | null];
  return { code, output };
}

// A server that is never done is tested by what it serves (backend.test.ts).
test.each(readdirSync(join(root, "examples")).filter((name) => name !== "backend"))(
  "examples/%s ends with 0",
  async (name) => {
    expect(await run(join("examples", name, "main.ts"))).toMatchObject({ code: 0 });
  },
  300_000,
);

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
