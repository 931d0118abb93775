/** Pictures of points from a drawing, with the report's own typeface and never the machine's. */
import { withFontFiles } from "./fonts.ts";

/** Two points per pixel: sharp on paper and on dense screens. */
const ZOOM = 2;

/** @param svgs drawings with no style sheet and no variables */
export async function drawPngs(svgs: readonly string[]): Promise<Uint8Array[]> {
  const { Resvg } = await import("@resvg/resvg-js");
  return withFontFiles(svgs.map(textOf).join(""), (fontFiles, has) => {
    const font = { loadSystemFonts: false, fontFiles: [...fontFiles], defaultFontFamily: "Inter" };
    const known = (run: string) => [...run].map((one) => (has(one) ? one : instead(one))).join("");
    return svgs.map((svg): Uint8Array => {
      const drawn = asDrawn(svg).replace(/>[^<]+</g, known);
      return new Uint8Array(
        new Resvg(drawn, { font, fitTo: { mode: "zoom", value: ZOOM } }).render().asPng(),
      );
    });
  });
}

/** It knows weights by hundreds alone; of the two files of the typeface it takes the bolder one for this. */
const asDrawn = (svg: string) => svg.replaceAll('font-weight="650"', 'font-weight="700"');

/** A character that the typeface lacks would be left out without a word. The page and the CSV have it. */
const instead = (character: string) => SPELT[character] ?? "?";
const SPELT: Readonly<Record<string, string>> = {
  "≥": "&gt;=",
  "≤": "&lt;=",
  "→": "-&gt;",
  "≈": "~",
  "\n": " ",
  "\t": " ",
};

/** The words of a drawing. Entities count as their own letters, which does no harm. */
function textOf(svg: string): string {
  return [...svg.matchAll(/>([^<]+)</g)].map(([, text]) => text).join("") + PLAIN;
}

/** What every file of the typeface has, so that one that is needed for its letters alone is whole. */
const PLAIN = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).join("");
