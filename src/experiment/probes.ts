/**
 * Small written tasks that need no download, generated from a seed: what a pruned model loses first, while
 * its multiple choice still holds.
 */
import { item } from "../arrays.ts";
import { anyOf, aWhole, type Checks, checkArgument, checkOptions } from "../options.ts";
import { type Random, randomStream } from "../shapley/random.ts";

/** Small tasks that are made, not read: docs/tasks.md. */
export const probeNames = ["sums", "brackets", "copying", "sorting", "lookup"] as const;
/** A probe by its name. */
export type ProbeName = (typeof probeNames)[number];

/** What `probe` takes. */
export interface ProbeOptions {
  /** Questions, at most 1,000; default 100. */
  items?: number | undefined;
  /** Worked examples in front of each, which are not asked, at most 100; default 5. */
  shots?: number | undefined;
  /** Of the questions; default 0. The same on every machine. */
  seed?: number | undefined;
}

/** What `loadGenerationTask` is given: its data and its options. */
export interface Probe {
  readonly name: ProbeName;
  readonly data: { readonly rows: readonly ProbeRow[] };
  readonly options: {
    readonly prompt: string;
    readonly shots: number;
    readonly separator: string;
    readonly score: "exact";
  };
}

/** A question and the one right answer. */
export interface ProbeRow {
  readonly question: string;
  readonly answer: string;
  readonly [field: string]: string;
}

interface ProbeKind {
  readonly prompt: string;
  readonly row: (random: Random) => ProbeRow;
}

/** So many different members of a list, in random order. */
function draw<T>(random: Random, from: readonly T[], count: number): T[] {
  return random
    .permutation(from.length)
    .slice(0, count)
    .map((at) => item(from, at));
}

const letters = [..."abcdefghijklmnopqrstuvwxyz"];
const words = (
  "amber birch cedar coral crane delta ember fjord grove heron ivory jewel knoll lemon maple north ocean " +
  "pearl quill river stone thorn umber valley willow yarrow"
).split(" ");
const brackets = [
  ["(", ")"],
  ["[", "]"],
  ["{", "}"],
] as const;

const kinds: Readonly<Record<ProbeName, ProbeKind>> = {
  sums: {
    prompt: "{question} =",
    row: (random) => {
      const [one, other] = [random.integer(10, 99), random.integer(10, 99)];
      return { question: `${one} + ${other}`, answer: String(one + other) };
    },
  },
  brackets: {
    prompt: "Open: {question}\nClose:",
    row: (random) => {
      const pairs = Array.from({ length: random.integer(5, 8) }, () => item(brackets, random.integer(0, 2)));
      const closing = pairs.map(([, close]) => close).reverse();
      return { question: pairs.map(([open]) => open).join(" "), answer: closing.join(" ") };
    },
  },
  copying: {
    prompt: "Words: {question}\nAgain:",
    row: (random) => {
      const text = draw(random, words, 6).join(" ");
      return { question: text, answer: text };
    },
  },
  sorting: {
    prompt: "Letters: {question}\nIn order:",
    row: (random) => {
      const drawn = draw(random, letters, 5);
      return { question: drawn.join(" "), answer: [...drawn].sort().join(" ") };
    },
  },
  lookup: {
    prompt: "{question}:",
    row: (random) => {
      const keys = draw(random, words, 8);
      const pairs = keys.map((key) => [key, random.integer(100, 999)] as const);
      const [asked, value] = item(pairs, random.integer(0, 7));
      const list = pairs.map(([key, number]) => `${key}: ${number}`).join("\n");
      return { question: `${list}\n\nThe number of ${asked}`, answer: String(value) };
    },
  },
};

const checks: Checks<ProbeOptions> = { items: aWhole(1, 1000), shots: aWhole(0, 100), seed: aWhole(0) };

/**
 * A probe's questions: for `model.loadGenerationTask(probe.data, probe.options)` and `subnetwork.solve`.
 *
 * @throws DepthkitError INVALID_ARGUMENT
 */
export function probe(name: ProbeName, options: ProbeOptions = {}): Probe {
  checkArgument("probe", "name", name, anyOf(...probeNames));
  checkOptions("probe", options, checks);
  const { items = 100, shots = 5, seed = 0 } = options;
  const { prompt, row } = kinds[name];
  const random = randomStream(seed, `probe: ${name}`);
  // Each question once: no example gives an answer away. The smallest probe has 8,100.
  const rows = new Map<string, ProbeRow>();
  while (rows.size < shots + items) {
    const drawn = row(random);
    if (!rows.has(drawn.question)) rows.set(drawn.question, drawn);
  }
  // Questions have empty lines of their own, so three line breaks end an answer.
  return {
    name,
    data: { rows: [...rows.values()] },
    options: { prompt, shots, separator: "\n\n\n", score: "exact" },
  };
}
