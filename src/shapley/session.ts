import type { Coalition } from "../game/coalition.ts";
import { sortByDepth } from "../game/depth-order.ts";
import { checkMatrix, type Game, throwIfCancelled } from "../game/game.ts";
import type { Draft } from "./draft.ts";
import { ValueTable } from "./value-table.ts";

export interface Budget {
  /** Coalitions evaluated at the game, v(all) and v(none) included. */
  readonly evaluations: number;
  readonly seconds?: number | undefined;
  /** Block evaluations, as the game's `costOf` counts them. */
  readonly cost?: number | undefined;
}

/** Why an estimate ended. */
export type StopReason = "evaluations" | "seconds" | "cost" | "settled" | "complete";

export interface SessionOptions {
  readonly game: Game;
  readonly reach: number;
  readonly seed: number;
  readonly budget: Budget;
  readonly floors: Float64Array;
  readonly signal?: AbortSignal | undefined;
  readonly batchSize: number;
  /** By how much the evaluations grow from one look at the estimate to the next; Infinity for no looks. */
  readonly growth: number;
  /** Called at each look; true ends the sampling. */
  readonly onLook: (draft: Draft, session: Session) => boolean;
  readonly onBatch: (session: Session) => void;
  readonly now: () => number;
}

/** Coalitions that are of use only together: a walk, a pair, or a single one. */
export interface Unit {
  readonly coalitions: readonly Coalition[];
}

/** Evaluations before the first look. */
export const firstLook = 16;
const longRun = 4096;
const roundSize = 256;
/** Draws of known coalitions cost nothing; past this many times the budget they are the end all the same. */
const drawsPerEvaluation = 16;

