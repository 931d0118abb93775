/** The claims of "A deeper look at depth pruning of LLMs" (arXiv 2407.16286), put to a study's record. */
import { type Comparison, type Curve, type CurvePoint, compareSubnetworks, curvesOf } from "./curves.ts";
import type { SettledRanking } from "./plan.ts";
import type { StudyRecord } from "./record.ts";

export interface ClaimVerdict {
  readonly claim: string;
  readonly verdict: "held" | "did-not-hold" | "cannot-be-told";
  /** In the measure's own units; null where it was not measured. */
  readonly difference: Comparison | null;
  /** Nats, or shares of questions. */
  readonly measure: string;
  /** What the number is, and of what. */
  readonly evidence: string;
  /** The evaluation whose curves show it. */
  readonly evaluation: string | null;
}

/** Within this of the whole model's perplexity a removal is nearly free. */
const nearlyFree = Math.log(1.1);
/** Nats within which a repair matches another. */
const matching = 0.05;

/** Each claim that the record has something to say of. */
export function claimsOf(record: StudyRecord): ClaimVerdict[] {
  const curves = curvesOf(record);
  const loss = curves.filter(({ measure }) => measure === "loss");
  const [model] = record.models;
  const depth = model?.info.depth ?? 0;
  return [
    freeOf(
      record,
      loss,
      "block",
      Math.max(1, Math.round(depth / 10)),
      "About a tenth of the blocks goes nearly free.",
    ),
    freeOf(
      record,
      loss,
      "attention",
      Math.round(depth / 3),
      "Up to a third of the attention sublayers goes nearly free.",
    ),
    tradedOff(record, curves),
    emulated(record, loss),
    ordered(record, loss, "leave-one-out", "influence", "Leave-one-out chooses blocks better than cosine."),
    ordered(
      record,
      loss,
      "values",
      "leave-one-out",
      "Shapley values choose blocks better than leave-one-out.",
    ),
  ];
}

const untold = (claim: string, evidence: string): ClaimVerdict => ({
  claim,
  verdict: "cannot-be-told",
  difference: null,
  measure: "",
  evidence,
  evaluation: null,
});

const entryOf = (record: StudyRecord, name: string): SettledRanking | undefined =>
  record.plan.rankings.find((ranking) => ranking.name === name);

function isOf(record: StudyRecord, name: string, kind: string): boolean {
  const entry = entryOf(record, name);
  return entry !== undefined && entry.by !== "order" && [entry.units].flat().join() === kind;
}

const pointAt = (curve: Curve, removal: number): CurvePoint | undefined =>
  curve.points.find((point) => point.removal === removal && point.value !== null);

/** The best of all rankings of a kind at one removal. */
function freeOf(
  record: StudyRecord,
  loss: readonly Curve[],
  kind: string,
  removal: number,
  claim: string,
): ClaimVerdict {
  const bare = loss.filter((curve) => curve.repair === null && isOf(record, curve.ranking, kind));
  const there = bare.flatMap((curve) => {
    const point = pointAt(curve, removal);
    return point?.above == null || point.low === null || point.high === null ? [] : [{ curve, point }];
  });
  const best = there.sort((a, b) => (a.point.above ?? 0) - (b.point.above ?? 0))[0];
  if (best === undefined)
    return untold(claim, `No ranking of ${kind} units was measured at ${removal} removed.`);
  const { above, low, high } = best.point as { above: number; low: number; high: number };
  const items = best.point.draws.length;
  return {
    claim,
    verdict: high < nearlyFree ? "held" : low > nearlyFree ? "did-not-hold" : "cannot-be-told",
    difference: { above, low, high, of: items },
    measure: "nats",
    evidence:
      `What the best ranking, ${best.curve.ranking}, costs at ${removal} removed on ${best.curve.evaluation}; nearly ` +
      `free is less than ${nearlyFree.toFixed(3)} nats, 10% of perplexity.`,
    evaluation: best.curve.evaluation,
  };
}

