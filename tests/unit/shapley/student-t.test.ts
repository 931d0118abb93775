import { describe, expect, it } from "vitest";
import { tQuantile, tTail } from "../../../src/shapley/student-t.ts";

describe("Student's t", () => {
  it("has the quantiles of the published tables", () => {
    // 97.5%: by degrees, as R 4.4's qt() and scipy 1.14's t.ppf print them.
    const published: [degrees: number, quantile: number][] = [
      [1, 12.706204736174698],
      [2, 4.30265272974946],
      [3, 3.182446305283708],
      [5, 2.570581835636314],
      [10, 2.228138851986273],
      [30, 2.042272456301238],
      [100, 1.983971518523552],
      [Number.POSITIVE_INFINITY, 1.959963984540054],
    ];
    for (const [degrees, quantile] of published) {
      expect(tQuantile(0.975, degrees) / quantile, `${degrees} degrees`).toBeCloseTo(1, 12);
      expect(tQuantile(0.025, degrees) / -quantile, `${degrees} degrees`).toBeCloseTo(1, 12);
    }
  });

  it("agrees with the closed forms of 1, 2 and 4 degrees, far into the tail", () => {
    expect(tQuantile(0.5, 3)).toBe(0);
    for (const p of [0.6, 0.9, 0.99, 0.9999, 1 - 1e-9]) {
      const a = 4 * p * (1 - p);
      expect(tQuantile(p, 1) * Math.tan(Math.PI * (1 - p))).toBeCloseTo(1, 9);
      expect(tQuantile(p, 2) / ((2 * p - 1) * Math.sqrt(2 / a))).toBeCloseTo(1, 9);
      // Shaw 2006, equation 36.
      const q = Math.cos(Math.acos(Math.sqrt(a)) / 3) / Math.sqrt(a);
      expect(tQuantile(p, 4) / (2 * Math.sqrt(q - 1))).toBeCloseTo(1, 7);
    }
  });

  it("meets the normal distribution without a step, whose tail is right to twelve digits", () => {
    // erfc(z / sqrt 2) / 2, from Abramowitz and Stegun's table 26.1 and its continuation.
    expect(tTail(1, Number.POSITIVE_INFINITY)).toBeCloseTo(0.158655253931457, 14);
    expect(tTail(5, Number.POSITIVE_INFINITY) / 2.866515718791939e-7).toBeCloseTo(1, 12);
    expect(tTail(-1, Number.POSITIVE_INFINITY)).toBeCloseTo(1 - 0.158655253931457, 14);
    expect(tTail(3, 100_001) / tTail(3, 99_999)).toBeCloseTo(1, 8);
    expect(tQuantile(0.975, 1e12)).toBeCloseTo(1.959963984540054, 11);
  });

  it("is undone by its own tail, for whole degrees and others", () => {
    for (const degrees of [1, 1.5, 2.7, 8, 33.3, 400, 5e4]) {
      for (const p of [0.6, 0.95, 0.999, 1 - 1e-7]) {
        expect(tTail(tQuantile(p, degrees), degrees) / (1 - p)).toBeCloseTo(1, 9);
      }
    }
    expect(tQuantile(0.975, 0.2)).toBe(tQuantile(0.975, 1));
    expect(tQuantile(1, 5)).toBeNaN();
  });
});
