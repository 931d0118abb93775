import { aFlag, aNumber, anyOf, aWhole, type Check, checkArgument, listOf, objectOf } from "../options.ts";
import type { ScoresAt } from "./scores.ts";
import { beam } from "./strategies/beam.ts";
import { evolutionary } from "./strategies/evolutionary.ts";
import { greedy } from "./strategies/greedy.ts";
import { iterative } from "./strategies/iterative.ts";
import { knapsack } from "./strategies/knapsack.ts";
import { lowestScores } from "./strategies/lowest.ts";
import { policyGradientSearch } from "./strategies/policy-gradient.ts";
import { random } from "./strategies/random.ts";
import { span } from "./strategies/span.ts";
import { tail } from "./strategies/tail.ts";
import type { Strategy } from "./strategy.ts";

/** Strategies of a search over any game. */
export const strategies = [
  "lowest",
  "iterative",
  "greedy",
  "beam",
  "span",
  "tail",
  "random",
  "evolutionary",
  "policy-gradient",
  "knapsack",
  "clusters",
  "surrogate",
] as const;

/** A strategy by its name. */
export type StrategyName = (typeof strategies)[number];

/** A strategy by its name, or with settings of its own. */
export type StrategyChoice =
  | StrategyName
  | { readonly name: "lowest" | "greedy" | "tail" | "knapsack" }
  | {
      readonly name: "iterative" /** Removals between two measurements; default 1. */;
      readonly step?: number;
    }
  | {
      readonly name: "beam";
      /** Sets that go on a round. Default 4, or what leaves a third of `evaluations` to exchanges. */
      readonly width?: number;
    }
  | {
      readonly name: "span";
      /** Across the n players from player l: `distances[n - 1][l]`. Default: the game itself decides. */
      readonly distances?: readonly (readonly number[])[];
    }
  | {
      readonly name: "clusters";
      /**
       * Between every two players, from -1 to 1, such as mean cosines of what they read; only a model's
       * search can do without.
       */
      readonly similarities?: readonly (readonly number[])[];
      /** Default 2 to 4, by how fast similarity falls from player to player. */
      readonly clusters?: number;
    }
  | { readonly name: "random" /** The best of so many is taken; default 1. */; readonly sets?: number }
  | {
      readonly name: "evolutionary" /** Default 3. */;
      readonly parents?: number /** Default 8. */;
      readonly offspring?: number;
    }
  | {
      readonly name: "policy-gradient" /** Sets a step; default 4. */;
      readonly masks?: number /** Default 0.2. */;
      readonly rate?: number;
    }
  | {
      readonly name: "surrogate";
      /** Look for the best set of every size up to the asked one; they are in the archive. Default false. */
      readonly everySize?: boolean;
    };

/** What a strategy makes use of; what it does not is refused. */
interface Needs {
  readonly scores?: true;
  readonly start?: true;
  readonly fidelities?: true;
  /** It goes on as long as there are evaluations, so there must be a limit. */
  readonly endless?: true;
}

export const needsOf: Readonly<Record<StrategyName, Needs>> = {
  lowest: { scores: true },
  iterative: { scores: true },
  greedy: { fidelities: true },
  beam: { start: true, fidelities: true },
  span: {},
  tail: {},
  random: {},
  evolutionary: { start: true, fidelities: true, endless: true },
  "policy-gradient": { start: true, endless: true },
  knapsack: { scores: true },
  clusters: {},
  surrogate: { start: true, fidelities: true, endless: true },
};

const aMatrix = listOf(listOf(aNumber), 1);
const aRate: Check = {
  allowed: "a finite number above 0",
  holds: (value) => typeof value === "number" && value > 0 && Number.isFinite(value),
};

const settingChecks: Readonly<Record<StrategyName, Readonly<Record<string, Check>>>> = {
  lowest: {},
  iterative: { step: aWhole(1) },
  greedy: {},
  beam: { width: aWhole(1) },
  span: { distances: aMatrix },
  tail: {},
  random: { sets: aWhole(1) },
  evolutionary: { parents: aWhole(1), offspring: aWhole(1) },
  "policy-gradient": { masks: aWhole(2), rate: aRate },
  knapsack: {},
  clusters: { similarities: aMatrix, clusters: aWhole(1) },
  surrogate: { everySize: aFlag },
};

export type NamedStrategy = Exclude<StrategyChoice, string>;

/**
 * The choice with its name and its settings checked.
 *
 * @throws DepthkitError INVALID_ARGUMENT for a strategy that there is not, and settings that it does not take
 */
export function namedStrategy(choice: StrategyChoice): NamedStrategy {
  const named = (typeof choice === "string" ? { name: choice } : choice) as NamedStrategy;
  checkArgument("Searching", "strategy", named.name, anyOf(...strategies));
  const { name, ...settings } = named;
  checkArgument("Searching", `strategy "${name}"`, settings, objectOf(settingChecks[name]));
  return named;
}

/** What needs the linear algebra is imported here: it takes a while to load. */
export async function strategyFor(
  choice: NamedStrategy,
  scoresAt: ScoresAt,
  floor: number,
): Promise<Strategy> {
  switch (choice.name) {
    case "lowest":
      return lowestScores(scoresAt);
    case "iterative":
      return iterative(scoresAt, choice.step ?? 1);
    case "greedy":
      return greedy;
    case "beam":
      return beam(choice.width);
    case "span":
      return span(choice.distances);
    case "tail":
      return tail;
    case "random":
      return random(choice.sets ?? 1);
    case "evolutionary":
      return evolutionary({
        parents: choice.parents ?? 3,
        offspring: choice.offspring ?? 8,
      });
    case "policy-gradient":
      return policyGradientSearch({ masks: choice.masks ?? 4, rate: choice.rate ?? 0.2 });
    case "knapsack":
      return knapsack(scoresAt);
    case "clusters": {
      const { clusters } = await import("./strategies/clusters.ts");
      return clusters(choice.similarities, choice.clusters);
    }
    case "surrogate": {
      const { surrogate } = await import("./strategies/surrogate.ts");
      return surrogate({ everySize: choice.everySize ?? false, floor });
    }
  }
}
