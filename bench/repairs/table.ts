/** What one method came to on one set of removed blocks. */
export interface Result {
  name: string;
  /** Mean loss of each place in the text, in nats. */
  losses: number[];
  /** That the repair took, by its own report. */
  seconds: number;
  /** Of all cores together. */
  processorSeconds: number;
}

/** Results by the number of removed blocks; the first of each is the bare removal. */
export type Results = ReadonlyMap<number, readonly Result[]>;

/** Within this many standard errors of the best a method counts as good as it. */
const TIE = 2;

/** The tables of one ranking, in Markdown. */
export function renderResults(results: Results, budgets: readonly number[]): string {
  const counts = [...results.keys()].sort((a, b) => a - b);
  const names = [...new Set(counts.flatMap((count) => results.get(count)?.map(({ name }) => name) ?? []))];
  const table = (title: string, rows: readonly string[], cell: (row: string, count: number) => string) => [
    `| ${[title, ...counts].join(" | ")} |`,
    `|---|${"---|".repeat(counts.length)}`,
    ...rows.map((row) => `| ${[row, ...counts.map((count) => cell(row, count))].join(" | ")} |`),
    "",
  ];
  const of = (name: string, count: number) => results.get(count)?.find((result) => result.name === name);
  const methods = names.slice(1);
  return [
    ...table("perplexity", names, (name, count) => {
      const result = of(name, count);
      return result === undefined ? "" : perplexity(result);
    }),
    ...table("change of the loss", methods, (name, count) => change(of(name, count), of("removed", count))),
    ...table("emulated-update's loss less that of", methods.slice(1), (name, count) =>
      change(of("emulated-update", count), of(name, count)),
    ),
    ...table("seconds", methods, (name, count) => of(name, count)?.seconds.toFixed(0) ?? ""),
    ...table(
      "processor seconds",
      methods,
      (name, count) => of(name, count)?.processorSeconds.toFixed(0) ?? "",
    ),
    ...table(
      "best within processor seconds",
      [...budgets, Number.POSITIVE_INFINITY].map(String),
      (budget, count) =>
        best(results.get(count)?.filter(({ processorSeconds }) => processorSeconds <= Number(budget)) ?? []),
    ),
  ].join("\n");
}

/** The one of the lowest loss, and in brackets those as good by the standard error of the difference. */
function best(results: readonly Result[]): string {
  const [first, ...rest] = [...results].sort((a, b) => mean(a.losses) - mean(b.losses));
  if (first === undefined) return "";
  const ties = rest.filter((result) => {
    const { value, error } = paired(result.losses, first.losses);
    return value <= TIE * error;
  });
  const others = ties.length > 0 ? ` (${ties.map(({ name }) => name).join("; ")})` : "";
  return `${first.name}${others}`;
}

function perplexity({ losses }: Result): string {
  const value = Math.exp(mean(losses));
  return value < 1000 ? value.toFixed(1) : value.toExponential(1);
}

function change(result: Result | undefined, from: Result | undefined): string {
  if (result === undefined || from === undefined) return "";
  const { value, error } = paired(result.losses, from.losses);
  return `${value < 0 ? "" : "+"}${value.toFixed(3)} ± ${error.toFixed(3)}`;
}

/** The mean difference over places, and its standard error. */
export function paired(losses: readonly number[], from: readonly number[]): { value: number; error: number } {
  const differences = losses.map((loss, place) => loss - (from[place] ?? Number.NaN));
  const value = mean(differences);
  const variance = differences.reduce((sum, each) => sum + (each - value) ** 2, 0) / (differences.length - 1);
  return { value, error: Math.sqrt(variance / differences.length) };
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
