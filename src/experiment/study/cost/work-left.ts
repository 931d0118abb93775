/** Rows of a study's cost, filled step by step. */
import { type CostRow, costedKinds } from "./schema.ts";
import { exactly, nothing, plus, type Span } from "./span.ts";

export class WorkLeft {
  readonly kind: CostRow["kind"];
  readonly model: string;
  readonly what: string;
  steps = 0;
  known = 0;
  subnetworks = 0;
  blockEvaluations: number | null = null;
  tokens: number | null = null;
  bytes = 0;
  exact = true;
  untold: string | null = null;
  note: string | null = null;
  #left = nothing;
  #done = nothing;

  constructor(kind: CostRow["kind"], model: string, what: string) {
    this.kind = kind;
    this.model = model;
    this.what = what;
  }

  /** A step that took so long, and costs nothing any more. */
  took(seconds: number): void {
    this.steps += 1;
    this.known += 1;
    this.#done = plus(this.#done, exactly(seconds));
  }

  takes(span: Span): void {
    this.#left = plus(this.#left, span);
  }

  addBlocks(count: number): void {
    this.blockEvaluations = (this.blockEvaluations ?? 0) + count;
  }

  addTokens(count: number): void {
    this.tokens = (this.tokens ?? 0) + count;
  }

  /** With what is done already. */
  get whole(): Span {
    return plus(this.#left, this.#done);
  }

  get left(): Span {
    return this.#left;
  }

  get row(): CostRow {
    const { kind, model, what, steps, known, subnetworks, blockEvaluations, tokens, exact, untold } = this;
    const told = untold === null;
    const { seconds, low, high } = this.#left;
    return {
      kind,
      model,
      what,
      steps,
      known,
      subnetworks,
      blockEvaluations,
      tokens,
      bytes: Math.round(this.bytes),
      exact,
      seconds: told ? seconds : null,
      low: told ? low : null,
      high: told ? high : null,
      note: untold ?? this.note,
    };
  }
}

export const inOrder = (rows: readonly WorkLeft[]): WorkLeft[] =>
  [...rows].sort((a, b) => costedKinds.indexOf(a.kind) - costedKinds.indexOf(b.kind));
