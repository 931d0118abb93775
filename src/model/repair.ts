import type { z } from "zod";
import { pathFor } from "../evaluation/paths.ts";
import { type Subject, subjectParams } from "../evaluation/subject.ts";
import { aFunction, type Check, checkArgument } from "../options.ts";
import type { UnitName } from "../protocol/common.ts";
import {
  type RepairInfo,
  type RepairReport,
  repairFitOptions,
  repairMethod,
  type repairReference,
  type TrainingPoint,
  type trainingOptions,
} from "../protocol/repair.ts";
import type { CallOptions } from "../rpc/call-options.ts";
import type { Executor } from "../rpc/executor.ts";
import { Handle, heldBy } from "../rpc/handle.ts";
import { fits, optionsOf } from "../rpc/parse-params.ts";
import { workerCallChecks } from "../rpc/time-limit.ts";
import type { Corpus } from "./corpus.ts";

/** Whether a method looks at the whole model, or at the one pruned and repaired below each gap. */
export type RepairReference = z.input<typeof repairReference>;

/** How the trained methods train. */
export interface TrainingOptions extends z.input<typeof trainingOptions> {}

/** The repair methods (docs/repair.md) and their settings. */
export type RepairMethodOptions = z.input<typeof repairMethod>;

/** What `repair` takes: a method with its settings, and how it is fitted. */
export type RepairOptions = RepairMethodOptions &
  z.input<typeof repairFitOptions> &
  CallOptions & {
    /** Hears of each training step: objective, validation, tokens per second, time left. */
    onTraining?: ((point: TrainingPoint) => void) | undefined;
  };

/** That options are those of a repair, and a call's own. */
export function repairOptionsWith(own: Readonly<Record<string, Check>>): Check {
  const checked = optionsOf(repairMethod, {
    ...workerCallChecks,
    onTraining: aFunction,
    skipTokens: fits(repairFitOptions.shape.skipTokens),
    batchSize: fits(repairFitOptions.shape.batchSize),
    ...own,
  });
  return {
    ...checked,
    faults: (value, path) => checked.faults?.(toWire(value as RepairMethodOptions), path) ?? [],
  };
}

/** So that one of several is refused before the first is made. */
export const repairOptions = repairOptionsWith({});

/**
 * What stands in for removed units or heals the rest, held by the worker until it is closed, its model is, or
 * no subnetwork has it any more. Written as JSON it is its {@link RepairInfo}.
 */
export class Repair extends Handle implements RepairInfo {
  readonly method: string;
  readonly removed: readonly UnitName[];
  readonly parameters: number;
  readonly digest: string;
  readonly base: readonly string[];

  /** @internal */
  constructor(
    connection: Executor,
    repair: string,
    { method, removed, parameters, digest, base }: RepairInfo,
  ) {
    const release = () => connection.call("repair.unload", { repairs: [repair] });
    super(connection, `repair ${method}`, repair, release);
    this.method = method;
    this.removed = removed;
    this.parameters = parameters;
    this.digest = digest;
    this.base = base;
    collected.register(this, release);
  }

  /** What a record keeps of it. */
  toJSON(): RepairInfo {
    const { method, removed, parameters, digest, base } = this;
    return { method, removed, parameters, digest, base };
  }
}

/**
 * A repair that no subnetwork has any more cannot be named again, and its tensors are large. Whether the
 * worker still holds it by then is not ours to say: it may have been closed, or gone with its model or its
 * worker.
 */
const collected = new FinalizationRegistry<() => Promise<unknown>>((release) => {
  release().catch(() => {});
});

export function heldRepairs(
  connection: Executor,
  handles: readonly string[],
  infos: readonly RepairInfo[],
): Repair[] {
  return infos.map((info, index) => new Repair(connection, handles[index] ?? "", info));
}

/** Gaps are fitted `apart` each by itself in the whole model, where `on` has nothing removed. */
export async function fitRepair(
  on: Subject,
  corpus: Corpus,
  given: RepairOptions,
  apart: readonly (readonly UnitName[])[] = [],
): Promise<{ repairs: Repair[]; report: RepairReport }> {
  const { connection } = on;
  checkArgument("repair.fit", "", given, repairOptions);
  const { onTraining, signal, onProgress, timeoutMs, skipTokens, batchSize } = given;
  const held = heldBy(connection, "repair.fit", "corpus", corpus);
  const subject = {
    ...subjectParams(on),
    corpus: held,
    repair: methodOf(given, (path) => pathFor(connection, path)),
    apart,
  };
  const options = { skipTokens, batchSize, signal, onProgress, timeoutMs };
  const { result } = await connection.request("repair.fit", subject, options, { onPart: onTraining });
  return { repairs: heldRepairs(connection, result.repairs, result.report.repairs), report: result.report };
}

/** The method with its settings, as the worker takes it, without how it is fitted. */
export function methodOf(
  {
    onTraining: _,
    signal: __,
    onProgress: ___,
    timeoutMs: ____,
    skipTokens: _____,
    batchSize: ______,
    ...method
  }: RepairOptions,
  toPath?: (path: string) => string,
): RepairMethodOptions {
  return toWire(method, toPath);
}

/**
 * A checkpoint folder by its path as the worker takes it; no infinity on the wire.
 */
function toWire(
  method: RepairMethodOptions,
  toPath: (path: string) => string = (path) => path,
): RepairMethodOptions {
  if (method.method === "fold" && method.ridge === Number.POSITIVE_INFINITY)
    return { ...method, ridge: null };
  if (!("training" in method) || typeof method.training?.folder !== "string") return method;
  return { ...method, training: { ...method.training, folder: toPath(method.training.folder) } };
}
