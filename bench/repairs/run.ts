import { readFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { type Corpus, DepthkitError, type Model, type Subnetwork } from "../../src/index.ts";
import type { StepsFile } from "../../src/journal/steps-file.ts";
import type { Method } from "./methods.ts";
import type { Result } from "./table.ts";

const repairSchema = z.object({
  seconds: z.number(),
  processorSeconds: z.number(),
  /** Where the method does not take these blocks, why. */
  refused: z.string().optional(),
  /** Programs that wanted the processor: seconds mean little without it. */
  load: z.number(),
});

const lossesSchema = z.array(z.array(z.number()));

/** Repairs and scores, each step kept in the journal and each repaired subnetwork in the folder. */
export class RepairBench {
  readonly #pid: number;
  readonly #model: Model;
  readonly #corpus: Corpus;
  readonly #places: readonly Corpus[];
  readonly #journal: StepsFile;
  readonly #folder: string;
  readonly #loads: number[] = [];

  constructor(
    pid: number,
    model: Model,
    corpus: Corpus,
    places: readonly Corpus[],
    journal: StepsFile,
    folder: string,
  ) {
    this.#pid = pid;
    this.#model = model;
    this.#corpus = corpus;
    this.#places = places;
    this.#journal = journal;
    this.#folder = folder;
  }

  /** What each method makes of the subnetwork; methods that refuse its blocks are left out. */
  async run(pruned: Subnetwork, methods: readonly Method[]): Promise<Result[]> {
    const made: Omit<Result, "losses">[] = [];
    for (const { name, options } of methods) {
      const { refused, seconds, processorSeconds } = await this.#repair(pruned, { name, options });
      if (refused === undefined) made.push({ name, seconds, processorSeconds });
    }
    const losses = await this.score({ removed: pruned.removed, methods }, () =>
      Promise.all(made.map(({ name }) => this.#model.loadSubnetwork(this.#path(pruned, name)))),
    );
    return made.map((row, index) => ({ ...row, losses: losses[index] ?? [] }));
  }

  /** The bare removal. */
  async removed(pruned: Subnetwork): Promise<Result> {
    const [losses = []] = await this.score({ removed: pruned.removed }, async () => [pruned]);
    return { name: "removed", losses, seconds: 0, processorSeconds: 0 };
  }

  /**
   * The loss of each subnetwork at each place, all in one evaluation per place, so that they share what they
   * can.
   */
  score(key: unknown, subnetworks: () => Promise<readonly Subnetwork[]>): Promise<number[][]> {
    const text = this.#places.map(({ info }) => info.tokensDigest);
    return this.#journal.step(this.#key({ score: key, text }), lossesSchema, async () => {
      const asked = await subnetworks();
      const losses = asked.map((): number[] => []);
      for (const place of this.#places) {
        const { scores } = await this.#model.evaluateSubnetworks(place, asked).result;
        for (const { index, values } of scores) losses[index]?.push(values.loss ?? Number.NaN);
      }
      return losses;
    });
  }

  /** Lowest and highest, of this run and those it goes on from. */
  loads(): string {
    return `${Math.min(...this.#loads).toFixed(1)} to ${Math.max(...this.#loads).toFixed(1)}`;
  }

  async #repair(pruned: Subnetwork, { name, options }: Method): Promise<z.infer<typeof repairSchema>> {
    const key = this.#key({ removed: pruned.removed, options });
    const of = `Without ${pruned.removed.join(", ")}:`;
    const repair = await this.#journal.step(key, repairSchema, async () => {
      try {
        const before = processorSeconds(this.#pid);
        const repaired = await pruned.repair(this.#corpus, options);
        const spent = processorSeconds(this.#pid) - before;
        await repaired.save(this.#path(pruned, name), { overwrite: true });
        const { seconds, training } = repaired.report;
        const load = loadavg()[0] ?? 0;
        const kept = training === null ? "" : `, the state of step ${training.bestStep} kept`;
        console.error(`${of} ${name}, ${seconds.toFixed(0)} s at a load of ${load.toFixed(1)}${kept}`);
        return { seconds, processorSeconds: spent, load };
      } catch (error) {
        if (!(error instanceof DepthkitError && error.code === "INVALID_ARGUMENT")) throw error;
        console.error(`${of} ${error.message}`);
        return { seconds: 0, processorSeconds: 0, load: 0, refused: error.message };
      }
    });
    if (repair.refused === undefined) this.#loads.push(repair.load);
    return repair;
  }

  #key(step: object): object {
    const { weightsDigest, dtype } = this.#model.info;
    return { weightsDigest, dtype, fitted: this.#corpus.info.tokensDigest, ...step };
  }

  #path(pruned: Subnetwork, name: string): string {
    return join(this.#folder, pruned.removed.join("-"), name.replaceAll(/\W+/g, "-"));
  }
}

/**
 * What a process has taken of all cores so far: steadier than time where others want them too. Linux only.
 */
function processorSeconds(pid: number): number {
  const [, rest = ""] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ");
  const fields = rest.split(" ").map(Number);
  return ((fields[11] ?? 0) + (fields[12] ?? 0)) / 100; // user and system time, in ticks
}
