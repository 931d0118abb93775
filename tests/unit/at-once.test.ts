import { setTimeout as after } from "node:timers/promises";
import { expect, test } from "vitest";
import { atOnce } from "../../src/at-once.ts";

/** Work that ends when it is let, with what was under way at any time. */
function gated() {
  const ends = new Map<number, () => void>();
  const begun: number[] = [];
  const work = async (item: number): Promise<number> => {
    begun.push(item);
    await new Promise<void>((resolve) => ends.set(item, resolve));
    ends.delete(item);
    return item * 10;
  };
  return { work, begun, under: () => [...ends.keys()], end: (item: number) => ends.get(item)?.() };
}

test("as many run as may, begun in order, and results keep their places", async () => {
  const { work, begun, under, end } = gated();
  const results = atOnce([1, 2, 3, 4], 2, work);
  await after(0);
  expect(under()).toEqual([1, 2]);
  end(2);
  await expect.poll(under).toEqual([1, 3]);
  end(3);
  await expect.poll(under).toEqual([1, 4]);
  end(4);
  end(1);
  expect(await results).toEqual([10, 20, 30, 40]);
  expect(begun).toEqual([1, 2, 3, 4]);
  expect(await atOnce([], 3, work)).toEqual([]);
  expect(begun).toHaveLength(4);
});

test("a failure stops the others, is told when they have ended, and no more are begun", async () => {
  const told: string[] = [];
  const work = async (item: number, signal: AbortSignal) => {
    told.push(`begun ${item}`);
    if (item === 2) throw new Error("the second");
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    await after(5);
    told.push(`ended ${item}`);
    throw new Error("stopped");
  };
  await expect(atOnce([1, 2, 3], 2, work)).rejects.toThrow("the second");
  expect(told).toEqual(["begun 1", "begun 2", "ended 1"]);
});

test("the caller's signal reaches all of them", async () => {
  const caller = new AbortController();
  const work = (item: number, signal: AbortSignal) =>
    new Promise<number>((_, reject) =>
      signal.addEventListener("abort", () => reject(new Error(`${item}: ${signal.reason}`))),
    );
  const results = atOnce([1, 2], 2, work, caller.signal);
  caller.abort("enough");
  await expect(results).rejects.toThrow("1: enough");
});
