/** What a study will cost, for people to read in a terminal. */
import type { StudyCost } from "../index.ts";
import { formatBytes, formatCount, formatSeconds, renderTable } from "../report/index.ts";
import { noteLines } from "./notes.ts";

export function describeCost(cost: StudyCost): string {
  const { rows, subnetworks, blockEvaluations, tokens, bytes, seconds, low, high, untold, devices } = cost;
  const several = new Set(rows.map(({ model }) => model)).size > 1;
  const right = (title: string) => ({ title, align: "right" as const });
  const columns = [
    { title: "what" },
    right("steps"),
    right("done"),
    right("sets"),
    right("blocks"),
    right("tokens"),
    right("time"),
  ];
  const lines = rows.map((row) => [
    `${row.kind} ${row.what}${several ? ` (${row.model})` : ""}`,
    String(row.steps),
    String(row.known),
    `${row.exact ? "" : "~"}${row.subnetworks}`,
    row.blockEvaluations === null ? "" : formatCount(Math.round(row.blockEvaluations)),
    row.tokens === null ? "" : formatCount(row.tokens),
    row.seconds === null ? "not told" : formatSeconds(row.seconds),
  ]);
  const steps = rows.reduce((sum, row) => sum + row.steps, 0);
  const known = rows.reduce((sum, row) => sum + row.known, 0);
  const total = [
    "in all",
    String(steps),
    String(known),
    "",
    formatCount(Math.round(blockEvaluations)),
    formatCount(tokens),
    formatSeconds(seconds),
  ];
  const { expected, most } = subnetworks;
  const different = expected === most ? formatCount(most) : `about ${expected}, at most ${most}`;
  const notes = rows.flatMap(({ what, note, seconds: told }) =>
    note === null || told === null ? [] : [`${what}: ${note}`],
  );
  return [
    renderTable(columns, [...lines, total]),
    "",
    `${different} different subnetworks. Sets with ~ are guessed by cosine: their ranking is not made yet.`,
    `About ${formatBytes(bytes)} on disk.`,
    `On ${devices.join(", ")}: ${formatSeconds(seconds)}, from ${formatSeconds(low)} to ` +
      `${formatSeconds(high)} by the fastest and the slowest of the sample; loading is not counted.`,
    ...noteLines([...notes, ...untold.map((one) => `The time does not count ${one}.`)]),
  ].join("\n");
}
