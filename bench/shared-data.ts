import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { resolveWorkerPython } from "../src/environment/worker-python.ts";
import { pythonReference } from "../src/index.ts";

/** A file of the reference texts, which lie beside the project and not in it. */
export const sharedData = (name: string) => shared(`data/${name}`);

/** A file of figures from independent programs, which lie there too. */
export const sharedGolden = (name: string) => shared(`golden/${name}`);

function shared(name: string): string {
  const file = fileURLToPath(new URL(`../../shared/${name}`, import.meta.url));
  if (!existsSync(file)) throw new Error(`The file ${file} is not there.`);
  return file;
}

/** The rows of one of them that is JSON lines. */
// biome-ignore lint/suspicious/noExplicitAny: each file has fields of its own
export function sharedRows(name: string): any[] {
  return readFileSync(sharedData(name), "utf8")
    .trim()
    .split("\n")
    .map((row) => JSON.parse(row));
}

/** Text that nothing is chosen on, of three kinds. */
export const heldOutTexts = async () => ({
  "WikiText-2": sharedData("wikitext2.test.txt"),
  "Python reference": { texts: await pythonReference() },
  LAMBADA: { files: [sharedData("lambada_openai.jsonl")], textField: "context" },
});

const SOURCES = `
import json, pathlib, sys, sysconfig
files = sorted(pathlib.Path(sysconfig.get_path("stdlib")).glob("[a-h]*.py"))
json.dump([file.read_text("utf-8") for file in files if file.stat().st_size > 4096], sys.stdout)
`;

/** Modules of the worker's Python, a text each: code that everyone has. */
export async function standardLibrary(): Promise<string[]> {
  const { python } = await resolveWorkerPython();
  return JSON.parse((await execa(python, ["-I", "-X", "utf8", "-c", SOURCES])).stdout);
}
