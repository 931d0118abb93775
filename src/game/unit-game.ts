import { DepthkitError } from "../errors.ts";
import type { Coalition } from "./coalition.ts";
import { checkGame, type EvaluateOptions, type Game, throwIfCancelled } from "./game.ts";

/**
 * What a game over a model needs of whatever measures subnetworks: the worker, a cluster, a stand-in in a
 * test.
 */
export interface MeasureSource {
  /** What `measure` gives of each subnetwork, by name. */
  readonly measures: readonly string[];
  /** Of the subnetworks that these coalitions keep: row-major, a row per coalition, a column per measure. */
  measure(coalitions: readonly Coalition[], options: EvaluateOptions): Promise<Float64Array>;
}

/** A value of the game: one measure with its sign, or a function of several. Higher must be better. */
export interface ValueDefinition {
  readonly name: string;
  readonly measures: readonly string[];
  /** Its value from the measures, by their names. */
  readonly compute: (measures: Readonly<Record<string, number>>) => number;
  /** For a negated loss: the loss from which on it is capped. */
  readonly cap?: number | undefined;
}

export interface UnitGameOptions<Player extends string> {
  /** A name per player, players in depth order. */
  readonly players: readonly Player[];
  readonly values: readonly ValueDefinition[];
  readonly source: MeasureSource;
}

/** A measure as a value, negated when less of it is better. */
export function valueOfMeasure(
  measure: string,
  { lowerIsBetter = false, cap }: { lowerIsBetter?: boolean; cap?: number | undefined } = {},
): ValueDefinition {
  const sign = lowerIsBetter ? -1 : 1;
  return {
    name: measure,
    measures: [measure],
    compute: ({ [measure]: value = Number.NaN }) => sign * value,
    cap,
  };
}

/** Cuts units into `groups` runs whose lengths differ by at most one, in order. */
export function groupUnits<Unit extends string>(units: readonly Unit[], groups: number): Unit[][] {
  if (!Number.isInteger(groups) || groups < 1 || groups > units.length) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Grouping ${units.length} units: got ${groups} groups; allowed is an integer from 1 to ` +
        `${units.length}.`,
    );
  }
  return Array.from({ length: groups }, (_, g) =>
    units.slice(Math.floor((g * units.length) / groups), Math.floor(((g + 1) * units.length) / groups)),
  );
}

/**
 * A game whose values are functions of measures. What is measured is the source's to keep; values are
 * computed anew each time, so that two functions never share one.
 */
export function unitGame<Player extends string>({
  players,
  values,
  source,
}: UnitGameOptions<Player>): Game<Player> {
  const game: Game<Player> = {
    players,
    values: values.map((value) => value.name),
    caps: Object.fromEntries(values.flatMap(({ name, cap }) => (cap === undefined ? [] : [[name, cap]]))),
    async evaluate(coalitions, options = {}) {
      throwIfCancelled(options.signal, "Measuring subnetworks");
      const measured = await source.measure(coalitions, options);
      const matrix = new Float64Array(coalitions.length * values.length);
      const width = source.measures.length;
      for (let row = 0; row < coalitions.length; row++) {
        const numbers = Object.fromEntries(
          source.measures.map((name, column) => [name, measured[row * width + column] ?? Number.NaN]),
        );
        for (const [column, { compute }] of values.entries()) {
          matrix[row * values.length + column] = compute(numbers);
        }
      }
      return matrix;
    },
  };
  checkGame(game);
  return game;
}
