import { DepthkitError } from "../errors.ts";
import type { Coalition } from "./coalition.ts";
import { checkGame, type Game, throwIfCancelled } from "./game.ts";

/** One column of numbers a measure, one number a subnetwork, in the order asked. */
export type MeasureColumns = Readonly<Record<string, Float64Array>>;

/** What a game over a model needs of whatever evaluates subnetworks: the worker, a cluster, a stand-in in a test. */
export interface SubnetworkEvaluator {
  /** Measures of the subnetworks without these units; `removed` is sorted so that prefixes are shared. */
  measure(
    removed: readonly (readonly string[])[],
    measures: readonly string[],
    options: { readonly signal?: AbortSignal | undefined },
  ): Promise<MeasureColumns>;
}

/** A value of the game: one measure with its sign, or a function of several. Higher must be better. */
export interface ValueDefinition {
  readonly name: string;
  readonly measures: readonly string[];
  readonly compute: (measures: Readonly<Record<string, number>>) => number;
  /** For a negated loss: the loss from which on it is capped. */
  readonly cap?: number;
}

export interface UnitGameOptions {
  /** The units of each player, players in depth order; see `groupUnits`. */
  readonly players: readonly (readonly string[])[];
  readonly values: readonly ValueDefinition[];
  readonly evaluator: SubnetworkEvaluator;
}

/** Measures of which less is better; as a game's value they enter negated. */
const lowerIsBetter: ReadonlySet<string> = new Set(["loss", "kl", "logit-distance", "choice-loss"]);

/** A measure as a value, negated when less of it is better. */
export function valueOfMeasure(measure: string, cap?: number): ValueDefinition {
  const sign = lowerIsBetter.has(measure) ? -1 : 1;
  return {
    name: measure,
    measures: [measure],
    compute: (measures) => sign * (measures[measure] as number),
    ...(cap === undefined ? {} : { cap }),
  };
}

/** Cuts units into `groups` runs whose lengths differ by at most one, in order. */
export function groupUnits(units: readonly string[], groups: number): string[][] {
  if (!Number.isInteger(groups) || groups < 1 || groups > units.length) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Grouping ${units.length} units: got ${groups} groups; allowed is an integer from 1 to ${units.length}.`,
    );
  }
  return Array.from({ length: groups }, (_, g) =>
    units.slice(Math.floor((g * units.length) / groups), Math.floor(((g + 1) * units.length) / groups)),
  );
}

/** A game whose players are units, or groups of units, of a model. */
export function unitGame({ players, values, evaluator }: UnitGameOptions): Game {
  const seen = new Set<string>();
  for (const unit of players.flat()) {
    if (seen.has(unit)) {
      throw new DepthkitError(
        "INVALID_ARGUMENT",
        `Making a game: the unit "${unit}" belongs to two players; each unit to one.`,
      );
    }
    seen.add(unit);
  }
  const measures = [...new Set(values.flatMap((value) => value.measures))];
  const removedBy = (coalition: Coalition): string[] =>
    coalition.absent().flatMap((i) => players[i] as readonly string[]);
  const game: Game = {
    players: players.map((units) => units.join("+")),
    values: values.map((value) => value.name),
    caps: Object.fromEntries(values.flatMap(({ name, cap }) => (cap === undefined ? [] : [[name, cap]]))),
    async evaluate(coalitions, { signal } = {}) {
      throwIfCancelled(signal, "Measuring subnetworks");
      const columns = await evaluator.measure(coalitions.map(removedBy), measures, { signal });
      const matrix = new Float64Array(coalitions.length * values.length);
      for (let row = 0; row < coalitions.length; row++) {
        const numbers = Object.fromEntries(measures.map((name) => [name, numberAt(columns, name, row)]));
        values.forEach((value, column) => {
          matrix[row * values.length + column] = value.compute(numbers);
        });
      }
      return matrix;
    },
  };
  checkGame(game);
  return game;
}

function numberAt(columns: MeasureColumns, name: string, row: number): number {
  const number = columns[name]?.[row];
  if (number === undefined) {
    throw new DepthkitError(
      "INTERNAL",
      `Measuring subnetworks: the evaluator gave no "${name}" for subnetwork ${row}.`,
    );
  }
  return number;
}
