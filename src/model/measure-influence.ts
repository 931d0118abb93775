import { type Subject, subjectParams } from "../evaluation/subject.ts";
import { anOptionsObject } from "../options.ts";
import { type GradientMetric, influenceChoice, influenceView } from "../protocol/influence.ts";
import { gradientMetrics, influenceMetrics, unitKinds } from "../protocol/names.ts";
import { heldBy } from "../rpc/handle.ts";
import { parseParams } from "../rpc/parse-params.ts";
import type { Corpus } from "./corpus.ts";
import { Influence, type InfluenceData, type InfluenceOptions, type InfluenceTable } from "./influence.ts";

/**
 * Whether the options' metric takes gradients.
 *
 * @throws DepthkitError INVALID_ARGUMENT for a kind or a metric that is none
 */
export function byGradients<G extends { metric: GradientMetric }>(options: object | G): options is G {
  const { units, metric } = anOptionsObject("influence.measure", options) as Record<string, never>;
  // How it will be seen is refused before anything is measured.
  const choice = parseParams("influence.measure", influenceChoice, { units, metric });
  return gradientMetrics.some((name) => name === choice.metric);
}

/** Asks the worker for all metrics of all units at once, and lays its arrays out by name. */
export async function measureInfluence(
  on: Subject,
  corpus: Corpus,
  given: InfluenceOptions,
): Promise<Influence> {
  const { connection, info } = on;
  const { units, metric, ...options } = anOptionsObject("influence.measure", given);
  parseParams("influence.measure", influenceView, { units, metric });
  const held = heldBy(connection, "influence.measure", "corpus", corpus);
  const subject = { ...subjectParams(on), corpus: held };
  const { result, tensor } = await connection.request("influence.measure", subject, options);
  const { depth } = info;
  const rows = (values: ArrayLike<number>, from: number) =>
    Array.from({ length: depth }, (_, l) => values[from + l] ?? 0);
  const table = <T>(values: ArrayLike<number>, convert: (value: number) => T): InfluenceTable<T> =>
    record(unitKinds, (kind) =>
      record(influenceMetrics, (name) => {
        const row = result.kinds.indexOf(kind) * result.metrics.length + result.metrics.indexOf(name);
        return rows(values, row * depth).map(convert);
      }),
    );
  const angular = tensor(result.angular).data;
  const data: InfluenceData = {
    depth,
    values: table(tensor(result.values).data, (value) => value),
    standardErrors: table(tensor(result.standardErrors).data, (value) =>
      Number.isNaN(value) ? null : value,
    ),
    angular: Array.from({ length: depth }, (_, n) => rows(angular, n * depth).slice(0, depth - n)),
    ...(result.cosines === null ? {} : { cosines: square(tensor(result.cosines).data, depth + 1) }),
    angularTokens: result.angularTokens,
    skipFirstTokens: result.skipFirstTokens,
    sequences: result.sequences,
    tokens: result.tokens,
    seconds: result.seconds,
    ...(info.absent.length === 0 ? {} : { absent: info.absent }),
  };
  return new Influence(data, units, metric);
}

function square(values: ArrayLike<number>, size: number): number[][] {
  return Array.from({ length: size }, (_, row) =>
    Array.from({ length: size }, (_, column) => values[row * size + column] ?? 0),
  );
}

function record<K extends string, V>(keys: readonly K[], value: (key: K) => V): Record<K, V> {
  return Object.fromEntries(keys.map((key) => [key, value(key)])) as Record<K, V>;
}
