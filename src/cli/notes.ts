/** What a result has to add, each once, as lines for a person to read. */
export function noteLines(notes: readonly string[]): string[] {
  return [...new Set(notes)].map((note) => `Note: ${note}`);
}
