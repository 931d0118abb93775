import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
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

// A server that is never done is tested by what it serves (backend.test.ts), and these studies are too long.
const others = ["backend", "neighbours", "paper"];
test.each(readdirSync(join(root, "examples")).filter((name) => !others.includes(name)))(
  "examples/%s ends with 0",
  async (name) => {
    expect(await run(join("examples", name, "main.ts"))).toMatchObject({ code: 0 });
  },
  300_000,
);

let scratch: string;
let tiny: string;
/** As deep as the bundled model, for what names its blocks. */
let deep: string;
beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "depthkit-examples-"));
  tiny = await tinyModel(scratch);
  const below = join(scratch, "deep");
  mkdirSync(below);
  deep = await tinyModel(below, "", { blocks: 30 });
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

test("examples/paper runs on a small model, and its report ends with the paper's claims", async () => {
  const out = join(scratch, "paper");
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

test("examples/neighbours runs on a small model, each claim beside its controls", async () => {
  const out = join(scratch, "neighbours");
  const { code, output } = await run("examples/neighbours/main.ts", "--quick", "--model", tiny, "--out", out);
  expect({ code, output }).toMatchObject({ code: 0 });
  for (const claim of ["lorp chooses", "swiglu in the gap", "beats a static mask", "beats one mask"]) {
    expect(output).toMatch(new RegExp(`^(held|did-not-hold|cannot-be-told) +.*${claim}`, "m"));
  }
  const page = readFileSync(join(out, "report/report.html"), "utf8");
  expect(page).toContain("What the neighbours claim");
  expect(page).not.toMatch(/NaN|undefined/);
}, 300_000);

/**
 * A program as a document has it, but for the folders of `out` and `runs` that it writes to, and the model:
 * what these calls do with the bundled one is tested by the README's program and by examples/.
 */
async function runDocumented(document: string) {
  const code = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(root, document), "utf8"))?.[1] ?? "";
  const name = document.replace(/\W/g, "-");
  const folder = join(root, ".depthkit", `${name}-example`);
  rmSync(folder, { recursive: true, force: true });
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "main.ts");
  const here = code.replace(/"(?=(out|runs)\/)/g, `"${folder.replaceAll("\\", "/")}/`);
  const [bundled, small] = ["smollm2-135m", deep].map((name) => JSON.stringify(name));
  writeFileSync(file, document === "README.md" ? here : here.replaceAll(bundled ?? "", small ?? ""));
  return { folder, lines: code.trim().split("\n").length, ...(await run(file)) };
}

/** What a document's program leaves in its folder, and a word of what it prints. */
const documented: Readonly<Record<string, { readonly leaves?: readonly string[]; readonly says: string }>> = {
  "README.md": { leaves: ["out/smaller/model.safetensors"], says: "block." },
  "docs/studies.md": { leaves: ["runs/first/record.json"], says: "emulated-update" },
  "docs/search.md": { leaves: ["out/smaller/config.json", "runs/search"], says: "part: 'report'" },
  "docs/guide/first-steps.md": { says: "without nothing: perplexity" },
  "docs/guide/choose.md": { says: "tail would take block.27, block.28" },
  "docs/guide/repair.md": { says: "low-rank 32" },
  "docs/guide/prove.md": { leaves: ["runs/prove"], says: "choice loss" },
  "docs/guide/export-and-serve.md": { leaves: ["out/smaller/depthkit.json"], says: "blocks: 27 of 30" },
  "docs/guide/studies.md": { leaves: ["runs/first/report/report.html"], says: "whole model, 0 removed" },
  "docs/guide/embed.md": { says: "CANCELLED" },
  "docs/guide/gpu-and-beyond.md": { says: "worker" },
  "docs/guide/from-python-tools.md": { says: "block.13, block.14" },
};

test.each(Object.entries(documented))("the example of %s runs as it stands there", async (document, left) => {
  const { folder, lines, ...result } = await runDocumented(document);
  expect(result).toMatchObject({ code: 0, output: expect.stringContaining(left.says) });
  for (const path of left.leaves ?? []) expect(existsSync(join(folder, path)), path).toBe(true);
  if (document === "README.md") expect(lines).toBeLessThanOrEqual(15);
});

test("every page of the guide has an example that is run, but for its lists", () => {
  const pages = readdirSync(join(root, "docs/guide")).map((name) => `docs/guide/${name}`);
  const lists = ["docs/guide/glossary.md", "docs/guide/index.md"];
  expect(Object.keys(documented)).toEqual(
    expect.arrayContaining(pages.filter((page) => !lists.includes(page))),
  );
});
