/**
 * The two typefaces of a report, cut down to the characters that it uses: the same look everywhere, offline.
 * Both are under the Open Font License, which allows it.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { charactersOf } from "./font-coverage.ts";

const require = createRequire(import.meta.url);

const families = {
  sans: { file: "inter", ranges: () => require.resolve("@fontsource-variable/inter/unicode.json") },
  serif: {
    file: "source-serif-4",
    ranges: () => require.resolve("@fontsource-variable/source-serif-4/unicode.json"),
  },
} as const;

type FamilyName = keyof typeof families;

/** Between the weight of text and the weight of headings. */
const WEIGHTS = { min: 400, max: 650 };

/** One file of a family: the characters that it has, and those that a text needs of them. */
interface Part {
  readonly path: string;
  readonly used: string;
  readonly ranges: string;
}

async function partsOf(family: FamilyName, text: string): Promise<Part[]> {
  const { file } = families[family];
  const listed = families[family].ranges();
  const ranges = JSON.parse(await readFile(listed, "utf8")) as Record<string, string>;
  const characters = [...new Set(text)].sort();
  return Object.entries(ranges).flatMap(([part, range]) => {
    const used = characters.filter((character) => inRanges(character, range)).join("");
    const name = part.replace(/[[\]]/g, "");
    return used === ""
      ? []
      : [{ path: join(dirname(listed), "files", `${file}-${name}-wght-normal.woff2`), used, ranges: range }];
  });
}

function inRanges(character: string, ranges: string): boolean {
  const code = character.codePointAt(0) ?? 0;
  return ranges.split(",").some((range) => {
    const [first = "", last = first] = range.trim().replace("U+", "").split("-");
    return code >= Number.parseInt(first, 16) && code <= Number.parseInt(last, 16);
  });
}

async function cut(
  part: Part,
  options: { targetFormat: "woff2" | "sfnt"; wght: number | typeof WEIGHTS },
): Promise<Uint8Array> {
  const { default: subsetFont } = await import("subset-font");
  return subsetFont(await readFile(part.path), part.used, {
    targetFormat: options.targetFormat,
    variationAxes: { wght: options.wght },
  });
}

/** A typeface cut to a text, as a style sheet takes it. */
export interface FontPart {
  readonly source: string;
  readonly ranges: string;
}

export async function cutFont(family: FamilyName, text: string): Promise<FontPart[]> {
  const parts = await partsOf(family, text);
  return Promise.all(
    parts.map(async (part) => {
      const bytes = await cut(part, { targetFormat: "woff2", wght: WEIGHTS });
      const data = Buffer.from(bytes).toString("base64");
      return { source: `url(data:font/woff2;base64,${data}) format("woff2")`, ranges: part.ranges };
    }),
  );
}

/** Rules for a style sheet that carry the typeface within themselves. */
export function fontFaces(parts: readonly FontPart[], name: string): string {
  const rules = parts.map(({ source, ranges }) => {
    const range = parts.length > 1 ? `unicode-range:${ranges};` : "";
    return `@font-face{font-family:"${name}";font-weight:400 650;font-display:swap;${range}src:${source}}`;
  });
  return rules.join("");
}

/** Files of the sans in its two weights, for as long as `use` takes: what draws pictures reads only files. */
export async function withFontFiles<T>(
  text: string,
  use: (paths: readonly string[], has: (character: string) => boolean) => T,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "depthkit-fonts-"));
  try {
    const known = new Set<number>();
    const parts = await partsOf("sans", text);
    const paths = await Promise.all(
      parts.flatMap((part, index) =>
        [WEIGHTS.min, WEIGHTS.max].map(async (wght) => {
          const font = await cut(part, { targetFormat: "sfnt", wght });
          for (const code of charactersOf(font)) known.add(code);
          const path = join(folder, `${index}-${wght}.ttf`);
          await writeFile(path, font);
          return path;
        }),
      ),
    );
    return use(paths, (character) => known.has(character.codePointAt(0) ?? 0));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
