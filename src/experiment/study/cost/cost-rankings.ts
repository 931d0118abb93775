/** What ranking costs, and the sets that it leads to, as far as they are known. */
import type { Corpus } from "../../../model/corpus.ts";
import type { UnitCosts } from "../../../model/search/unit-costs.ts";
import { Task } from "../../../model/task.ts";
import type { CallOptions } from "../../../rpc/call-options.ts";
import { costsKey, influenceKey, rankingKey } from "../keys.ts";
import { costsOf, influenceOf, knowing, on, type StaticInfluence } from "../model-study.ts";
import type { Condition, OpenModel } from "../open.ts";
import type { SettledPlan, SettledRanking } from "../plan.ts";
import type { Found } from "../points.ts";
import { failureSchema, rankedSchema, type StudyRecord } from "../record.ts";
import { isFailure, type StepStore, Steps } from "../steps.ts";
import { Blocks } from "./blocks.ts";
import { type Dry, dryRun, type LookedAt } from "./dry.ts";
import { Known } from "./known.ts";
import { type ForwardPace, Paces } from "./paces.ts";
import { repairPace } from "./repair-pace.ts";
import { nothing, type Span, times } from "./span.ts";
import { WorkLeft } from "./work-left.ts";

export interface CostWork {
  readonly settled: SettledPlan;
  readonly opened: OpenModel;
  readonly store: StepStore;
  /** Undefined: nothing is kept, and of draws only the first is looked at. */
  readonly folder: string | undefined;
  readonly call: CallOptions;
}

export interface RankedCost {
  readonly rows: readonly WorkLeft[];
  readonly found: readonly Found[];
  /** Those of them whose sets are guessed. */
  readonly guessed: ReadonlySet<Found>;
  readonly blocks: Blocks;
  readonly paces: Paces;
}

/** Bytes of a set in a journal of games, and of a unit in the record of a ranking. */
const [setBytes, unitBytes] = [150, 200];

export async function costOfRanking(work: CostWork): Promise<RankedCost> {
  const { settled, opened, store, call, folder } = work;
  const known = new Known(store);
  const steps = new Steps(store, call);
  const rows: WorkLeft[] = [];
  const beginning = { settled, opened, steps };
  const costs = await costsOf(beginning);
  const timed = !Array.isArray(settled.removals) && settled.removals.of === "seconds";
  rows.push(measuredRow("costs", opened.name, "of units", known.seconds(costsKey(opened, timed)), steps));
  const blocks = new Blocks(opened.model.depth, costs);
  const paces = new Paces(opened, call);
  const found: Found[] = [];
  const guessed = new Set<Found>();
  let first: { data: StaticInfluence; seconds: number } | undefined;
  for (const condition of opened.conditions) {
    const key = influenceKey(opened, condition);
    const real = first === undefined || folder !== undefined || known.seconds(key) !== undefined;
    let data = first?.data;
    if (real || data === undefined) data = await influenceOf(beginning, condition);
    const seconds = real ? (steps.done.at(-1)?.seconds ?? 0) : (first?.seconds ?? 0);
    first ??= { data, seconds };
    const row = measuredRow(
      "influence",
      opened.name,
      `static${on(condition, settled)}`,
      known.seconds(key),
      steps,
      seconds,
    );
    row.addTokens(row.known > 0 ? 0 : condition.measured.info.tokens);
    row.bytes = 2 * JSON.stringify(data).length;
    rows.push(row);
    const knows = knowing(opened, condition, data);
    const look = new Looks(work, condition, paces, blocks, costs, data, seconds);
    for (const ranking of settled.rankings) {
      const { row: made, ranked, exact } = await look.at(ranking, knows, known);
      made.exact = exact && (real || ranking.by === "order");
      rows.push(made);
      if (ranked === undefined) continue;
      const one = { condition, ranking: ranking.name, ranked };
      found.push(one);
      if (!made.exact) guessed.add(one);
    }
  }
  return { rows, found, guessed, blocks, paces };
}

/** Of what was measured just now: where it is kept it costs nothing any more. */
function measuredRow(
  kind: WorkLeft["kind"],
  model: string,
  what: string,
  known: number | undefined,
  steps: Steps,
  seconds = steps.done.at(-1)?.seconds ?? 0,
): WorkLeft {
  const row = new WorkLeft(kind, model, what);
  if (known !== undefined) row.took(known);
  else {
    row.steps = 1;
    row.takes({ seconds, low: seconds, high: seconds });
  }
  return row;
}

