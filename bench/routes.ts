/**
 * Whether a mask for each kind of text beats one for all, and a router on prompts finds it: three kinds of
 * text that are as different as text is, SmolLM2-135M in fp32, masks of the blocks whose loss one by one is
 * least. A mask that was chosen on all three mixed is among those that can be taken, so that one mask for all
 * is as good as one can be.
 *
 *   npx tsx bench/routes.ts JOURNAL
 */
import { Depthkit, type Routes, type Subnetwork, type WayWorth } from "../src/index.ts";
import { renderTable } from "../src/report/index.ts";
import { sharedRows, standardLibrary } from "./shared-data.ts";

const [, , journal] = process.argv;
const mixedCharacters = 16_000;

/** Questions with their choices and the right one. */
function questions(): string[] {
  return sharedRows("arc_easy.jsonl").map(({ question, choices, answer }): string => {
    const listed = choices.map((choice: string, at: number) => `${"ABCDE"[at]}. ${choice}`);
    return [question, ...listed, `Answer: ${"ABCDE"[answer]}`].join("\n");
  });
}

const texts = {
  prose: { texts: sharedRows("calib_wikitext2_train.jsonl").map(({ text }): string => text) },
  code: { texts: await standardLibrary() },
  questions: { texts: questions() },
};

/** The ends of all texts in turn, which no part of a domain reaches. */
function mixed(): string[] {
  const ends = Object.values(texts).map(({ texts }) => texts.join("\n\n").slice(-mixedCharacters));
  return Array.from({ length: mixedCharacters / 400 }, (_, at) =>
    ends.map((end) => end.slice(400 * at, 400 * (at + 1))),
  ).flat();
}

await using kit = await Depthkit.start();
await using model = await kit.loadModel("smollm2-135m", { device: "cpu" });
const length = 64;
const search = { budget: 4, candidates: 8, strategy: "lowest", journal } as const;
await using text = await model.splitText({ texts: mixed() }, { fit: 8, choose: 8, length });
const forAll = await model.search({ ...search, fit: text.fit, choose: text.choose });
const split = { fit: 8, choose: 8, train: 16, report: 24, length };
const number = (x: number) => x.toFixed(3);

function show({ masks, permanent, single, prompt, router, report }: Routes<Subnetwork>): void {
  const { domains, matrix, whole, routed, worth } = report;
  console.log(`Prompt of ${prompt.tokens} tokens, read at boundary ${prompt.boundary}`);
  for (const { name, removed } of masks) console.log(`${name}: ${removed.join(", ")}`);
  console.log(`kept by all: ${permanent.length} units; strength ${router.strength}; one mask: ${single}`);
  const losses = domains.map((domain, at) => [
    domain,
    ...[...(matrix[at] ?? []), whole[at]].map((one) => `${number(one?.mean ?? Number.NaN)}`),
    masks.map(({ name }, mask) => `${name} ${routed[at]?.[mask]}`).join(", "),
  ]);
  const titles = ["text", ...masks.map(({ name }) => name), "whole", "routed to"];
  console.log(
    renderTable(
      titles.map((title) => ({ title })),
      losses,
    ),
  );
  const ways = Object.entries(worth).flatMap(([name, way]: [string, WayWorth | string | null]) =>
    way === null || typeof way === "string"
      ? []
      : [[name, number(way.value), number(way.gain), number(way.gainStandardError)]],
  );
  const columns = ["way", "loss", "gain", "standard error"].map((title) => ({ title }));
  console.log(renderTable(columns, ways));
  console.log(worth.sentence);
}

const prompt = { tokens: 16 };
const made = model.routes({ ...search, texts, split, prompt, masks: { mixed: forAll.removed } });
await using routes = await made;
show(routes);
