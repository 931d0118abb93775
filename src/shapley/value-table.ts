import { item, real } from "../arrays.ts";
import type { Coalition } from "../game/coalition.ts";

/** The coalitions evaluated so far, with their (capped) values. */
export class ValueTable {
  readonly width: number;
  readonly #floors: Float64Array;
  readonly #rows = new Map<string, number>();
  readonly #capped: number[];
  /** By number of removed players, how many coalitions have been evaluated. */
  readonly #without: number[] = [];
  /** The least and the greatest value so far, a pair per value. */
  readonly #ranges: Float64Array;
  #data: Float64Array;

  /** `floors`: the smallest number each value may be; -Infinity for no floor. */
  constructor(floors: Float64Array) {
    this.width = floors.length;
    this.#floors = floors;
    this.#capped = new Array<number>(floors.length).fill(0);
    this.#data = new Float64Array(256 * floors.length);
    this.#ranges = Float64Array.from({ length: 2 * floors.length }, (_, i) =>
      i % 2 === 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY,
    );
  }

  get size(): number {
    return this.#rows.size;
  }

  /** How many coalitions' values were lifted to the floor, one count per value. */
  get capped(): readonly number[] {
    return [...this.#capped];
  }

  /** How many of the evaluated coalitions lack exactly `removed` players. */
  without(removed: number): number {
    return this.#without[removed] ?? 0;
  }

  /** Between what the evaluated coalitions' values lie. */
  range(value: number): { readonly least: number; readonly most: number } {
    return { least: real(this.#ranges, 2 * value), most: real(this.#ranges, 2 * value + 1) };
  }

  has(coalition: Coalition): boolean {
    return this.#rows.has(coalition.key);
  }

  set(coalition: Coalition, values: Float64Array): void {
    const row = this.#rows.size;
    this.#rows.set(coalition.key, row);
    const removed = coalition.players - coalition.size;
    this.#without[removed] = this.without(removed) + 1;
    if ((row + 1) * this.width > this.#data.length) {
      const larger = new Float64Array(2 * this.#data.length);
      larger.set(this.#data);
      this.#data = larger;
    }
    for (let i = 0; i < this.width; i++) {
      const value = real(values, i);
      const floor = real(this.#floors, i);
      if (value < floor) this.#capped[i] = item(this.#capped, i) + 1;
      const kept = Math.max(value, floor);
      this.#data[row * this.width + i] = kept;
      this.#ranges[2 * i] = Math.min(kept, real(this.#ranges, 2 * i));
      this.#ranges[2 * i + 1] = Math.max(kept, real(this.#ranges, 2 * i + 1));
    }
  }

  /** Value number `value` of a coalition that has been evaluated. */
  get(coalition: Coalition, value: number): number {
    const row = this.#rows.get(coalition.key);
    if (row === undefined) throw new RangeError(`${coalition} has not been evaluated`);
    return real(this.#data, row * this.width + value);
  }
}
