/** The characters that a TrueType file has glyphs for, read from its `cmap` table (formats 4 and 12). */
export function charactersOf(font: Uint8Array): Set<number> {
  const view = new DataView(font.buffer, font.byteOffset, font.byteLength);
  const table = tableAt(view, "cmap");
  const found = new Set<number>();
  for (let index = 0; index < view.getUint16(table + 2); index++) {
    const start = table + view.getUint32(table + 8 + index * 8);
    const format = view.getUint16(start);
    if (format === 4) addSegments(view, start, found);
    if (format === 12) addGroups(view, start, found);
  }
  return found;
}

function tableAt(view: DataView, name: string): number {
  for (let index = 0; index < view.getUint16(4); index++) {
    const entry = 12 + index * 16;
    const tag = [0, 1, 2, 3].map((byte) => String.fromCharCode(view.getUint8(entry + byte))).join("");
    if (tag === name) return view.getUint32(entry + 8);
  }
  throw new RangeError(`the font has no table ${name}`);
}

function addSegments(view: DataView, start: number, found: Set<number>): void {
  const size = view.getUint16(start + 6);
  for (let at = 0; at < size; at += 2) {
    const last = view.getUint16(start + 14 + at);
    const first = view.getUint16(start + 16 + size + at);
    // The last segment of every font ends the list and holds nothing.
    if (first === 0xffff) continue;
    for (let code = first; code <= last; code++) found.add(code);
  }
}

function addGroups(view: DataView, start: number, found: Set<number>): void {
  for (let index = 0; index < view.getUint32(start + 12); index++) {
    const group = start + 16 + index * 12;
    for (let code = view.getUint32(group); code <= view.getUint32(group + 4); code++) found.add(code);
  }
}
