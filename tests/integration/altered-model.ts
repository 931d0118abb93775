import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Corpus, Depthkit, type Model } from "../../src/index.ts";
import { tinyModel } from "./tiny-model.ts";

/** A small model that `surgery` has changed, with two texts to search on. */
export interface AlteredModel {
  readonly kit: Depthkit;
  readonly model: Model;
  readonly fit: Corpus;
  readonly choose: Corpus;
  /** For files; `close` does away with it. */
  readonly folder: string;
  close(): Promise<void>;
}

export async function alteredModel(surgery: string): Promise<AlteredModel> {
  const folder = mkdtempSync(join(tmpdir(), "depthkit-altered-"));
  const kit = await Depthkit.start();
  const model = await kit.loadModel(await tinyModel(folder, surgery), { device: "cpu" });
  const text = (from: number) =>
    Array.from({ length: 60 }, (_, index) => `Line ${(from + index) ** 2} of the text.`).join(" ");
  const load = (from: number) => model.loadCorpus({ texts: [text(from)] }, { length: 32, sequences: 4 });
  const close = async () => {
    await kit.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return { kit, model, fit: await load(100), choose: await load(7000), folder, close };
}
