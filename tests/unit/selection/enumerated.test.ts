import { existsSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { item } from "../../../src/arrays.ts";
import { searchGame } from "../../../src/selection/index.ts";
import { depthGame, lossesWithout, readGame } from "./depth-games.ts";

const games = [1, 2, 3, 4].map(depthGame);
const seeds = [1, 2, 3, 4, 5];
/** A beam draws nothing, so one seed is all there is of it; a surrogate takes a second per run. */
const seedsOf = {
  beam: [0],
  evolutionary: [...seeds, 6, 7, 8, 9, 10],
  "policy-gradient": [...seeds, 6, 7, 8, 9, 10],
  surrogate: [1, 2],
};

describe.each(["beam", "evolutionary", "policy-gradient", "surrogate"] as const)("%s", (strategy) => {
  test.each(games.flatMap((whole) => [4, 5, 6].map((count) => ({ name: whole.name, whole, count }))))(
    "removes $count of $name within 1% of the optimum in a quarter of the evaluations",
    async ({ whole, count }) => {
      const losses = lossesWithout(whole, count);
      const evaluations = Math.floor(losses.length / 4);
      for (const seed of seedsOf[strategy]) {
        const found = await searchGame(whole.game, { strategy, budget: count, evaluations, seed });
        expect(found.removed).toHaveLength(count);
        expect(found.evaluations).toBeLessThanOrEqual(evaluations);
        expect(-found.value, `seed ${seed}`).toBeLessThanOrEqual(1.01 * item(losses, 0));
      }
    },
  );
});

const own = ["blocks", "sublayers", "spread"].map((name) =>
  fileURLToPath(new URL(`../../../bench/search/games/${name}.json`, import.meta.url)),
);
const golden = fileURLToPath(new URL("../../../../shared/golden/game10.json", import.meta.url));
if (!existsSync(golden)) console.warn(`SKIPPED: the surrogate's regret on ${golden}, which is not there.`);

describe.each([...own, golden].map((path) => ({ name: basename(path, ".json"), path })))(
  "a real game of which every set is known: $name",
  ({ path }) => {
    test.skipIf(!existsSync(path)).each([
      { evaluations: 24, most: 0.01 },
      { evaluations: 48, most: 0.003 },
    ])(
      "one surrogate of $evaluations evaluations has a mean regret of at most $most over 1 to 5 removals",
      async ({ evaluations, most }) => {
        const whole = readGame(path);
        const strategy = { name: "surrogate", everySize: true } as const;
        for (const seed of seeds) {
          const { archive } = await searchGame(whole.game, { strategy, budget: 5, evaluations, seed });
          const regrets = [1, 2, 3, 4, 5].map((count) => {
            const best = archive[count]?.[0]?.value ?? Number.NEGATIVE_INFINITY;
            return -best - item(lossesWithout(whole, count), 0);
          });
          expect(
            regrets.reduce((sum, regret) => sum + regret / 5, 0),
            `seed ${seed}`,
          ).toBeLessThanOrEqual(most);
        }
      },
    );
  },
);
