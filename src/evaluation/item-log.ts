import type { StoredValue, ValuesFile } from "../journal/values-file.ts";
import type { Params } from "../protocol/methods.ts";
import type { Tensor, TensorRef } from "../protocol/tensor.ts";

type Known = Params<"evaluation.choices">["known"];
type TensorOf = (reference: TensorRef) => Tensor;

/**
 * What an evaluation found of its items, in a journal: its calls name what is known already, and what they
 * find is written as it comes.
 */
export class ItemLog {
  readonly #file: ValuesFile;
  readonly #known: Map<string, StoredValue>;
  #written: Promise<void> = Promise.resolve();
  #failure: unknown;
  readonly #found = new Set<string>();

  constructor(file: ValuesFile) {
    this.#file = file;
    this.#known = new Map([...file.entries()].map((entry) => [entry.key, entry]));
  }

  /** Items found by the call, beside those that were known. */
  get found(): number {
    return this.#found.size;
  }

  /** Params and options for a call that goes on from what is known of its first `items` items. */
  resume(items = Number.POSITIVE_INFINITY) {
    const { known, tensors } = this.#knownOf(items);
    return {
      known,
      tensors,
      onPart: (part: NonNullable<Known>, tensor: TensorOf) => this.#write(part, tensor),
      // After a crash it goes on from what it had found by then.
      again: () => {
        const { known, tensors } = this.#knownOf(items);
        return { params: { known }, tensors };
      },
    };
  }

  #knownOf(items: number): { known: Known; tensors: Tensor[] } {
    const known = [...this.#known.values()].filter(({ key }) => Number(key) < items);
    const ends: number[] = [];
    for (const { value } of known) ends.push((ends.at(-1) ?? 0) + value.length);
    const tensors = [
      vector(Uint32Array.from(known, ({ key }) => Number(key))),
      vector(Uint32Array.from(ends)),
      vector(Float64Array.from(known.flatMap(({ value }) => [...value]))),
    ];
    return { known: { items: { tensor: 0 }, ends: { tensor: 1 }, values: { tensor: 2 } }, tensors };
  }

  /** Waits until all that was found is in the journal. */
  async settled(): Promise<void> {
    await this.#written;
    if (this.#failure !== undefined) throw this.#failure;
  }

  #write(part: NonNullable<Known>, tensor: TensorOf): void {
    // A journal that cannot be written fails the call: what it goes on to find would be lost.
    if (this.#failure !== undefined) throw this.#failure;
    const ends = Array.from(tensor(part.ends).data);
    const values = Float64Array.from(tensor(part.values).data);
    const entries = Array.from(tensor(part.items).data, (item, place) => ({
      key: String(item),
      value: values.slice(ends[place - 1] ?? 0, ends[place]),
    }));
    for (const { key } of entries) this.#found.add(key);
    // What is no finite number has no form in the journal; it is found again.
    const writable = entries.filter((entry) => entry.value.every(Number.isFinite));
    for (const entry of writable) this.#known.set(entry.key, entry);
    this.#written = this.#file.append(writable).catch((error: unknown) => {
      this.#failure = error;
    });
  }
}

/** How a call is made that keeps no log. */
export const unlogged = { known: null } as const;

function vector<T extends Float64Array | Uint32Array>(data: T) {
  const dtype = data instanceof Float64Array ? "float64" : "uint32";
  return { dtype, shape: [data.length], data } as Tensor;
}
