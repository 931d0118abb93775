import { item } from "../arrays.ts";
import { DepthkitError } from "../errors.ts";
import type { EngineOptions } from "../evaluation/evaluate-subnetworks.ts";
import { Evaluator } from "../evaluation/evaluator.ts";
import { isScreened, screeningNotes } from "../evaluation/precision.ts";
import type { Subject } from "../evaluation/subject.ts";
import { playerCosts, sublayersOf } from "../evaluation/sublayers.ts";
import { maskBytes } from "../evaluation/subnetworks.ts";
import type { Coalition } from "../game/coalition.ts";
import { type PlayerCosts, prefixCost } from "../game/depth-order.ts";
import type { EvaluateOptions, Game } from "../game/game.ts";
import type { CacheCounts } from "../game/row-cache.ts";
import { groupUnits, unitGame, type ValueDefinition, valueOfMeasure } from "../game/unit-game.ts";
import {
  aFunction,
  aNumber,
  anInstance,
  anyOf,
  aText,
  aWhole,
  type Check,
  checkArgument,
  either,
  listOf,
  objectOf,
  required,
} from "../options.ts";
import type { UnitKind, UnitName } from "../protocol/common.ts";
import { lowerIsBetter, unitKinds } from "../protocol/names.ts";
import { engineOptions, type Measure, type Precision } from "../protocol/subnetworks.ts";
import { checkPresent, checkUnits, parseUnit, type Shape, unitsOf } from "../protocol/units.ts";
import { aHandle } from "../rpc/handle.ts";
import { checkCallOptions } from "../rpc/parse-params.ts";
import { workerCallChecks } from "../rpc/time-limit.ts";
import type { Corpus } from "./corpus.ts";
import type { Repair } from "./repair.ts";
import { GapRepairs, placedRepairs } from "./search/gap-repairs.ts";
import type { Task } from "./task.ts";

/** A kind of unit, units, or groups of units that stay or go together. */
export type Players = UnitKind | readonly UnitName[] | readonly (readonly UnitName[])[];

/** Units joined by `+`, as a group that plays together is named; `without` takes it as it is. */
export type UnitGroup = UnitName | `${UnitName}+${string}`;

/** What the players are called: a unit's name where each is one. */
export type PlayerName<P extends Players> = P extends UnitKind
  ? `${P}.${number}` | UnitGroup
  : P extends readonly UnitName[]
    ? P[number] | UnitGroup
    : UnitGroup;

/** Who plays, for which values, and how they are computed. */
export interface ModelGameOptions<P extends Players = Players> extends EngineOptions {
  /** Who plays. Default `block`. */
  players?: P | undefined;
  /** Cut the players into this many groups of neighbours. */
  groups?: number | undefined;
  /**
   * What a coalition is worth: a measure, negated where less of it is better, or a function of measures
   * whose higher value is better; several come from the same evaluations. Default `loss` on a corpus,
   * `accuracy` on a task.
   */
  value?: Measure | ValueDefinition | readonly (Measure | ValueDefinition)[] | undefined;
  /** Repairs to put in place wherever their units are removed. */
  repairs?: readonly Repair[] | undefined;
  /**
   * In place of `repairs`: where units are removed, each gap has its own repair of these (`repairGaps`), so
   * that a value says what a unit does that its repair cannot.
   */
  repair?: GapRepairs | undefined;
}

/** How a game's values are computed, and what that costs. */
interface Computed {
  readonly evaluator: Evaluator;
  readonly costs: PlayerCosts;
}

/**
 * A game over a model's subnetworks. It keeps what was measured, in its journal too where it has one, and
 * computes values from that. Close it to close the journal.
 */
export class ModelGame<Player extends string = string> implements Game<Player>, AsyncDisposable {
  readonly players: readonly Player[];
  readonly values: readonly string[];
  readonly caps: Readonly<Record<string, number>>;
  /** Of its values: `screen` where they are near the model's own and are not those. */
  readonly precision: Precision;
  /** What must be known of it beside its values, such as repairs that no player calls for. */
  readonly notes: readonly string[];
  readonly #game: Game<Player>;
  readonly #evaluator: Evaluator;
  readonly #costs: PlayerCosts;

  /** @internal */
  constructor(
    game: Game<Player>,
    { evaluator, costs, ...facts }: Pick<ModelGame, "precision" | "notes"> & Computed,
  ) {
    this.players = game.players;
    this.values = game.values;
    this.caps = game.caps ?? {};
    this.precision = facts.precision;
    this.notes = facts.notes;
    this.#game = game;
    this.#evaluator = evaluator;
    this.#costs = costs;
  }

  /** What was asked for, and how much of it was computed. */
  get counts(): Readonly<CacheCounts> {
    return this.#evaluator.counts;
  }

  /** How many coalitions are known. */
  get known(): number {
    return this.#evaluator.known;
  }

  /** Block evaluations that the worker ran for it. */
  get blockEvaluations(): number {
    return this.#evaluator.effort.blockEvaluations;
  }

  /** The values of these coalitions, row by row, from the journal where they are known. */
  evaluate(coalitions: readonly Coalition[], options?: EvaluateOptions): Promise<Float64Array> {
    return this.#game.evaluate(coalitions, options);
  }