/** A choice by loss against one by accuracy, each on the other's measure. */
function tradedOff(record: StudyRecord, curves: readonly Curve[]): ClaimVerdict {
  const claim = "Adaptive metrics trade tasks off: a choice by one measure costs on another.";
  const adaptive = record.plan.rankings.filter(({ by }) => by === "leave-one-out");
  const byLoss = adaptive.find((ranking) => "on" in ranking && ranking.on === undefined);
  const byAccuracy = adaptive.find((ranking) => "on" in ranking && ranking.on !== undefined);
  const accuracy = curves.filter(({ measure, repair }) => measure === "accuracy" && repair === null);
  if (byLoss === undefined || byAccuracy === undefined || accuracy.length === 0) {
    return untold(claim, "It takes leave-one-out by loss and by accuracy, and questions to measure both on.");
  }
  const of = (list: readonly Curve[], name: string) => list.find(({ ranking }) => ranking === name);
  const loss = curves.filter(({ measure, repair }) => measure === "loss" && repair === null);
  const pairs = [
    { on: of(loss, byAccuracy.name), than: of(loss, byLoss.name), sign: 1 },
    { on: of(accuracy, byLoss.name), than: of(accuracy, byAccuracy.name), sign: -1 },
  ];
  const found = pairs.map(({ on, than, sign }) => {
    if (on === undefined || than === undefined) return null;
    const removal = Math.max(...on.points.map((point) => point.removal));
    const [one, other] = [pointAt(on, removal), pointAt(than, removal)];
    if (one === undefined || other === undefined) return null;
    const told = compareSubnetworks(record, on.evaluation, one.subnetworks, other.subnetworks);
    if (told === null) return null;
    return sign === 1 ? told : { above: -told.above, low: -told.high, high: -told.low, of: told.of };
  });
  const [inLoss, inAccuracy] = found;
  if (inLoss == null || inAccuracy == null)
    return untold(claim, "The two choices were not measured on both.");
  const costs = [inLoss, inAccuracy].map(({ low, high }) => (low > 0 ? 1 : high < 0 ? -1 : 0));
  return {
    claim,
    verdict: costs.every((cost) => cost === 1)
      ? "held"
      : costs.some((cost) => cost === -1)
        ? "did-not-hold"
        : "cannot-be-told",
    difference: inLoss,
    measure: "nats",
    evidence:
      `What choosing by accuracy costs in loss at the largest removal; choosing by loss costs ` +
      `${(100 * inAccuracy.above).toFixed(1)} points of accuracy (95% ${(100 * inAccuracy.low).toFixed(1)} to ` +
      `${(100 * inAccuracy.high).toFixed(1)}).`,
    evaluation: of(loss, byLoss.name)?.evaluation ?? null,
  };
}

/** The emulated update beside the best trained repair of the same removal. */
function emulated(record: StudyRecord, loss: readonly Curve[]): ClaimVerdict {
  const claim = "For the first blocks the emulated update matches trained repairs.";
  const methodsOf = (name: string | null) =>
    record.plan.repairs.find((one) => one.name === name)?.steps ?? [];
  const mine = loss.find(({ repair }) =>
    methodsOf(repair).some(({ method }) => method === "emulated-update"),
  );
  const trained = loss.filter(
    ({ repair, ranking }) =>
      ranking === mine?.ranking &&
      methodsOf(repair).some((step) => "training" in step && step.training !== null),
  );
  if (mine === undefined || trained.length === 0)
    return untold(claim, "It takes an emulated update beside a trained repair.");
  const removals = mine.points.map(({ removal }) => removal).filter((removal) => removal > 0);
  const removal = Math.max(...removals);
  const own = pointAt(mine, removal);
  const best = trained
    .flatMap((curve) => {
      const point = pointAt(curve, removal);
      return point === undefined ? [] : [{ curve, point }];
    })
    .sort((a, b) => (a.point.value ?? 0) - (b.point.value ?? 0))[0];
  const told =
    own === undefined || best === undefined
      ? null
      : compareSubnetworks(record, mine.evaluation, own.subnetworks, best.point.subnetworks);
  if (told === null || best === undefined)
    return untold(claim, "The repairs were not measured on the same items.");
  return {
    claim,
    verdict: told.high < matching ? "held" : told.low > matching ? "did-not-hold" : "cannot-be-told",
    difference: told,
    measure: "nats",
    evidence:
      `The emulated update's loss less that of ${best.curve.repair}, the best trained repair here, at ${removal} ` +
      `removed by ${mine.ranking}; within ${matching} nats is a match.`,
    evaluation: mine.evaluation,
  };
}

/** Whether one way to rank blocks chooses better than another, at the largest removal of both. */
function ordered(
  record: StudyRecord,
  loss: readonly Curve[],
  by: string,
  than: string,
  claim: string,
): ClaimVerdict {
  const of = (way: string) =>
    loss.find(({ ranking, repair }) => {
      const entry = entryOf(record, ranking);
      const onText = entry === undefined || !("on" in entry) || entry.on === undefined;
      return repair === null && entry?.by === way && onText && isOf(record, ranking, "block");
    });
  const [one, other] = [of(by), of(than)];
  if (one === undefined || other === undefined) return untold(claim, "It takes rankings of blocks by both.");
  const common = one.points
    .map(({ removal }) => removal)
    .filter((removal) => removal > 0 && pointAt(one, removal) && pointAt(other, removal));
  const removal = Math.max(0, ...common);
  const [mine, theirs] = [pointAt(one, removal), pointAt(other, removal)];
  const told =
    mine === undefined || theirs === undefined
      ? null
      : compareSubnetworks(record, one.evaluation, theirs.subnetworks, mine.subnetworks);
  if (told === null) return untold(claim, "The two were not measured on the same items.");
  return {
    claim,
    verdict: told.low > 0 ? "held" : told.high < 0 ? "did-not-hold" : "cannot-be-told",
    difference: told,
    measure: "nats",
    evidence:
      `What ${other.ranking} costs more than ${one.ranking} at ${removal} removed on ${one.evaluation}; they looked at ` +
      `${lookedAt(record, other.ranking)} and ${lookedAt(record, one.ranking)} subnetworks.`,
    evaluation: one.evaluation,
  };
}

/** Sets of units that a ranking looked at, in one draw. */
const lookedAt = (record: StudyRecord, ranking: string): number =>
  record.rankings.find((one) => one.ranking === ranking)?.evaluations ?? 0;
