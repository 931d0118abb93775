import { anyOf, aString, type Checks, checkArgument, listOf, objectOf, required } from "../options.ts";

/** A column of a table in text. */
export interface Column {
  /** Its heading. */
  title: string;
  /** Numbers read best at the right. Default left. */
  align?: "left" | "right";
}

const aColumn = objectOf({
  title: required(aString),
  align: anyOf("left", "right"),
} satisfies Checks<Column>);

/** A table in plain text: a header, a rule, the rows; columns as wide as their longest cell. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  checkArgument("renderTable", "columns", columns, listOf(aColumn));
  checkArgument("renderTable", "rows", rows, listOf(listOf(aString)));
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...rows.map((row) => (row[index] ?? "").length)),
  );
  const line = (cells: readonly string[]) =>
    columns
      .map(({ align }, index) => {
        const cell = cells[index] ?? "";
        const width = widths[index] ?? 0;
        return align === "right" ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd();
  const rule = widths.map((width) => "-".repeat(width)).join("  ");
  return [line(columns.map(({ title }) => title)), rule, ...rows.map(line)].join("\n");
}
