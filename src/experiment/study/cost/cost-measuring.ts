/** What measuring, repairing and writing cost, over the sets that rankings lead to. */
import { splitOfWork } from "../../../evaluation/subnetworks.ts";
import type { WorkSplit } from "../../../protocol/subnetworks.ts";
import { parseUnit } from "../../../protocol/units.ts";
import { evaluationKey, fitKey, textKey } from "../keys.ts";
import { isShared, type Shared } from "../measure.ts";
import { batchesOf, isTrained } from "../measuring.ts";
import type { OpenEvaluation } from "../open.ts";
import type { Points, Subject } from "../points.ts";
import type { CostWork, RankedCost } from "./cost-rankings.ts";
import { Known } from "./known.ts";
import { gapsOf, type RepairPace, repairPace } from "./repair-pace.ts";
import { nothing, type Span, spread, times } from "./span.ts";
import { WorkLeft } from "./work-left.ts";

/** Bytes of a figure and of an item's own, in the journal and in the record. */
const [figureBytes, itemBytes] = [800, 40];
/** Copies of what is trained that a training's folder holds: weights, two moments, the best state. */
const checkpointNumbers = 4;

export async function costOfMeasuring(
  work: CostWork,
  points: Points,
  ranked: RankedCost,
): Promise<WorkLeft[]> {
  const cost = new MeasuringCost(work, points, ranked);
  const bare = points.subjects.filter(({ repair }) => repair === null);
  await cost.measure("evaluation", bare);
  for (const batch of batchesOf(points.subjects, work.opened.model.trainingsAtOnce)) {
    await cost.repair(batch);
    await cost.measure("repaired evaluation", batch);
  }
  await cost.write();
  return cost.rows;
}

class MeasuringCost {
  readonly #work: CostWork;
  readonly #points: Points;
  readonly #ranked: RankedCost;
  readonly #known: Known;
  readonly #rows = new Map<string, WorkLeft>();
  readonly #alone = new Map<OpenEvaluation, Span | string>();
  readonly #repairs = new Map<string, RepairPace | undefined>();
  readonly #exact: boolean;

  constructor(work: CostWork, points: Points, ranked: RankedCost) {
    this.#work = work;
    this.#points = points;
    this.#ranked = ranked;
    this.#known = new Known(work.store);
    this.#exact = ranked.guessed.size === 0;
  }

  get rows(): WorkLeft[] {
    return [...this.#rows.values()];
  }

  async measure(kind: "evaluation" | "repaired evaluation", subjects: readonly Subject[]): Promise<void> {
    for (const opened of this.#work.opened.evaluations) {
      const all = this.#points.wantedBy(opened.evaluation.where);
      const wanted = subjects.filter((subject) => all.includes(subject));
      if (wanted.length === 0) continue;
      const row = this.#row(kind, opened.evaluation.name);
      const missing = wanted.filter((subject) => {
        const took = this.#known.seconds(evaluationKey(this.#work.opened, opened, subject));
        if (took !== undefined) row.took(took);
        return took === undefined;
      });
      row.steps += missing.length;
      row.bytes += missing.length * (figureBytes + itemBytes * itemsOf(opened));
      if (missing.length === 0) continue;
      if (isShared(opened)) await this.#together(row, opened, missing, kind === "evaluation");
      else await this.#oneByOne(row, opened, missing.length);
    }
  }

  async #together(row: WorkLeft, opened: Shared, missing: readonly Subject[], bare: boolean): Promise<void> {
    const { blocks, paces } = this.#ranked;
    const pace = await paces.onEvaluation(opened);
    const sets = missing.map(({ removed }) => blocks.coalition(removed));
    const count = bare ? blocks.of(sets, pace.batches) : blocks.ofRepaired(missing);
    const distinct = bare ? blocks.distinct(sets).length : missing.length;
    row.subnetworks += distinct;
    row.addBlocks(count * pace.batches);
    row.addTokens(distinct * opened.data.info.tokens);
    const { call, opened: of } = this.#work;
    const removed = missing.map((subject) => subject.removed);
    const split = await splitOfWork(of.model.subject, opened.data, removed, call);
    if (split === null) {
      row.takes(times(pace.block, count));
      row.takes(times(pace.head, distinct));
      return;
    }
    // The cost model's own: the sample ran on several actors. Repairs leave less to be shared.
    const share = bare ? 1 : count / blocks.of(sets, pace.batches);
    row.takes(times(spread(split.seconds), share));
    row.note = sharedOut(split);
  }

