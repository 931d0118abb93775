/**
 * How long a report takes to draw and how large its page is: 30 blocks, 8 rankings, 10 counts and every kind
 * of figure, made up. The first is that of a program that has drawn nothing before.
 */
import { formatBytes, type ReportFiles, renderReport, renderTable } from "../src/report/index.ts";
import { sampleDocument } from "../tests/unit/report/sample-document.ts";

const GOAL = { seconds: 3, bytes: 2_000_000 };

async function timed() {
  const before = process.cpuUsage();
  const start = performance.now();
  const files = await renderReport(sampleDocument);
  const { user, system } = process.cpuUsage(before);
  return { files, seconds: (performance.now() - start) / 1000, work: (user + system) / 1e6 };
}

const sizeOf = (files: ReportFiles) => files.get("report.html")?.length ?? 0;
const [first, second] = [await timed(), await timed()];
const columns = ["", "seconds", "of work", "page", "goal"];
const rows = [
  [
    "first",
    first.seconds.toFixed(2),
    first.work.toFixed(2),
    formatBytes(sizeOf(first.files)),
    `< ${GOAL.seconds} s`,
  ],
  [
    "again",
    second.seconds.toFixed(2),
    second.work.toFixed(2),
    formatBytes(sizeOf(second.files)),
    `< ${formatBytes(GOAL.bytes)}`,
  ],
];
console.log(
  renderTable(
    columns.map((title, index) => ({ title, align: index === 0 ? "left" : "right" })),
    rows,
  ),
);
process.exitCode = first.seconds > GOAL.seconds || sizeOf(first.files) > GOAL.bytes ? 1 : 0;
