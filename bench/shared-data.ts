import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { pythonReference } from "../src/index.ts";

/** A file of the reference texts, which lie beside the project and not in it. */
export function sharedData(name: string): string {
  const file = fileURLToPath(new URL(`../../shared/data/${name}`, import.meta.url));
  if (!existsSync(file)) throw new Error(`The text ${file} is not there.`);
  return file;
}

/** Text that nothing is chosen on, of three kinds. */
export const heldOutTexts = async () => ({
  "WikiText-2": sharedData("wikitext2.test.txt"),
  "Python reference": { texts: await pythonReference() },
  LAMBADA: { files: [sharedData("lambada_openai.jsonl")], textField: "context" },
});
