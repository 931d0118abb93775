/** Influence that stands in for what is not measured yet: the measured cosine, a little off. */
import { item } from "../../../arrays.ts";
import type { Subject } from "../../../evaluation/subject.ts";
import type { Corpus } from "../../../model/corpus.ts";
import type { GradientInfluence } from "../../../model/gradient-influence.ts";
import { Influence, type InfluenceData } from "../../../model/influence.ts";
import { FitInfluence, type MeasureCall } from "../../../model/search/fit-influence.ts";
import { unitKinds } from "../../../protocol/names.ts";
import { randomStream } from "../../../shapley/random.ts";
import type { StaticInfluence } from "../model-study.ts";

/** How far a guessed score is from the cosine at most, as a share: rankings agree, but not wholly. */
const off = 0.5;

/** Gives guesses in place of measuring, and counts what would have been measured. */
export class GuessedInfluence extends FitInfluence {
  readonly #influence: Influence;
  readonly #static = new Set<string>();
  readonly #gradients = new Set<string>();

  /** `name`: of the ranking, so that two of them guess different orders, and the same one always the same. */
  constructor(on: Subject, fit: Corpus, measured: StaticInfluence, name: string) {
    const influence = new Influence(guessed(measured, name));
    super(on, fit, influence);
    this.#influence = influence;
  }

  /** Passes over the text that the study has not made before. */
  get passes(): { readonly static: number; readonly gradients: number } {
    return { static: this.#static.size, gradients: this.#gradients.size };
  }

  override async static({ removed = [] }: MeasureCall, cosines = false): Promise<Influence> {
    // The whole model's is known by then, but for the cosines between all boundaries.
    if (removed.length > 0 || cosines) this.#static.add(`${removed.join()} ${cosines}`);
    return this.#influence;
  }

  override async byGradients({ removed = [] }: MeasureCall): Promise<GradientInfluence> {
    this.#gradients.add(removed.join());
    const { values, depth } = this.#influence.data;
    const each = <T>(of: (kind: (typeof unitKinds)[number]) => T) =>
      Object.fromEntries(unitKinds.map((kind) => [kind, of(kind)]));
    const cosines = each((kind) => ({ taylor: values[kind].cosine, gate: values[kind].cosine }));
    const weights = each(() => new Array(depth).fill(1));
    // Of all that it has a score takes these two.
    return { data: { values: cosines, weights } } as unknown as GradientInfluence;
  }
}

function guessed(measured: StaticInfluence, name: string): InfluenceData {
  const random = randomStream(0, name);
  const factors = Array.from({ length: measured.depth }, () => 1 + off * (random.uniform() - 0.5));
  const values = Object.fromEntries(
    Object.entries(measured.values).map(([kind, metrics]) => [
      kind,
      Object.fromEntries(
        Object.entries(metrics).map(([metric, of]) => [
          metric,
          of.map((value, at) => value * item(factors, at)),
        ]),
      ),
    ]),
  );
  return { ...measured, values, cosines: cosinesOf(measured), seconds: 0 } as InfluenceData;
}

/** Between boundaries, from the angles across blocks. */
function cosinesOf({ depth, angular }: StaticInfluence): number[][] {
  const between = (low: number, high: number) =>
    low === high ? 1 : Math.cos(Math.PI * item(item(angular, high - low - 1), low));
  return Array.from({ length: depth + 1 }, (_, one) =>
    Array.from({ length: depth + 1 }, (_, other) => between(Math.min(one, other), Math.max(one, other))),
  );
}
