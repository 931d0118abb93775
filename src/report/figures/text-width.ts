/**
 * How wide text is in the report's typeface, without a browser: what leaves room for labels and breaks lines.
 * Advance widths of Inter for the characters from space to tilde, in hundredths of the font size.
 */
const REGULAR = widths(
  "28 29 47 63 64 98 64 30 36 36 50 66 29 46 29 36 63 63 63 63 66 63 63 63 63 63 29 30 66 66 66 " +
    "51 97 69 65 73 72 60 59 75 74 27 57 67 57 90 75 76 64 76 64 64 65 74 69 99 68 68 63 36 36 36 " +
    "47 46 32 56 61 57 61 58 37 61 59 24 24 55 24 88 59 60 61 61 38 53 33 59 56 82 55 56 55 43 33 " +
    "43 66",
);
const BOLD = widths(
  "24 33 54 65 65 101 67 33 38 38 55 68 33 47 33 38 67 67 67 67 67 67 67 67 67 67 33 34 68 68 " +
    "68 55 101 74 66 74 72 61 59 75 75 28 58 71 57 93 76 77 65 77 65 65 66 73 74 103 73 72 66 38 " +
    "38 38 48 47 36 58 63 59 63 59 39 63 62 27 27 57 27 91 62 61 63 63 40 55 36 62 59 84 57 60 57 " +
    "46 37 46 68",
);

function widths(list: string): readonly number[] {
  return list.split(" ").map((width) => Number(width) / 100);
}

/** In pixels. A character that is not listed counts as a wide one; a wide script as a full square. */
export function textWidth(text: string, size: number, bold = false): number {
  const table = bold ? BOLD : REGULAR;
  let width = 0;
  for (const character of text) {
    const code = character === "\u00a0" ? 32 : (character.codePointAt(0) ?? 0);
    width += table[code - 32] ?? (code >= 0x2e80 ? 1.05 : code >= 0x2000 && code < 0x2030 ? 0.6 : 0.7);
  }
  return width * size;
}

/** What stands at the left of an axis needs. */
export const widthOfNames = (ticks: readonly { text: string }[]) =>
  12 + Math.max(12, ...ticks.map(({ text }) => textWidth(text, 12)));

/** Cut to a width, with an ellipsis where something is missing. */
export function fitText(text: string, width: number, size: number, bold = false): string {
  if (textWidth(text, size, bold) <= width) return text;
  const letters = [...text];
  while (letters.length > 1 && textWidth(`${letters.join("")}…`, size, bold) > width) letters.pop();
  return `${letters.join("").trimEnd()}…`;
}

/** Lines no wider than a width; a word that is wider alone is broken. */
export function wrapText(text: string, width: number, size: number, bold = false): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/).filter((word) => word !== "")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (textWidth(longer, size, bold) <= width) {
      line = longer;
      continue;
    }
    if (line !== "") lines.push(line);
    const pieces = breakWord(word, width, size, bold);
    lines.push(...pieces.slice(0, -1));
    line = pieces.at(-1) ?? "";
  }
  return line === "" ? lines : [...lines, line];
}

function breakWord(word: string, width: number, size: number, bold: boolean): string[] {
  const pieces: string[] = [];
  let piece = "";
  for (const letter of word) {
    if (piece !== "" && textWidth(piece + letter, size, bold) > width) {
      pieces.push(piece);
      piece = "";
    }
    piece += letter;
  }
  return [...pieces, piece];
}
