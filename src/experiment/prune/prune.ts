import { existsSync } from "node:fs";
import { join } from "node:path";
import { item } from "../../arrays.ts";
import { DepthkitError } from "../../errors.ts";
import { objectDigest } from "../../journal/key.ts";
import { StepsFile } from "../../journal/steps-file.ts";
import { Depthkit } from "../../model/depthkit.ts";
import { RepairedSubnetwork, type Subnetwork } from "../../model/model.ts";
import { anInstance, checkArgument } from "../../options.ts";
import { packageVersion } from "../../platform/package-root.ts";
import type { UnitName } from "../../protocol/common.ts";
import { withTimeLimit } from "../../rpc/time-limit.ts";
import { meanOf, pairedDifference } from "../../selection/choice-certainty.ts";
import { withCheckpoints } from "../checkpoints.ts";
import { isItsOwn } from "../own-fault.ts";
import { checkOwnFolder } from "../own-folder.ts";
import { writeRecord } from "../write-record.ts";
import { choose, judge, repaired, repairOf } from "./contenders.ts";
import { heldOutLosses, wholeLosses } from "./judge.ts";
import { type ContenderName, contenderNames, startNames } from "./names.ts";
import { checkPruneOptions, formatOf, type PruneOptions } from "./options.ts";
import { planWork } from "./plan.ts";
import { type Beside, prove } from "./proof.ts";
import {
  type Choice,
  type PruneContender,
  type PrunePlan,
  type PruneRecord,
  pruneRecordSchema,
  type Verdict,
} from "./record.ts";
import { cannotBeSaved } from "./saving.ts";
import { baselinesOf } from "./settle.ts";
import { folderOf, openWorkspace, type Workspace } from "./workspace.ts";

/** The entry point's call of this name: `src/calls.ts` says what it does. */
export async function planPrune(kit: Depthkit, options: PruneOptions): Promise<PrunePlan> {
  return await withWorkspace("planPrune", kit, options, async (work) => await planOf(work));
}

/** The entry point's call of this name: `src/calls.ts` says what it does. */
export async function prune(kit: Depthkit, options: PruneOptions): Promise<PruneRecord> {
  return await withWorkspace("prune", kit, options, async (work) => {
    const startedAt = new Date().toISOString();
    const plan = await planOf(work);
    options.onEvent?.({ kind: "plan", plan });
    const contest = await compete(work, plan);
    const { leader, contenders } = contest;
    await using best = contest.subnetwork ?? (await repaired(work, leader.name, leader.choice.removed));
    const healing = await heal(work, best, leader);
    await using healed = healing?.subnetwork;
    const helps = healing !== undefined && healing.loss < lossOf(leader.verdict);
    const shipped = helps && healed !== undefined ? healed : best;
    const losses = helps ? healing.losses : lossesOf(leader.verdict);
    const proof = await prove(work, shipped, besideOf(work, contenders));
    const exported = await exportShipped(kit, work, shipped, leader);
    const record = pruneRecordSchema.parse({
      recordVersion: 1,
      depthkitVersion: packageVersion(),
      pythonVersion: kit.pythonVersion,
      startedAt,
      finishedAt: new Date().toISOString(),
      asked: askedOf(options),
      model: work.model.info,
      parts: {
        fit: work.fit.info,
        choose: work.chooseOn.map(({ info }) => info),
        heldOut: work.heldOut.info,
      },
      plan,
      wholeLoss: contest.wholeLoss,
      contenders: contenders.map((one) => describe(work, one, one === leader && !helps ? undefined : losses)),
      leftOut: [...contest.leftOut],
      shipped: {
        contender: leader.name,
        loss: meanOf(losses),
        healed: helps,
        repairs: [best, ...(helps && healed !== undefined ? [healed] : [])].flatMap((one) =>
          one instanceof RepairedSubnetwork ? [one.report] : [],
        ),
      },
      healing:
        healing === undefined
          ? null
          : { loss: healing.loss, against: differenceOf(healing.losses, lossesOf(leader.verdict)) },
      proof,
      export: exported,
      notes: [...new Set([...plan.notes, ...contenders.flatMap(({ choice }) => choice.notes)])],
    } satisfies PruneRecord);
    writeRecord(join(work.folder, "record.json"), record);
    return record;
  });
}

