/** Whether other ways to choose blocks, and networks in their place, beat what they are compared with. */
import type { StudyRecord } from "depthkit";
import type { Verdict } from "depthkit/report";
import { type Measured, verdictOf } from "./verdict.ts";

/**
 * The loss of the second less that of the first on every text, paired by chunk; negative: the second is
 * better.
 */
function beside(
  record: StudyRecord,
  texts: readonly string[],
  one: Point,
  other: Point,
): Measured[] | undefined {
  const [first, second] = [subnetworkOf(record, one), subnetworkOf(record, other)];
  const found = texts.map((text) => {
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

/** What is trained in place of a span. */
const networks = ["block", "feed-forward", "swiglu"];

interface Point {
  readonly ranking: string;
  readonly removal: number;
  readonly repair: string | null;
}

const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

const subnetworkOf = (record: StudyRecord, { ranking, removal, repair }: Point) =>
  record.points.find((one) => one.ranking === ranking && one.removal === removal && one.repair === repair)
    ?.subnetwork;

export function choicesOf(record: StudyRecord, texts: readonly string[]): Verdict[] {
  const { rankings, removals } = record.plan;
  if (!Array.isArray(removals)) throw new Error("The plan removes shares; these claims are about counts.");
  const [fewest = 1, most = fewest] = removals;
  const controls = ["cosine", "tail", "random"];
  const published = rankings.map(({ name }) => name).filter((name) => !controls.includes(name));
  const claim = (words: string, evidence: string, one: Point, other: Point): Verdict => {
    const found = beside(record, texts, one, other);
    const untold = (why: string): Verdict => ({ verdict: "cannot-be-told", claim: words, evidence: why });
    if (found === undefined) return untold("One was not measured.");
    if (subnetworkOf(record, one) === subnetworkOf(record, other)) return untold("Both are the same blocks.");
    return verdictOf(words, evidence, found);
  };
  const inTheGap = (kind: string) => ({
    ranking: "llm-streamline",
    removal: fewest,
    repair: `${kind} in the gap`,
  });
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
    claim(
      `Cosine chooses ${most} blocks better than chance.`,
      "Loss of one random choice less that of cosine's.",
      bare("cosine"),
      bare("random"),
    ),
    ...networks.map((kind) =>
      claim(
        `A ${kind} in the gap wins back some of what ${fewest} blocks cost.`,
        "Loss with nothing in the gap less that with it.",
        inTheGap(kind),
        { ...inTheGap(kind), repair: null },
      ),
    ),
    ...networks.map((kind) =>
      claim(
        `A ${kind} in the gap of ${fewest} blocks beats a low-rank map, which nothing trains.`,
        "Loss with the map less that with it, both from the same text.",
        inTheGap(kind),
        inTheGap("low-rank map"),
      ),
    ),
    claim(
      "Trained alike, a block in the gap beats a small network.",
      "Loss with a feed-forward less that with a block, after the same steps of training.",
      inTheGap("block"),
      inTheGap("feed-forward"),
    ),
  ];
}
