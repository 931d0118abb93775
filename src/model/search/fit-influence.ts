import type { Subject } from "../../evaluation/subject.ts";
import type { UnitName } from "../../protocol/common.ts";
import type { CallOptions } from "../../rpc/call-options.ts";
import type { Corpus } from "../corpus.ts";
import type { GradientInfluence } from "../gradient-influence.ts";
import type { Influence } from "../influence.ts";
import { measureGradientInfluence } from "../measure-gradient-influence.ts";
import { measureInfluence } from "../measure-influence.ts";
import { fitRepair, type RepairOptions } from "../repair.ts";

/** Of which part of the model, and how the call goes. */
export interface MeasureCall extends CallOptions {
  /** What is gone already; default nothing. */
  readonly removed?: readonly UnitName[] | undefined;
  /** What stands in for it meanwhile, fitted to the same text; for what moves the stream. Default nothing. */
  readonly repair?: RepairOptions | undefined;
}

/**
 * Influence on the text that a search fits to, of the model and of what is left of it: measured when
 * something first rests on it, and then known.
 */
export class FitInfluence {
  readonly #on: Subject;
  readonly #fit: Corpus;
  readonly #static = new Map<string, Influence>();
  readonly #gradients = new Map<string, GradientInfluence>();
  #cosines = false;

  /** `known`: the whole model's static influence on `fit`, where it was measured before. */
  constructor(on: Subject, fit: Corpus, known?: Influence) {
    this.#on = on;
    this.#fit = fit;
    if (known !== undefined) this.#static.set(keyOf([], undefined), known);
  }

  /** Cosines will be asked for: the first pass over the whole model takes them along, and is the only one. */
  expectCosines(): void {
    this.#cosines = true;
  }

  /**
   * By how far each unit moves the stream; with `cosines` between all boundaries where they are asked for.
   */
  async static({ removed = [], repair, ...call }: MeasureCall, cosines = false): Promise<Influence> {
    const inPlace = removed.length === 0 ? undefined : repair;
    const key = keyOf(removed, inPlace);
    const known = this.#static.get(key);
    if (known !== undefined && (!cosines || known.data.cosines !== undefined)) return known;
    const on = { ...this.#on, removed };
    const made = inPlace && (await fitRepair(on, this.#fit, { ...inPlace, ...call }));
    try {
      const repairs = [...on.repairs, ...(made?.repairs ?? [])];
      const options = { cosines: cosines || (this.#cosines && removed.length === 0), ...call };
      const influence = await measureInfluence({ ...on, repairs }, this.#fit, options);
      this.#static.set(key, influence);
      return influence;
    } finally {
      await Promise.all(made?.repairs.map((one) => one.close()) ?? []);
    }
  }

  /** By what the loss would gain without each unit, to first order. */
  async byGradients({ removed = [], ...call }: MeasureCall): Promise<GradientInfluence> {
    const key = removed.join();
    const known = this.#gradients.get(key);
    if (known !== undefined) return known;
    const on = { ...this.#on, removed };
    const influence = await measureGradientInfluence(on, this.#fit, { metric: "taylor", ...call });
    this.#gradients.set(key, influence);
    return influence;
  }
}

const keyOf = (removed: readonly UnitName[], repair: RepairOptions | undefined): string =>
  JSON.stringify([removed, repair]);
