/** Whether other ways to choose blocks, and networks in their place, beat what they are compared with. */
import type { StudyRecord } from "depthkit";
import type { Verdict } from "depthkit/report";
import { type Measured, verdictOf } from "./verdict.ts";

/**
 * The loss of the second less that of the first on every text, paired by chunk; negative: the second is
 * better.
 */
function beside(record: StudyRecord, one: Point, other: Point): Measured[] | undefined {
  const [first, second] = [subnetworkOf(record, one), subnetworkOf(record, other)];
  const found = record.plan.evaluations.map(({ name: text }) => {
    const lossesOf = (id: string | null | undefined) =>
      record.results.find(({ subnetwork, evaluation }) => subnetwork === id && evaluation === text)
        ?.perItem ?? [];
    const [mine, theirs] = [lossesOf(first), lossesOf(second)];
    const differences = mine.map((loss, chunk) => (theirs[chunk] ?? Number.NaN) - (loss ?? Number.NaN));
    if (differences.length < 2 || differences.some(Number.isNaN)) return undefined;
    const difference = meanOf(differences);
    const variance = meanOf(differences.map((value) => (value - difference) ** 2));
    return { text, difference, standardError: Math.sqrt(variance / (differences.length - 1)) };
  });
  const whole = found.filter((one) => one !== undefined);
  return whole.length === found.length ? whole : undefined;
}

interface Point {
  readonly ranking: string;
  readonly removal: number;
  readonly repair: string | null;
}

const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

const subnetworkOf = (record: StudyRecord, { ranking, removal, repair }: Point) =>
  record.points.find((one) => one.ranking === ranking && one.removal === removal && one.repair === repair)
    ?.subnetwork;

export function choicesOf(record: StudyRecord): Verdict[] {
  const { rankings, removals, repairs } = record.plan;
  if (!Array.isArray(removals)) throw new Error("The plan removes shares; these claims are about counts.");
  const [fewest = 1, most = fewest] = removals;
  const controls = ["cosine", "tail", "random"];
  const published = rankings.map(({ name }) => name).filter((name) => !controls.includes(name));
  const claim = (words: string, evidence: string, one: Point, other: Point): Verdict => {
    const found = beside(record, one, other);
    if (found === undefined)
      return { verdict: "cannot-be-told", claim: words, evidence: "One was not measured." };
    return verdictOf(words, evidence, found);
  };
  const bare = (ranking: string) => ({ ranking, removal: most, repair: null });
  return [
    ...published.map((name) =>
      claim(
        `${name} chooses ${most} blocks better than cosine.`,
        "Loss of cosine's choice less that of the other, nothing in place of either.",
        bare(name),
        bare("cosine"),
      ),
    ),
    claim(
      `Cosine chooses ${most} blocks better than the last ones.`,
      "Loss of the tail less that of cosine's choice.",
      bare("cosine"),
      bare("tail"),
    ),
    ...repairs.map(({ name }) =>
      claim(
        `A ${name} wins back some of what ${fewest} blocks cost.`,
        "Loss without it less that with it, after the same few steps of training.",
        { ranking: "cosine", removal: fewest, repair: name },
        { ranking: "cosine", removal: fewest, repair: null },
      ),
    ),
  ];
}
