/** Colours that can be read, in light and in dark. */
import { expect, test } from "vitest";
import { resolveTheme, themes, variablesOf } from "../../../src/report/themes.ts";

/** Relative luminance, as the guidelines for accessible pages define it. */
function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

test.each(["light", "dark"] as const)("%s: words reach a contrast of 4.5, grey lines of 3", (name) => {
  const { bg, ink, mute, blue, orange, green, violet, grey, on } = themes[name];
  for (const words of [ink, mute, blue, orange, green, violet]) {
    expect(contrast(words, bg), words).toBeGreaterThanOrEqual(4.5);
  }
  expect(contrast(grey, bg)).toBeGreaterThanOrEqual(3);
  // Numbers on cells of full colour.
  for (const cell of [blue, orange]) expect(contrast(on, cell), cell).toBeGreaterThanOrEqual(4.5);
});

test("both themes name the same roles, and a file takes the colours of one", () => {
  expect(Object.keys(themes.dark)).toEqual(Object.keys(themes.light));
  expect(variablesOf("light")).toContain("--blue:#1f64b0");
  expect(resolveTheme("<a fill='var(--blue)'/>", "dark")).toBe("<a fill='#78b4f4'/>");
});
