import { DepthkitError } from "../errors.ts";
import type { Subject } from "../evaluation/subject.ts";
import type { UnitKind } from "../protocol/common.ts";
import type { GradientMetric } from "../protocol/influence.ts";
import { unitKinds } from "../protocol/names.ts";
import { heldBy } from "../rpc/handle.ts";
import type { Corpus } from "./corpus.ts";
import {
  GradientInfluence,
  type GradientInfluenceData,
  type GradientInfluenceOptions,
  type GradientTable,
} from "./gradient-influence.ts";

/** Asks the worker for both metrics of all units at once, and lays its arrays out by name. */
export async function measureGradientInfluence(
  { connection, handle, info: { depth, absent }, removed }: Subject,
  corpus: Corpus,
  { units, metric, ...options }: GradientInfluenceOptions,
): Promise<GradientInfluence> {
  const held = heldBy(connection, "influence.gradients", "corpus", corpus);
  const subject = { model: handle.on(connection), removed, corpus: held };
  const { result, tensor } = await connection.request("influence.gradients", subject, options);
  const row = (values: ArrayLike<number>, number: number) =>
    Array.from({ length: depth }, (_, index) => at(values, number * depth + index));
  const table = <T>(values: ArrayLike<number>, convert: (value: number) => T): GradientTable<T> =>
    byKind((kind) => {
      const first = result.kinds.indexOf(kind) * result.metrics.length;
      const of = (name: GradientMetric) => row(values, first + result.metrics.indexOf(name)).map(convert);
      return { taylor: of("taylor"), gate: of("gate") } satisfies Record<GradientMetric, T[]>;
    });
  const weights = tensor(result.weights).data;
  const data: GradientInfluenceData = {
    depth,
    values: table(tensor(result.values).data, (value) => value),
    standardErrors: table(tensor(result.standardErrors).data, (value) =>
      Number.isNaN(value) ? null : value,
    ),
    weights: byKind((kind) => row(weights, result.kinds.indexOf(kind))),
    loss: result.loss,
    sequences: result.sequences,
    tokens: result.tokens,
    seconds: result.seconds,
    ...(absent.length === 0 ? {} : { absent }),
  };
  return new GradientInfluence(data, metric, units);
}

function byKind<V>(value: (kind: UnitKind) => V): Record<UnitKind, V> {
  return Object.fromEntries(unitKinds.map((kind) => [kind, value(kind)])) as Record<UnitKind, V>;
}

function at(values: ArrayLike<number>, index: number): number {
  const value = values[index];
  if (value === undefined) throw new DepthkitError("INTERNAL", `There is no value at ${index}.`);
  return value;
}
