import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { EstimateOptions } from "depthkit/shapley";
import { expect, test } from "vitest";
import {
  CachedGame,
  Coalition,
  estimateShapley,
  type Game,
  gameFromFunction,
} from "../../../src/shapley/index.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

test("the entry estimates over a game of one's own, without model or worker", async () => {
  const game = gameFromFunction((c) => c.size, { players: ["a", "b", "c"] });
  const estimate = await estimateShapley(new CachedGame(game), { target: "shapley" });
  for (const { value } of estimate.players()) expect(value).toBeCloseTo(1, 12);
  expect(Coalition.full(3).size).toBe(3);
});

// What it could reach at all is the rule "shapley-is-pure" of .dependency-cruiser.cjs.
test("importing the entry loads no native addon", () => {
  const program = `
    await import("./src/shapley/index.ts");
    const { sharedObjects } = process.report.getReport();
    console.log(JSON.stringify(sharedObjects.filter((path) => path.endsWith(".node"))));
  `;
  const output = execFileSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program], {
    cwd: root,
    encoding: "utf8",
  });
  expect(JSON.parse(output)).toEqual([]);
});

test("unit names are typed through estimates, and options may be undefined", async () => {
  const game = gameFromFunction((c) => c.size, { players: ["block.0", "block.1", "block.2"] });
  const typed: Game<"block.0" | "block.1" | "block.2"> = game;
  const options: EstimateOptions = {
    method: { name: "permutation", walks: undefined },
    target: undefined,
    evaluations: undefined,
    stop: undefined,
    signal: undefined,
    onProgress: undefined,
  };
  const estimate = await estimateShapley(typed, options);
  const lowest: ("block.0" | "block.1" | "block.2")[] = estimate.lowest(2);
  expect(lowest).toEqual(["block.0", "block.1"]);
  // @ts-expect-error: no player of this game is called so
  const wrong: "block.7"[] = estimate.lowest(1);
  expect(wrong).toHaveLength(1);
  // @ts-expect-error: nor does an estimate's player take another name
  expect(estimate.players()[0]?.player === "block.9").toBe(false);
  // @ts-expect-error: an option that does not exist
  const typo = estimateShapley(game, { evaluation: 8 });
  await expect(typo).rejects.toThrow(/"evaluation" \(did you mean "evaluations"\?\)/);
  // @ts-expect-error: a game's labels are strings
  const numbered = () => gameFromFunction((c) => c.size, { players: [1, 2] });
  expect(numbered).toThrow(/players\.0: expected a string/);
});
