import type { Corpus, Model, RepairOptions, TrainingOptions } from "../../src/index.ts";
import type { Method } from "./methods.ts";
import type { RepairBench } from "./run.ts";
import { mean, paired } from "./table.ts";

const rank = 8;
const seeds = [0, 1, 2];
const removed = 5;

/** The same rank, steps, order of text and seeds; what is left out while it is trained differs. */
const kinds: Readonly<Record<string, Omit<Extract<RepairOptions, { method: "lora" }>, "method">>> = {
  "dropout 0.1": { dropout: 0.1 },
  "experts 0.1": { experts: { probability: 0.1 } },
  "nothing left out": {},
  "dropout 0.5": { dropout: 0.5 },
  "experts 0.5": { experts: { probability: 0.5 } },
};

/** Masked rank-1 experts (MLAE, arXiv 2405.18897) beside LoRA with dropout, for each seed. */
export async function printMasked(
  model: Model,
  ranked: Corpus,
  bench: RepairBench,
  training: TrainingOptions,
): Promise<void> {
  const influence = await model.influence(ranked, { units: "block", metric: "cosine" });
  const pruned = model.without(influence.lowest(removed));
  const methodOf = (kind: string, seed: number): Method => ({
    name: `lora, ${kind}, seed ${seed}`,
    options: { method: "lora", rank, ...kinds[kind], training: { ...training, seed } },
  });
  const bare = await bench.removed(pruned);
  const losses = new Map<string, number[][]>();
  for (const kind of Object.keys(kinds)) {
    const methods = seeds.map((seed) => methodOf(kind, seed));
    losses.set(
      kind,
      (await bench.run(pruned, methods)).map((result) => result.losses),
    );
  }
  const plain = losses.get("nothing left out") ?? [];
  console.log(`Without ${pruned.removed.join(", ")}: ${mean(bare.losses).toFixed(4)} nats.\n`);
  console.log(`| LoRA of rank ${rank} | ${seeds.map((seed) => `seed ${seed}`).join(" | ")} | mean |`);
  console.log(`|---|${"---|".repeat(seeds.length + 1)}`);
  const row = (name: string, cells: readonly string[]) => console.log(`| ${[name, ...cells].join(" | ")} |`);
  for (const [kind, own] of losses) {
    row(
      kind,
      [...own.map(mean), mean(own.map(mean))].map((loss) => loss.toFixed(4)),
    );
  }
  const beside = (name: string, one: readonly number[][], other: readonly number[][]) => {
    const differences = one.map((own, seed) => paired(own, other[seed] ?? []));
    // Of all seeds: places are the same for each, so that the mean over seeds is paired by place.
    const all = paired(meanOf(one), meanOf(other));
    row(
      name,
      [...differences, all].map(({ value, error }) => `${value.toFixed(4)} ± ${error.toFixed(4)}`),
    );
  };
  for (const share of ["0.1", "0.5"]) {
    const [experts, dropout] = [losses.get(`experts ${share}`) ?? [], losses.get(`dropout ${share}`) ?? []];
    beside(`experts less dropout, ${share}`, experts, dropout);
    beside(`experts ${share} less nothing left out`, experts, plain);
  }
}

/** Place by place, over seeds. */
const meanOf = (losses: readonly number[][]): number[] =>
  (losses[0] ?? []).map((_, place) => mean(losses.map((own) => own[place] ?? Number.NaN)));