/** One estimation under way: the evaluated coalitions, the budget, and when to look and to stop. */
export class Session {
  readonly game: Game;
  readonly players: number;
  readonly reach: number;
  readonly seed: number;
  readonly table: ValueTable;
  readonly #options: SessionOptions;
  readonly #startedAt: number;
  #nextLook: number;
  #cost = 0;
  #stopped: StopReason | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.game = options.game;
    this.players = options.game.players.length;
    this.reach = options.reach;
    this.seed = options.seed;
    this.table = new ValueTable(options.floors);
    this.#startedAt = options.now();
    this.#nextLook = Number.isFinite(options.growth) ? firstLook : Number.POSITIVE_INFINITY;
  }

  get floors(): Float64Array {
    return this.#options.floors;
  }

  get budget(): Budget {
    return this.#options.budget;
  }

  get evaluations(): number {
    return this.table.size;
  }

  get remaining(): number {
    return this.budget.evaluations - this.table.size;
  }

  /** Block evaluations spent, as far as the game tells. */
  get cost(): number {
    return this.#cost;
  }

  get seconds(): number {
    return (this.#options.now() - this.#startedAt) / 1000;
  }

  /** Why sampling ended. */
  get stopped(): StopReason {
    return this.#stopped ?? "complete";
  }

  valueOf(coalition: Coalition, value: number): number {
    return this.table.get(coalition, value);
  }

  /** Evaluates what is not known yet, in depth order, in batches. Callers keep within the budget. */
  async evaluate(coalitions: readonly Coalition[]): Promise<void> {
    const { game, signal } = this.#options;
    for (const batch of this.#batchesOf(coalitions)) {
      throwIfCancelled(
        signal,
        `Estimating over ${this.evaluations} of ${this.budget.evaluations} evaluations`,
      );
      const matrix = await game.evaluate(batch, { signal });
      checkMatrix(game, batch, matrix);
      const width = game.values.length;
      batch.forEach((coalition, row) => {
        this.table.set(coalition, matrix.subarray(row * width, (row + 1) * width));
      });
      this.#cost += game.costOf?.(batch) ?? 0;
      this.#options.onBatch(this);
    }
    throwIfCancelled(signal, `Estimating over ${this.evaluations} of ${this.budget.evaluations} evaluations`);
  }

  /**
   * How many of the leading units fit into what is left of the budget; 0, and a reason to stop, when none
   * does.
   */
  admit(units: readonly Unit[]): number {
    if (this.budget.seconds !== undefined && this.seconds >= this.budget.seconds) {
      this.#stopped = "seconds";
      return 0;
    }
    const fresh = new Map<string, Coalition>();
    let admitted = 0;
    for (const unit of units) {
      for (const coalition of this.#fresh(unit.coalitions)) fresh.set(coalition.key, coalition);
      if (fresh.size > this.remaining) {
        this.#stopped = "evaluations";
        break;
      }
      admitted++;
    }
    const { budget } = this.#options;
    if (budget.cost === undefined) return admitted;
    // The cost grows with the round, so the largest that fits is found by bisection.
    const left = budget.cost - this.#cost;
    const fits = (count: number) =>
      this.#costOf(units.slice(0, count).flatMap((unit) => unit.coalitions)) <= left;
    if (fits(admitted)) return admitted;
    this.#stopped = "cost";
    let low = 0;
    for (let high = admitted; high - low > 1; ) {
      const middle = (low + high) >> 1;
      if (fits(middle)) low = middle;
      else high = middle;
    }
    return low;
  }

  /** True when it is time to look at the estimate. */
  get lookIsDue(): boolean {
    return this.evaluations >= this.#nextLook;
  }

  /** Looks at the estimate; true when sampling is to end. */
  look(draft: Draft): boolean {
    const { growth } = this.#options;
    // A look takes as long as solving does, so a long run has fewer of them.
    const factor = this.evaluations >= longRun ? growth ** 2 : growth;
    this.#nextLook = Math.max(this.evaluations + 1, Math.ceil(this.evaluations * factor));
    if (!this.#options.onLook(draft, this)) return false;
    this.#stopped = "settled";
    return true;
  }

  /**
   * The loop that samplers share: takes units while the budget lasts, evaluates them in rounds, hands each to
   * `consume`, and looks at the estimate now and then. `next` gives undefined when there is nothing left to
   * draw; `draft` gives undefined while there is too little for an estimate.
   */
  async sample<U extends Unit>(
    next: () => U | undefined,
    consume: (unit: U) => void,
    draft: () => Draft | undefined,
  ): Promise<void> {
    let held: U | undefined;
    let draws = 0;
    for (;;) {
      const room = Math.max(1, Math.min(roundSize, this.#nextLook - this.evaluations, this.remaining));
      const units: U[] = [];
      const fresh = new Set<string>();
      while (fresh.size < room && units.length < 4 * roundSize) {
        const unit = held ?? next();
        held = undefined;
        if (unit === undefined) break;
        units.push(unit);
        for (const coalition of this.#fresh(unit.coalitions)) fresh.add(coalition.key);
      }
      if (units.length === 0) return;
      const admitted = this.admit(units);
      const taken = units.slice(0, admitted);
      await this.evaluate(taken.flatMap((unit) => unit.coalitions));
      for (const unit of taken) {
        draws += unit.coalitions.length;
        consume(unit);
      }
      if (admitted < units.length || draws > drawsPerEvaluation * this.budget.evaluations) return;
      if (this.lookIsDue && this.remaining > 0) {
        const current = draft();
        if (current !== undefined && this.look(current)) return;
      }
    }
  }

  /**
   * What is not known yet, in depth order, cut into calls of the game. Under a cost budget the caller's batch
   * size has no say: each cut costs the prefixes that it parts, which would then be spent beyond what was
   * admitted.
   */
  #batchesOf(coalitions: readonly Coalition[]): Coalition[][] {
    const fresh = sortByDepth(this.#fresh(coalitions));
    const size = this.budget.cost === undefined ? this.#options.batchSize : roundSize;
    return Array.from({ length: Math.ceil(fresh.length / size) }, (_, i) =>
      fresh.slice(i * size, (i + 1) * size),
    );
  }

  #costOf(coalitions: readonly Coalition[]): number {
    return this.#batchesOf(coalitions).reduce((sum, batch) => sum + (this.game.costOf?.(batch) ?? 0), 0);
  }

  #fresh(coalitions: readonly Coalition[]): Coalition[] {
    const fresh = new Map<string, Coalition>();
    for (const coalition of coalitions) {
      if (!this.table.has(coalition)) fresh.set(coalition.key, coalition);
    }
    return [...fresh.values()];
  }
}
