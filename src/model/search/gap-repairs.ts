import { DepthkitError } from "../../errors.ts";
import type { HeldRepair, Subject } from "../../evaluation/subject.ts";
import { sublayersOf } from "../../evaluation/sublayers.ts";
import { packBits } from "../../evaluation/subnetworks.ts";
import { aWhole, checkArgument } from "../../options.ts";
import type { UnitName } from "../../protocol/common.ts";
import type { RepairReport } from "../../protocol/repair.ts";
import { parseUnit } from "../../protocol/units.ts";
import { withTimeLimit } from "../../rpc/time-limit.ts";
import type { Corpus } from "../corpus.ts";
import { fitRepair, type Repair, type RepairOptions, repairOptionsWith } from "../repair.ts";

/** How the repairs of a search's gaps are made. */
export type GapRepairOptions = RepairOptions & {
  /** Runs of up to so many neighbouring blocks get a repair of their own; default 2. */
  runs?: number | undefined;
};

/** That options are those of a repair of gaps. */
export const gapRepairOptions = repairOptionsWith({ runs: aWhole(1) });

/**
 * A repair as it is fitted to a set that is settled: to the model that is pruned and repaired below each gap,
 * unless it says otherwise. Stand-ins cannot be, since nobody knows beforehand which of them will meet.
 */
export const fittedToSet = (repair: RepairOptions): RepairOptions =>
  hasReference(repair) ? { ...repair, reference: repair.reference ?? "pruned" } : repair;

/** The same as a stand-in. */
export const standIn = (repair: GapRepairOptions): GapRepairOptions =>
  hasReference(repair) ? { ...repair, reference: "dense" } : repair;

type Referenced = Extract<RepairOptions, { method: "low-rank" | "emulated-update" }>;

const hasReference = (repair: RepairOptions): repair is Referenced =>
  repair.method === "low-rank" || repair.method === "emulated-update";

/** Neighbouring blocks that have a repair of their own. */
const mostRuns = 2;

/** Sums of squares of one gap are two square matrices of doubles; those of one pass may take this much. */
const bytesPerPass = 4 * 2 ** 30;

/**
 * A repair for every removable unit, and for every run of neighbouring blocks up to a length, each fitted as
 * if it alone were gone: what a set of units is scored with in place of a fit of its own. Where gaps are no
 * neighbours and small, that is close to what their own fit gives; a longer run is put together from pieces.
 */
export class GapRepairs implements AsyncDisposable {
  readonly repairs: readonly Repair[];
  /** Of each pass over the corpus. */
  readonly reports: readonly RepairReport[];
  readonly #places: ReadonlyMap<string, number>;
  readonly #longest: number;

  private constructor(repairs: readonly Repair[], reports: readonly RepairReport[], longest: number) {
    this.repairs = repairs;
    this.reports = reports;
    this.#longest = longest;
    this.#places = new Map(repairs.map(({ removed }, place) => [removed.join("+"), place]));
  }

  /** @internal */
  static async fit(
    model: Subject,
    corpus: Corpus,
    units: readonly UnitName[],
    given: GapRepairOptions,
  ): Promise<GapRepairs> {
    checkArgument("repairGaps", "", given, gapRepairOptions);
    return withTimeLimit("repairGaps", given, (signal) =>
      GapRepairs.#fit(model, corpus, units, { ...given, signal }),
    );
  }

  /** How many there are for these units, and at how many places they begin. */
  static count(units: readonly UnitName[], depth: number, { runs = mostRuns }: GapRepairOptions) {
    const gaps = gapsOf(units, depth, runs);
    return { gaps: gaps.length, fronts: new Set(gaps.map(([first]) => first)).size };
  }