/** Rankings of one condition; what one of them measured the next one has from their journal. */
class Looks {
  readonly #work: CostWork;
  readonly #condition: Condition;
  readonly #paces: Paces;
  readonly #blocks: Blocks;
  readonly #costs: StudyRecord["models"][number]["costs"];
  readonly #data: StaticInfluence;
  readonly #static: number;
  readonly #seen = new Map<object, Set<string>>();
  #gradients = 0;

  constructor(
    work: CostWork,
    condition: Condition,
    paces: Paces,
    blocks: Blocks,
    costs: StudyRecord["models"][number]["costs"],
    data: StaticInfluence,
    seconds: number,
  ) {
    this.#work = work;
    this.#condition = condition;
    this.#paces = paces;
    this.#blocks = blocks;
    this.#costs = costs;
    this.#data = data;
    this.#static = seconds;
  }

  async at(ranking: SettledRanking, condition: Condition, known: Known) {
    const { settled, opened, folder = "", call } = this.#work;
    const row = new WorkLeft("ranking", opened.name, `${ranking.name}${on(condition, settled)}`);
    const key = rankingKey(settled, opened, ranking, this.#condition);
    const took = known.seconds(key);
    const before = known.value(key, failureSchema.or(rankedSchema));
    if (took !== undefined && before !== undefined) {
      row.took(took);
      return { row, ranked: isFailure(before) ? undefined : before, exact: true };
    }
    row.steps = 1;
    const seed = settled.seed + condition.draw;
    const rankWork = {
      opened,
      condition,
      removals: settled.removals,
      exportable: settled.exportable,
      costs: this.#costs as UnitCosts,
      seed,
      folder,
      call: { signal: call.signal, timeoutMs: call.timeoutMs },
    };
    const dry = await dryRun(ranking, rankWork, this.#data);
    await this.#add(row, ranking, dry);
    return { row, ranked: dry.ranked, exact: dry.exact };
  }

  async #add(row: WorkLeft, ranking: SettledRanking, dry: Dry): Promise<void> {
    const condition = this.#condition;
    row.untold = dry.untold;
    row.bytes += 2 * unitBytes * dry.ranked.units.length;
    for (const look of dry.looks) await this.#addLook(row, ranking, look);
    const static_ = this.#static * dry.passes.static;
    row.takes({ seconds: static_, low: static_, high: static_ });
    // Rankings by gradients share one pass; a search makes its own.
    const shared = ranking.by === "influence" && this.#gradients > 0;
    const passes = shared ? 0 : dry.passes.gradients;
    if (ranking.by === "influence") this.#gradients += dry.passes.gradients;
    if (passes > 0) row.takes(times(await this.#paces.gradients(condition), passes));
    const read = dry.passes.static + passes;
    if (read > 0) row.addTokens(read * condition.measured.info.tokens);
    if (dry.fits > 0) row.takes(await this.#fits(ranking, dry));
  }

  async #addLook(row: WorkLeft, ranking: SettledRanking, { data, batches }: LookedAt): Promise<void> {
    const seen = this.#seen.get(data) ?? new Set<string>();
    this.#seen.set(data, seen);
    let pace: ForwardPace | undefined;
    for (const batch of batches) {
      const sets = this.#blocks
        .distinct(batch.map((removed) => this.#blocks.coalition(removed)))
        .filter(({ key }) => !seen.has(key));
      if (sets.length === 0) continue;
      pace ??= await this.#pace(data, ranking);
      for (const { key } of sets) seen.add(key);
      const count = this.#blocks.of(sets, pace.batches);
      row.subnetworks += sets.length;
      row.addBlocks(count * pace.batches);
      row.addTokens(sets.length * data.info.tokens);
      row.bytes += setBytes * sets.length;
      row.takes(times(pace.block, count));
      row.takes(times(pace.head, sets.length));
    }
  }

  #pace(data: Corpus | Task, ranking: SettledRanking): Promise<ForwardPace> {
    const precision = "precision" in ranking ? ranking.precision : undefined;
    return data instanceof Task
      ? this.#paces.onQuestions(data, ranking, precision)
      : this.#paces.onText(data, this.#condition, precision);
  }

  async #fits(ranking: SettledRanking, { ranked, fits }: Dry): Promise<Span> {
    const repair = "repair" in ranking ? ranking.repair : undefined;
    if (repair === undefined) return nothing;
    const { opened, call } = this.#work;
    const sets = ranked.sets.map(({ removed }) => removed).filter(({ length }) => length > 0);
    const pace = await repairPace(opened, this.#condition, [repair], sets, call);
    return pace?.seconds(fits) ?? nothing;
  }
}
