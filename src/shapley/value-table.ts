import { item, real } from "../arrays.ts";
import type { Coalition } from "../game/coalition.ts";

/** The coalitions evaluated so far, with their (capped) values. */
export class ValueTable {
  readonly width: number;
  readonly #floors: Float64Array;
  readonly #rows = new Map<string, number>();
  readonly #capped: number[];
  #data: Float64Array;

  /** `floors`: the smallest number each value may be; -Infinity for no floor. */
  constructor(floors: Float64Array) {
    this.width = floors.length;
    this.#floors = floors;
    this.#capped = new Array<number>(floors.length).fill(0);
    this.#data = new Float64Array(256 * floors.length);
  }

  get size(): number {
    return this.#rows.size;
  }

  /** How many coalitions' values were lifted to the floor, one count a value. */
  get capped(): readonly number[] {
    return [...this.#capped];
  }

  has(coalition: Coalition): boolean {
    return this.#rows.has(coalition.key);
  }

  set(coalition: Coalition, values: Float64Array): void {
    const row = this.#rows.size;
    this.#rows.set(coalition.key, row);
    if ((row + 1) * this.width > this.#data.length) {
      const larger = new Float64Array(2 * this.#data.length);
      larger.set(this.#data);
      this.#data = larger;
    }
    for (let i = 0; i < this.width; i++) {
      const value = real(values, i);
      const floor = real(this.#floors, i);
      if (value < floor) this.#capped[i] = item(this.#capped, i) + 1;
      this.#data[row * this.width + i] = Math.max(value, floor);
    }
  }

  /** Value number `value` of a coalition that has been evaluated. */
  get(coalition: Coalition, value: number): number {
    const row = this.#rows.get(coalition.key);
    if (row === undefined) throw new RangeError(`${coalition} has not been evaluated`);
    return real(this.#data, row * this.width + value);
  }
}
