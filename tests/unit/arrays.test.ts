import { expect, test } from "vitest";
import { add, entry, item, lessProducts, present, real, whole } from "../../src/arrays.ts";

test("what is there is read, and added to", () => {
  const vector = Float64Array.of(1, 2);
  add(vector, 1, 3);
  expect([item(["a"], 0), real(vector, 1), whole(Uint32Array.of(7), 0)]).toEqual(["a", 5, 7]);
  expect([entry(new Map([["k", 0]]), "k"), present(0, "nothing")]).toEqual([0, 0]);
  expect(lessProducts(10, vector, 0, vector, 1, 1)).toBe(5);
});

test("what is not there is a fault, whatever is asked", () => {
  const vector = Float64Array.of(1, 2);
  for (const read of [
    () => item([1], 1),
    () => item([1], -1),
    () => real(vector, 2),
    () => add(vector, 0.5, 1),
    () => whole(Uint16Array.of(), 0),
    () => entry(new Map(), "k"),
    () => present(undefined, "the next walk"),
    () => lessProducts(0, vector, 1, vector, 0, 2),
  ]) {
    expect(read).toThrow(expect.objectContaining({ code: "INTERNAL" }));
  }
});