  async #oneByOne(row: WorkLeft, opened: OpenEvaluation, count: number): Promise<void> {
    const pace = this.#alone.get(opened) ?? (await this.#ranked.paces.alone(opened));
    this.#alone.set(opened, pace);
    row.subnetworks += count;
    if (typeof pace === "string") row.untold = pace;
    else row.takes(times(pace, count));
    const { evaluation } = opened;
    if (evaluation.kind !== "written" && evaluation.kind !== "probe") return;
    const samples = evaluation.kind === "written" ? evaluation.samples : 1;
    row.addTokens(count * itemsOf(opened) * samples * evaluation.maxNewTokens);
  }

  /** A repair that was fitted before is fitted again where something is still to be measured with it. */
  async repair(batch: readonly Subject[]): Promise<void> {
    const together = batch.some(isTrained) ? batch.length : 1;
    for (const subject of batch) {
      const { repair } = subject;
      if (repair === null) continue;
      const { settled, condition } = repair;
      const row = this.#row("repair", settled.name);
      const took = this.#known.seconds(fitKey(this.#work.opened, subject));
      if (took !== undefined) row.took(took);
      else row.steps += 1;
      if (took !== undefined && !this.#wants(subject)) continue;
      const name = JSON.stringify([settled.name, condition.calibration.name]);
      if (!this.#repairs.has(name)) this.#repairs.set(name, await this.#pace(repair));
      const pace = this.#repairs.get(name);
      row.subnetworks += 1;
      row.addTokens(condition.measured.info.tokens);
      row.takes(times(pace?.seconds(gapsOf(subject.removed)) ?? nothing, 1 / together));
      row.bytes += figureBytes + 4 * checkpointNumbers * (pace?.trained ?? 0);
      if (together > 1) row.note = `${together} trained at a time`;
      if (pace === undefined) row.note = "it applies to none of the sets that were tried";
    }
  }

  #wants(subject: Subject): boolean {
    const { opened, settled } = this.#work;
    const { texts } = settled;
    const writes = texts !== undefined && this.#points.wantedBy(texts.where).includes(subject);
    return (
      (writes && this.#known.seconds(textKey(opened, texts, subject)) === undefined) ||
      opened.evaluations.some(
        (one) =>
          this.#points.wantedBy(one.evaluation.where).includes(subject) &&
          this.#known.seconds(evaluationKey(opened, one, subject)) === undefined,
      )
    );
  }

  async #pace({ settled, condition }: NonNullable<Subject["repair"]>): Promise<RepairPace | undefined> {
    const sets = this.#points.subjects
      .filter(({ repair, removed }) => repair?.settled === settled && removed.length > 0)
      .map(({ removed }) => removed)
      // Nothing stands below the first block, and some repairs need something there.
      .sort((a, b) => Number(hasFirst(a)) - Number(hasFirst(b)));
    return await repairPace(this.#work.opened, condition, settled.steps, sets, this.#work.call);
  }

  async write(): Promise<void> {
    const { texts } = this.#work.settled;
    if (texts === undefined) return;
    const row = this.#row("text", "prompts");
    let pace: Span | undefined;
    for (const subject of this.#points.wantedBy(texts.where)) {
      const took = this.#known.seconds(textKey(this.#work.opened, texts, subject));
      if (took !== undefined) {
        row.took(took);
        continue;
      }
      pace ??= await this.#ranked.paces.text(texts);
      row.steps += 1;
      row.subnetworks += 1;
      row.takes(pace);
      row.addTokens(texts.prompts.length * texts.maxNewTokens);
      row.bytes += texts.prompts.join("").length + 6 * texts.prompts.length * texts.maxNewTokens;
    }
  }

  #row(kind: WorkLeft["kind"], what: string): WorkLeft {
    const key = `${kind} ${what}`;
    const row = this.#rows.get(key) ?? new WorkLeft(kind, this.#work.opened.name, what);
    row.exact = this.#exact;
    this.#rows.set(key, row);
    return row;
  }
}

function sharedOut({ actors, pieces, sharingLost, seconds, aloneSeconds }: WorkSplit): string {
  const lost = `${(100 * sharingLost).toFixed(1)}% more blocks than on one device`;
  const times = seconds > 0 ? (aloneSeconds / seconds).toFixed(1) : "1.0";
  return `${pieces} pieces on ${actors} actors, ${lost}, ${times} times as fast as one`;
}

const hasFirst = (removed: Subject["removed"]): boolean =>
  removed.some((unit) => parseUnit(unit).block === 0);

function itemsOf({ evaluation, data }: OpenEvaluation): number {
  const { info } = data ?? {};
  if (info === undefined) return evaluation.kind === "perplexity" ? (evaluation.maxChunks ?? 0) : 0;
  return "items" in info ? info.items : info.sequences;
}
