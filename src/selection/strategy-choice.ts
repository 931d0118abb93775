import { DepthkitError } from "../errors.ts";
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
       * Between every two players, from -1 to 1, such as mean cosines of what they read; only a model's search
       * can do without.
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
  surrogate: { start: true, endless: true },
};

const settingsOf: Readonly<Record<StrategyName, readonly string[]>> = {
  lowest: [],
  iterative: ["step"],
  greedy: [],
  beam: ["width"],
  span: ["distances"],
  tail: [],
  random: ["sets"],
  evolutionary: ["parents", "offspring"],
  "policy-gradient": ["masks", "rate"],
  knapsack: [],
  clusters: ["similarities", "clusters"],
  surrogate: ["everySize"],
};

export type NamedStrategy = Exclude<StrategyChoice, string>;

/** The choice with its name checked and no setting that the strategy does not have. */
export function namedStrategy(choice: StrategyChoice): NamedStrategy {
  const named = (typeof choice === "string" ? { name: choice } : choice) as NamedStrategy;
  if (!strategies.includes(named.name)) {
    refuse(`there is no strategy "${named.name}"; there are ${strategies.join(", ")}`);
  }
  const allowed = settingsOf[named.name];
  const stranger = Object.keys(named).find((key) => key !== "name" && !allowed.includes(key));
  if (stranger !== undefined) {
    refuse(`"${named.name}" has no setting "${stranger}"; it has ${allowed.join(", ") || "none"}`);
  }
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
      return iterative(scoresAt, atLeast("step", choice.step ?? 1, 1));
    case "greedy":
      return greedy;
    case "beam":
      return beam(choice.width === undefined ? undefined : atLeast("width", choice.width, 1));
    case "span":
      return span(choice.distances);
    case "tail":
      return tail;
    case "random":
      return random(atLeast("sets", choice.sets ?? 1, 1));
    case "evolutionary":
      return evolutionary({
        parents: atLeast("parents", choice.parents ?? 3, 1),
        offspring: atLeast("offspring", choice.offspring ?? 8, 1),
      });
    case "policy-gradient": {
      const rate = choice.rate ?? 0.2;
      if (!(rate > 0 && Number.isFinite(rate))) refuse(`got rate = ${rate}; it is a number above 0`);
      return policyGradientSearch({ masks: atLeast("masks", choice.masks ?? 4, 2), rate });
    }
    case "knapsack":
      return knapsack(scoresAt);
    case "clusters": {
      const { clusters } = await import("./strategies/clusters.ts");
      const count = choice.clusters === undefined ? undefined : atLeast("clusters", choice.clusters, 1);
      return clusters(choice.similarities, count);
    }
    case "surrogate": {
      const { surrogate } = await import("./strategies/surrogate.ts");
      return surrogate({ everySize: choice.everySize ?? false, floor });
    }
  }
}

function atLeast(name: string, value: number, least: number): number {
  if (Number.isInteger(value) && value >= least) return value;
  return refuse(`got ${name} = ${value}; it is a whole number from ${least} on`);
}

function refuse(why: string): never {
  throw new DepthkitError("INVALID_ARGUMENT", `Searching: ${why}.`);
}
