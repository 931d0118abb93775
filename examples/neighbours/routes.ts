/**
 * A mask for each text and a router on prompts (after arXiv 2410.19123 and 2502.04348), beside one mask for
 * all.
 */
import type { Model, TextData, WayWorth } from "depthkit";
import type { ReportSection, Verdict } from "depthkit/report";
import { verdictOf } from "./verdict.ts";

const id = "routing";

export async function routesOf(
  model: Model,
  texts: Readonly<Record<string, TextData>>,
  quick: boolean,
  journal: string,
): Promise<{ section: ReportSection; claims: Verdict[] }> {
  const budget = Math.max(1, Math.round(model.depth / 10));
  const parts = quick
    ? { fit: 4, choose: 4, train: 8, report: 8 }
    : { fit: 8, choose: 16, train: 24, report: 32 };
  // Folders are called by these names.
  const domains = Object.entries(texts).map(([name, data]) => [name.replaceAll(/[^\w.-]/g, "-"), data]);
  await using routes = await model.routes({
    texts: Object.fromEntries(domains),
    split: { ...parts, length: 64 },
    prompt: { tokens: 16 },
    strategy: "lowest",
    budget,
    candidates: 3 * budget,
    journal,
  });
  const { worth } = routes.report;
  const ways: [string, WayWorth | null][] = [
    ["one mask for all", worth.single],
    ["the router", worth.router],
    ["each text's own mask", worth.byDomain],
    ["the oracle", worth.oracle],
  ];
  const measured = (way: WayWorth) => [
    { text: "all texts", difference: way.gain, standardError: way.gainStandardError },
  ];
  return {
    section: {
      id: "routes",
      heading: "A mask for each kind of text",
      paragraphs: [worth.sentence],
      figures: [
        {
          kind: "table",
          id,
          title: `What routing is worth without ${budget} blocks`,
          subtitle: "Loss in nats behind the first 16 tokens, and what is gained over one mask for all",
          caption:
            "The oracle knows each sequence's best mask afterwards: no router does better, and it never loses.",
          protocols: [],
          description:
            "Loss, gain and standard error of one mask, the router, each text's own mask and the oracle.",
          columns: [{ title: "way" }, { title: "loss" }, { title: "gain" }, { title: "standard error" }],
          rows: ways.flatMap(([name, way]) =>
            way === null ? [] : [[name, way.value, way.gain, way.gainStandardError]],
          ),
        },
      ],
    },
    claims: [
      verdictOf(
        "A router on prompts beats one mask for all.",
        "Loss of the best single mask less the router's, sequence by sequence, on text that decided nothing.",
        measured(worth.router),
        id,
      ),
      ...(worth.byDomain === null
        ? []
        : [
            verdictOf(
              "A mask found on each kind of text beats one mask for all.",
              "Loss of the best single mask less that of each text's own, on text that decided nothing.",
              measured(worth.byDomain),
              id,
            ),
          ]),
    ],
  };
}
