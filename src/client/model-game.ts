import { DepthkitError } from "../errors.ts";
import { CachedGame } from "../game/cache.ts";
import { prefixCost } from "../game/depth-order.ts";
import type { Game } from "../game/game.ts";
import { Journal } from "../game/journal.ts";
import { groupUnits, unitGame, type ValueDefinition, valueOfMeasure } from "../game/unit-game.ts";
import { type UnitKind, type UnitName, unitKinds } from "../protocol/common.ts";
import type { ModelInfo } from "../protocol/model.ts";
import { type Measure, measures } from "../protocol/subnetworks.ts";
import type { Connection } from "./connection.ts";
import type { Corpus } from "./corpus.ts";
import { unitsOf } from "./subnetwork.ts";
import {
  defaultMeasure,
  type EvaluateSubnetworksOptions,
  evaluateSubnetworks,
} from "./subnetwork-evaluation.ts";
import type { Task } from "./task.ts";
import { checkUnits, playerCosts } from "./units.ts";
import { modelKey } from "./value-key.ts";

type Engine = Pick<
  EvaluateSubnetworksOptions,
  "scoredPositions" | "batchSize" | "memoryBudget" | "repairs" | "onProgress"
>;

export interface ModelGameOptions extends Engine {
  /** A kind of unit, units, or groups of units that stay or go together. Default `block`. */
  players?: UnitKind | readonly UnitName[] | readonly (readonly UnitName[])[];
  /** Cut the players into this many groups of neighbours. */
  groups?: number;
  /**
   * What a coalition is worth: a measure, negated where less of it is better, or a function of measures
   * whose higher value is better; several come from the same evaluations. Default `loss` on a corpus,
   * `accuracy` on a task.
   */
  value?: Measure | ValueDefinition | readonly (Measure | ValueDefinition)[];
  /** Keep every evaluated coalition in this folder; a killed run goes on from it, and games share it. */
  journal?: string;
}

/** A game over a model's subnetworks, with its cache. Close it to close its journal. */
export class ModelGame extends CachedGame implements AsyncDisposable {
  readonly #journal: Journal | undefined;

  constructor(inner: Game, journal: Journal | undefined) {
    super(inner, journal);
    this.#journal = journal;
  }

  async close(): Promise<void> {
    await this.#journal?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * The game whose players are units of a model and whose value is a measure of the subnetwork that the
 * present ones make (arXiv 2407.16286). Higher is better: a loss enters negated, capped at ln(vocabulary
 * size), beyond which a network is worse than a uniform guess and how much worse says nothing.
 */
export async function modelGame(
  connection: Connection,
  model: ModelInfo,
  data: Corpus | Task,
  { players = "block", groups, value = defaultMeasure(data), journal, ...engine }: ModelGameOptions,
): Promise<ModelGame> {
  const units = playersOf(players, groups, model.depth);
  const values = [value].flat().map((one) => toValue(one as Measure | ValueDefinition, model.vocabularySize));
  const game = unitGame({
    players: units,
    values,
    evaluator: {
      async measure(removed, names, { signal }) {
        const options = { ...engine, measures: names as Measure[], signal };
        const { result } = evaluateSubnetworks(connection, model, data, removed, options);
        const { scores } = await result;
        return Object.fromEntries(
          names.map((name) => [
            name,
            Float64Array.from(scores, ({ values: found }) => found[name as Measure] ?? Number.NaN),
          ]),
        );
      },
    },
  });
  const costs = playerCosts(units, model.depth);
  const priced: Game = { ...game, costOf: (coalitions) => prefixCost(coalitions, costs) };
  if (journal === undefined) return new ModelGame(priced, undefined);
  const key = {
    ...modelKey(model),
    ...keyOf(data),
    positions: JSON.stringify(engine.scoredPositions ?? "all"),
    // A function has no name that tells it from another: its text is part of what determines the value.
    repairs: JSON.stringify((engine.repairs ?? []).map(({ digest }) => digest)),
    values: JSON.stringify(values.map(({ name, measures: used, compute }) => [name, used, String(compute)])),
  };
  const names = { players: game.players, values: game.values };
  return new ModelGame(priced, await Journal.open({ directory: journal, key, ...names }));
}

/** Of the data, all that determines a value. */
function keyOf(data: Corpus | Task): Record<string, string | number> {
  if ("task" in data.info) return { task: data.info.digest, items: data.info.items };
  const { tokensDigest, sequences, length } = data.info;
  return { tokens: tokensDigest, sequences, length };
}

function playersOf(
  players: NonNullable<ModelGameOptions["players"]>,
  groups: number | undefined,
  depth: number,
): string[][] {
  const flat =
    typeof players === "string"
      ? unitsOf(kindOf(players), depth)
      : players.every((player) => typeof player === "string")
        ? checkUnits(players as readonly UnitName[], depth)
        : undefined;
  if (flat !== undefined) return groups === undefined ? flat.map((unit) => [unit]) : groupUnits(flat, groups);
  if (groups !== undefined) {
    throw new DepthkitError("INVALID_ARGUMENT", "The players are groups already; leave out `groups`.");
  }
  return (players as readonly (readonly UnitName[])[]).map((group) => checkUnits(group, depth));
}

function kindOf(kind: string): UnitKind {
  const known = unitKinds.find((candidate) => candidate === kind);
  if (known !== undefined) return known;
  throw new DepthkitError(
    "INVALID_ARGUMENT",
    `"${kind}" is no kind of player; kinds: ${unitKinds.join(", ")}.`,
  );
}

function toValue(value: Measure | ValueDefinition, vocabularySize: number): ValueDefinition {
  if (typeof value !== "string") return value;
  if (!measures.includes(value)) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `"${value}" is no measure; measures: ${measures.join(", ")}.`,
    );
  }
  return valueOfMeasure(value, value === "loss" ? Math.log(vocabularySize) : undefined);
}