/** A contender, as it fared. */
interface Judged {
  readonly name: ContenderName;
  readonly choice: Choice;
  readonly verdict: Verdict;
}

type LeftOut = PruneRecord["leftOut"][number];

const lossesOf = ({ removed, repaired: own }: Verdict): readonly number[] => own ?? removed;
const lossOf = (verdict: Verdict): number => meanOf(lossesOf(verdict));

async function withWorkspace<T>(
  call: string,
  kit: Depthkit,
  options: PruneOptions,
  body: (work: Workspace) => Promise<T>,
): Promise<T> {
  checkArgument(call, "kit", kit, anInstance(Depthkit, "a Depthkit, as Depthkit.start() gives it"));
  checkPruneOptions(call, options);
  return await withTimeLimit(call, options, async (signal) => {
    const { timeoutMs } = options;
    const folder = folderOf(options);
    await checkOwnFolder(kit, folder, { signal, timeoutMs });
    await using steps = await StepsFile.open(join(folder, "steps.jsonl"));
    const overwrite = mayReplace(options, steps);
    await kit.checkTarget(options.out, { kind: kindOf(options), overwrite, signal, timeoutMs });
    const work = await openWorkspace(kit, { ...options, signal }, steps);
    await using _ = work.model;
    return await body(work);
  });
}

/** The step before the export: what lies there without a record is this run's own. */
const exporting = ({ out }: PruneOptions) => ({ step: "export", out });

function mayReplace(options: PruneOptions, steps: StepsFile): boolean {
  const ended = existsSync(join(folderOf(options), "record.json"));
  return options.export?.overwrite === true || (!ended && steps.knows(exporting(options)));
}

/** The cheapest baseline says how many units go, and those that look at no sets where the search starts. */
async function planOf(work: Workspace): Promise<PrunePlan> {
  const { choice } = await choose(work, "tail");
  const start: (readonly UnitName[])[] = [];
  for (const name of startNames.filter((one) => baselinesOf(work.options).includes(one))) {
    try {
      start.push((await choose(work, name)).choice.removed);
    } catch (error) {
      // It is left out of the comparison too, which says why.
      if (!isItsOwn(error)) throw error;
    }
  }
  return await planWork(work, choice.removed, start);
}

interface Contest {
  readonly leftOut: readonly LeftOut[];
  readonly contenders: readonly Judged[];
  readonly leader: Judged;
  /** What was fitted for the leader, where that was done in this run. */
  readonly subnetwork: Subnetwork | undefined;
  readonly wholeLoss: number;
}

/** Every contender's set, with the same repair, on the same held-out text. */
async function compete(work: Workspace, plan: PrunePlan): Promise<Contest> {
  const { onEvent } = work.options;
  const baselines = baselinesOf(work.options);
  const planned = new Set(plan.steps.map(({ name }) => name));
  const asked = contenderNames.filter((name) => baselines.includes(name));
  const names = asked.filter((name) => name !== "greedy" || planned.has(name));
  const whole = await wholeLosses(work);
  const contenders: Judged[] = [];
  let leader: Judged | undefined;
  let subnetwork: Subnetwork | undefined;
  const leftOut: LeftOut[] = [];
  for (const name of [...names, "search"] as const) {
    const before = contenders.map(({ choice }) => choice.removed);
    const fared = await fare(work, name, plan, before);
    if (fared instanceof DepthkitError) {
      leftOut.push({ name, code: fared.code, why: fared.message });
      continue;
    }
    const { contender, subnetwork: own } = fared;
    contenders.push(contender);
    onEvent?.({ kind: "contender", contender: describe(work, contender, undefined) });
    if (leader === undefined || lossOf(contender.verdict) < lossOf(leader.verdict)) {
      await subnetwork?.close();
      [leader, subnetwork] = [contender, own];
    } else await own?.close();
  }
  if (leader === undefined) throw nothingLeft(leftOut);
  return { contenders, leftOut, leader, subnetwork, wholeLoss: meanOf(whole) };
}

