import { item, present } from "../arrays.ts";
import type { Coalition } from "../game/coalition.ts";
import { interleave, leverage, proportionalShares, roundShares, Stratum } from "./design.ts";
import { randomStream } from "./random.ts";
import type { Session, Unit } from "./session.ts";

/** A drawn coalition and the place of its size among the strata. */
export interface SampledUnit extends Unit {
  readonly stratum: number;
  /** Its size was drawn at random from those that are too thinly sampled to stand alone. */
  readonly pooled: boolean;
}

export interface SizePlan {
  readonly stratum: Stratum;
  /** Drawn to learn how the values spread; known, but no part of the error. */
  readonly pilot: readonly Coalition[];
  /** How many of the second phase's draws it gets on average. */
  readonly share: number;
  /** Too few draws to stand alone: its draws come from the pool. */
  readonly pooled: boolean;
}

/** Sizes with at least so many draws are sampled by themselves; it is also the number of folds. */
export const foldCount = 4;

/** The part of the draws spent on learning how values spread, when the allocation is adaptive. */
const pilotShare = 0.15;

/**
 * Samples coalitions that lack 2 to `reach` players, size by size and without replacement. First a pilot, in
 * proportion to leverage; then, the pilot being known, the rest in proportion to leverage times the spread
 * seen at each size (Neyman's allocation), the spread in steps of sqrt(2) and by basic arithmetic, so that
 * the same values give the same coalitions everywhere. Sizes whose share is less than `foldCount` draws are
 * pooled: which of them a pooled draw comes from is itself drawn.
 */
export class RemovalSample {
  readonly plans: readonly SizePlan[];
  readonly #order: readonly number[];
  readonly #poolSizes: readonly number[];
  #at = 0;
  #pooledAt = 0;

  private constructor(plans: readonly SizePlan[], total: number, seed: number) {
    this.plans = plans;
    const room = plans.map(({ stratum, pilot }) => stratum.population - pilot.length);
    const counts = roundShares(
      plans.map(({ pooled, share }) => (pooled ? 0 : share)),
      room,
    );
    const own = counts.reduce((sum, count) => sum + count, 0);
    const pooled = plans.flatMap((plan, s) => (plan.pooled ? [s] : []));
    const weight = pooled.reduce((sum, s) => sum + item(plans, s).share, 0);
    const random = randomStream(seed, "pooled sizes");
    this.#poolSizes = Array.from({ length: pooled.length === 0 ? 0 : total - own }, () => {
      let left = random.uniform() * weight;
      for (const s of pooled) {
        left -= item(plans, s).share;
        if (left < 0) return s;
      }
      return item(pooled, 0);
    });
    this.#order = interleave([...counts, this.#poolSizes.length]);
  }

  /**
   * Evaluates the pilot and plans the rest. `ones` are the coalitions that lack one player, already
   * evaluated.
   */
  static async plan(session: Session, ones: readonly Coalition[], adaptive: boolean): Promise<RemovalSample> {
    const { players, reach, seed } = session;
    const last = Math.min(reach, players - 1);
    const strata = Array.from({ length: last - 1 }, (_, i) => new Stratum(players, i + 2, seed));
    const total = Math.min(
      session.remaining,
      strata.reduce((sum, stratum) => sum + stratum.population, 0),
    );
    const weights = strata.map(({ removed }) => leverage(players, removed));
    const populations = strata.map(({ population }) => population);
    const pilotTotal = adaptive ? Math.min(Math.round(pilotShare * total), 16 * strata.length) : 0;
    const pilotCounts = systematic(proportionalShares(pilotTotal, weights, populations));
    const pilots = strata.map((stratum, s) =>
      Array.from({ length: item(pilotCounts, s) }, () => present(stratum.next(), "a size's next coalition")),
    );
    const units = pilots.flat().map((coalition) => ({ coalitions: [coalition] }));
    const admitted = session.admit(units);
    await session.evaluate(units.slice(0, admitted).flatMap((unit) => unit.coalitions));
    const known = pilots.map((pilot) => pilot.filter((coalition) => session.table.has(coalition)));
    const spreads = adaptive ? spreadBySize(session, strata, known, ones) : strata.map(() => 1);
    const left = total - known.reduce((sum, pilot) => sum + pilot.length, 0);
    const room = strata.map(({ population }, s) => population - item(known, s).length);
    const shares = proportionalShares(
      left,
      weights.map((weight, s) => weight * item(spreads, s)),
      room,
    );
    const plans = strata.map((stratum, s): SizePlan => {
      const share = item(shares, s);
      const pooled = share < foldCount && share < item(room, s);
      return { stratum, pilot: item(known, s), share, pooled };
    });
    return new RemovalSample(plans, left, seed);
  }

  next(): SampledUnit | undefined {
    while (this.#at < this.#order.length) {
      const slot = item(this.#order, this.#at++);
      const pooled = slot === this.plans.length;
      const stratum = pooled ? item(this.#poolSizes, this.#pooledAt++) : slot;
      const coalition = this.plans[stratum]?.stratum.next();
      // A pooled size may run out; what is known of it then needs no estimate, and the draw is void.
      if (coalition !== undefined) return { stratum, pooled, coalitions: [coalition] };
    }
    return undefined;
  }
}

/**
 * Rounds shares so that every run of them keeps its sum to within one half: thin shares are spread evenly.
 */
function systematic(shares: readonly number[]): number[] {
  let sum = 0;
  return shares.map((share) => {
    const before = Math.floor(sum + 0.5);
    sum += share;
    return Math.floor(sum + 0.5) - before;
  });
}

/** How widely values spread at each size, relative to the widest, in steps of sqrt(2) down to 1/16. */
function spreadBySize(
  session: Session,
  strata: readonly Stratum[],
  pilots: readonly (readonly Coalition[])[],
  ones: readonly Coalition[],
): number[] {
  const sizes = [ones, ...pilots];
  const combined = strata.map(() => 0);
  for (let value = 0; value < session.game.values.length; value++) {
    const seen = sizes.map((coalitions) => coalitions.map((coalition) => session.valueOf(coalition, value)));
    const raw = strata.map((_, s) => spreadAround(seen, s + 1));
    const widest = raw.reduce((a, b) => Math.max(a, b), 0);
    for (const [s, spread] of raw.entries()) {
      combined[s] = Math.max(item(combined, s), widest > 0 ? steps(spread / widest) : 1);
    }
  }
  return combined;
}

/** Pooled standard deviation within the sizes nearest to `at` that hold at least 6 values between them. */
function spreadAround(seen: readonly (readonly number[])[], at: number): number {
  for (let width = 0; ; width++) {
    const near = seen.slice(Math.max(0, at - width), at + width + 1);
    const values = near.flat();
    if (values.length < 6 && width < seen.length) continue;
    if (values.length < 2) return 0;
    const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
    return Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1));
  }
}

function steps(ratio: number): number {
  let level = 1;
  // Each comparison is with the middle of two levels.
  while (level > 1 / 16 && ratio < level * 0.84) level *= Math.SQRT1_2;
  return level;
}