  /**
   * What a batch costs, in block evaluations; what is known costs the same, so that a resumed run ends where
   * it would have.
   */
  costOf(coalitions: readonly Coalition[]): number {
    return prefixCost(coalitions, this.#costs);
  }

  /** Safe to call twice. */
  close(): Promise<void> {
    return this.#evaluator.close();
  }

  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Of the options that do not cross the wire as they are. */
function gameChecks(measures: readonly Measure[]): Readonly<Record<string, Check>> {
  const units = listOf(aText, 1);
  const value = either(
    anyOf(...measures),
    objectOf({
      name: required(aText),
      measures: required(listOf(anyOf(...measures), 1)),
      compute: required(aFunction),
      cap: aNumber,
    }),
  );
  return {
    ...workerCallChecks,
    players: either(anyOf(...unitKinds), units, listOf(units, 1)),
    groups: aWhole(1),
    value: either(value, listOf(value, 1)),
    repairs: listOf(aHandle("a repair")),
    repair: anInstance(GapRepairs, "what repairGaps gives"),
    journal: aText,
  };
}

/**
 * The game whose players are units of a model and whose value is a measure of the subnetwork that the
 * present ones make (arXiv 2407.16286). Higher is better: a loss enters negated, capped at ln(vocabulary
 * size), beyond which a network is worse than a uniform guess and how much worse says nothing.
 */
export async function modelGame<P extends Players>(
  model: Subject,
  data: Corpus | Task,
  options: ModelGameOptions<P>,
): Promise<ModelGame<PlayerName<P>>> {
  checkArgument("game", "data", data, aHandle("a corpus or a task"));
  checkCallOptions("game", options, engineOptions, gameChecks(data.measures));
  const {
    players = "block" as P,
    groups,
    value = data.measures[0],
    repairs = [],
    repair,
    journal,
    signal: _,
    onProgress,
    timeoutMs,
    ...engine
  } = options;
  const { depth, vocabularySize } = model.info;
  const units = playersOf(players, groups, model.info);
  checkPresent(units.flat(), model.info.absent);
  checkApart(units);
  if (repair !== undefined && repairs.length > 0) {
    throw new DepthkitError("INVALID_ARGUMENT", "Making a game: give `repairs` or `repair`, and not both.");
  }
  const definitions = [value].flat() as (Measure | ValueDefinition)[];
  const values = definitions.map((one) => toValue(one, vocabularySize));
  // Whether these are measures, and of this data, is the evaluator's to say.
  const measured = [...new Set(values.flatMap((one) => one.measures))] as Measure[];
  const evaluator = await Evaluator.open(model, data, { measures: measured, engine, journal });
  const game = unitGame({
    players: units.map((of) => of.join("+") as PlayerName<P>),
    values,
    source: {
      measures: measured,
      async measure(coalitions, options) {
        const width = maskBytes(units.length);
        const kept = new Uint8Array(coalitions.length * width);
        for (const [row, coalition] of coalitions.entries()) coalition.writeMask(kept, row * width);
        const removed = () => coalitions.map((set) => set.absent().flatMap((player) => item(units, player)));
        const placed = repair === undefined ? { repairs } : placedRepairs(repair, removed(), depth);
        const subnetworks = { players: units, kept, ...placed };
        return (await evaluator.measure(subnetworks, { ...options, onProgress, timeoutMs })).values;
      },
    },
  });
  return new ModelGame(game, {
    evaluator,
    costs: playerCosts(units, depth),
    precision: isScreened(model, engine.precision) ? "screen" : "exact",
    notes: [...screeningNotes(model, engine.precision), ...notesOn(repairs, units)],
  });
}

function playersOf(players: Players, groups: number | undefined, model: Shape): UnitName[][] {
  const { depth } = model;
  const flat =
    typeof players === "string"
      ? unitsOf(players, model)
      : players.every((player) => typeof player === "string")
        ? checkUnits(players, depth)
        : undefined;
  if (flat !== undefined) return groups === undefined ? flat.map((unit) => [unit]) : groupUnits(flat, groups);
  if (groups !== undefined) {
    throw new DepthkitError("INVALID_ARGUMENT", "The players are groups already; leave out `groups`.");
  }
  return (players as readonly (readonly UnitName[])[]).map((group) => checkUnits(group, depth));
}

function checkApart(players: readonly (readonly UnitName[])[]): void {
  const units = players.flat();
  const twice = units.find((unit, index) => units.indexOf(unit) !== index);
  if (twice === undefined) return;
  throw new DepthkitError(
    "INVALID_ARGUMENT",
    `Making a game: the unit "${twice}" belongs to two players; each unit to one.`,
  );
}

function toValue(value: Measure | ValueDefinition, vocabularySize: number): ValueDefinition {
  if (typeof value !== "string") return value;
  const cap = value === "loss" ? Math.log(vocabularySize) : undefined;
  return valueOfMeasure(value, { lowerIsBetter: lowerIsBetter.has(value), cap });
}

/** A repair is put in place where all its units are removed, and only players are. */
function notesOn(repairs: readonly Repair[], players: readonly (readonly UnitName[])[]): string[] {
  const playing = new Set(players.flat().flatMap((unit) => sublayersOf(parseUnit(unit))));
  return repairs
    .filter(
      ({ removed }) => !removed.every((unit) => sublayersOf(parseUnit(unit)).every((at) => playing.has(at))),
    )
    .map(
      ({ method, removed }) =>
        `The repair ${method} of ${removed.join(", ")} is never in place: not all of these units play.`,
    );
}