  static async #fit(
    model: Subject,
    corpus: Corpus,
    units: readonly UnitName[],
    given: GapRepairOptions,
  ): Promise<GapRepairs> {
    const { runs = mostRuns, ...options } = given;
    const gaps = gapsOf(units, model.info.depth, runs);
    const size = Math.max(1, Math.floor(bytesPerPass / (16 * model.info.hiddenSize ** 2)));
    const repairs: Repair[] = [];
    const reports: RepairReport[] = [];
    try {
      for (let at = 0; at < gaps.length; at += size) {
        const made = await fitRepair(model, corpus, options as RepairOptions, gaps.slice(at, at + size));
        repairs.push(...made.repairs);
        reports.push(made.report);
      }
    } catch (error) {
      await Promise.allSettled(repairs.map((repair) => repair.close()));
      throw error;
    }
    return new GapRepairs(repairs, reports, runs);
  }

  /**
   * Which of the repairs stand in for these units: of each run of removed blocks the longest pieces there
   * are, from the bottom up.
   *
   * @throws DepthkitError INVALID_ARGUMENT where a unit has none
   */
  inPlace(removed: readonly UnitName[], depth: number): readonly number[] {
    const lost = lostSublayers(removed, depth);
    const found: number[] = [];
    for (let block = 0; block < depth; block++) {
      const [attention, feedForward] = [lost.has(2 * block), lost.has(2 * block + 1)];
      if (attention && feedForward) {
        const length = this.#longestPiece(block, lost);
        found.push(this.#place(runName(block, length)));
        block += length - 1;
      } else if (attention) found.push(this.#place(`attention.${block}`));
      else if (feedForward) found.push(this.#place(`feed-forward.${block}`));
    }
    return found;
  }

  /** Gives back what the worker holds of them; safe to call twice. */
  async close(): Promise<void> {
    await Promise.all(this.repairs.map((repair) => repair.close()));
  }

  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #longestPiece(block: number, lost: ReadonlySet<number>): number {
    let length = 1;
    const gone = (index: number) => lost.has(2 * index) && lost.has(2 * index + 1);
    while (length < this.#longest && gone(block + length) && this.#places.has(runName(block, length + 1))) {
      length++;
    }
    return length;
  }

  #place(name: string): number {
    const place = this.#places.get(name);
    if (place !== undefined) return place;
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `Scoring under repair: no repair was fitted for ${name}. Fit gaps of all units that may go.`,
      { details: { unit: name } },
    );
  }
}

/** The repairs in place of each of several subnetworks, as the masks of the wire have them. */
export function placedRepairs(
  gaps: GapRepairs,
  removed: readonly (readonly UnitName[])[],
  depth: number,
): { repairs: readonly HeldRepair[]; repaired: Uint8Array<ArrayBuffer> } {
  const rows = removed.map((units) => {
    const inPlace = new Set(gaps.inPlace(units, depth));
    return gaps.repairs.map((_, place) => inPlace.has(place));
  });
  return { repairs: gaps.repairs, repaired: packBits(rows) };
}

function gapsOf(units: readonly UnitName[], depth: number, runs: number): UnitName[][] {
  const removable = lostSublayers(units, depth);
  const single = (kind: "attention" | "feed-forward", offset: number) =>
    Array.from({ length: depth }, (_, block) => block)
      .filter((block) => removable.has(2 * block + offset) && units.includes(`${kind}.${block}`))
      .map((block): UnitName[] => [`${kind}.${block}`]);
  const gaps = [...single("attention", 0), ...single("feed-forward", 1)];
  const whole = (block: number) => removable.has(2 * block) && removable.has(2 * block + 1);
  for (let first = 0; first < depth; first++) {
    for (let length = 1; length <= runs && whole(first + length - 1); length++) {
      gaps.push(Array.from({ length }, (_, offset): UnitName => `block.${first + offset}`));
    }
  }
  return gaps;
}

function lostSublayers(units: readonly UnitName[], depth: number): Set<number> {
  const lost = new Set(units.map(parseUnit).flatMap(sublayersOf));
  const beyond = [...lost].find((place) => place >= 2 * depth);
  if (beyond !== undefined) throw new DepthkitError("INTERNAL", `There is no sublayer ${beyond}.`);
  return lost;
}

const runName = (first: number, length: number): string =>
  Array.from({ length }, (_, offset) => `block.${first + offset}`).join("+");