/** How a contender fares; an error of its own where its set or its repair cannot be made. */
async function fare(
  work: Workspace,
  name: ContenderName,
  plan: PrunePlan,
  before: readonly (readonly UnitName[])[],
) {
  try {
    const chosen = await choose(work, name, plan, before);
    const { verdict, subnetwork } = await judge(work, name, chosen);
    const refused = await cannotBeSaved(work, name, chosen.choice.removed, subnetwork);
    if (refused !== undefined) {
      await subnetwork?.close();
      return refused;
    }
    return { contender: { name, choice: chosen.choice, verdict }, subnetwork };
  } catch (error) {
    if (isItsOwn(error)) return error;
    throw error;
  }
}

function nothingLeft(leftOut: readonly LeftOut[]): DepthkitError {
  const { code, why } = item(leftOut, leftOut.length - 1);
  const names = leftOut.map(({ name }) => name).join(", ");
  return new DepthkitError(code, `Pruning: none of ${names} could be made. The last: ${why}`);
}

interface Healing {
  readonly subnetwork: Subnetwork;
  readonly losses: readonly number[];
  readonly loss: number;
}

async function heal(
  work: Workspace,
  best: Subnetwork,
  { name, choice }: Judged,
): Promise<Healing | undefined> {
  const { options, fit, folder, call, key } = work;
  if (options.heal === undefined) return undefined;
  const digest = objectDigest({ choice, repair: repairOf(work, name), heal: options.heal, key });
  const checkpoints = join(folder, "healing", digest.slice(0, 16));
  const subnetwork = await best.repair(fit, { ...withCheckpoints(options.heal, checkpoints), ...call });
  const [losses = []] = await heldOutLosses(work, [subnetwork], "the healed model");
  return { subnetwork, losses, loss: meanOf(losses) };
}

/** The best contender that is no result of the search, or all of them. */
function besideOf(work: Workspace, contenders: readonly Judged[]): Beside[] {
  const byLoss = [...contenders].sort((a, b) => lossOf(a.verdict) - lossOf(b.verdict));
  const all = work.options.evaluate?.beside === "all";
  const chosen = all ? contenders : byLoss.filter(({ name }) => name !== "search").slice(0, 1);
  return chosen.map(({ name, choice }) => ({
    contender: name,
    make: () => repaired(work, name, choice.removed),
  }));
}

async function exportShipped(kit: Depthkit, work: Workspace, shipped: Subnetwork, leader: Judged) {
  const { options, steps, heldOut, call } = work;
  const { out } = options;
  const overwrite = mayReplace(options, steps);
  const { signal, timeoutMs } = call;
  await kit.checkTarget(out, { kind: kindOf(options), overwrite, signal, timeoutMs });
  await steps.mark(exporting(options));
  const { sequences, length } = heldOut.info;
  const note =
    `Chosen by ${leader.choice.strategy}${leader.name === "search" ? " under repair" : ""}, the best of ` +
    `several sets of this size on ${sequences} x ${length} tokens of held-out text.`;
  const own = { overwrite, note, ...call };
  const asked = options.export;
  return asked?.format === "gguf" || asked?.format === "onnx"
    ? await shipped.export(out, { ...asked, ...own })
    : await shipped.export(out, { ...asked, format: "huggingface", ...own });
}

const kindOf = (options: PruneOptions) => (formatOf(options) === "gguf" ? "gguf" : "export");

/** As the record has it: how much higher the one's losses are, over the same sequences. */
function differenceOf(losses: readonly number[], than: readonly number[]) {
  const { mean: nats, standardError } = pairedDifference(losses, than);
  return { nats, standardError };
}

function describe(
  work: Workspace,
  { name, choice, verdict }: Judged,
  shipped: readonly number[] | undefined,
): PruneContender {
  return {
    name,
    repair: repairOf(work, name)?.method ?? null,
    ...choice,
    removedLoss: meanOf(verdict.removed),
    repairedLoss: verdict.repaired === null ? null : meanOf(verdict.repaired),
    againstShipped: shipped === undefined ? null : differenceOf(lossesOf(verdict), shipped),
  };
}

const notAsked = ["out", "folder", "signal", "timeoutMs", "onProgress", "onEvent"];

/** What decided the result, as JSON holds it. */
function askedOf(options: PruneOptions): Record<string, unknown> {
  const asked = Object.entries(options).filter(([name]) => !notAsked.includes(name));
  return JSON.parse(JSON.stringify(Object.fromEntries(asked))) as Record<string, unknown>;
}
