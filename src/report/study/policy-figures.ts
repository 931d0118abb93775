/** What policies skip and cost, beside controls that look at nothing. */
import { policyControls, policyOf } from "../../experiment/study/policed.ts";
import type { TableFigure } from "../figures/types.ts";
import { type Study, slug } from "./study.ts";

/** Every subnetwork on every evaluation that names a policy. */
export function policyTable({ record, protocols, prefix }: Study): TableFigure | undefined {
  const policed = record.plan.evaluations.filter((evaluation) => policyOf(evaluation) !== undefined);
  const rows = policed.flatMap(({ name }) =>
    record.results
      .filter(({ evaluation, error }) => evaluation === name && error === null)
      .flatMap(({ subnetwork, values }) => {
        const skipped = values["skipped"];
        if (skipped === undefined) return [];
        const [measure = "", first] = Object.entries(values)[0] ?? [];
        const loss = measure === "loss";
        const above = policyControls.flatMap((control) => {
          const found = values[`${control} above policy`];
          return [found?.value ?? null, found?.standardError ?? null];
        });
        return [
          [
            `${name}, ${wordsOf(record, subnetwork)}`,
            skipped.value,
            loss ? "perplexity" : measure,
            (loss ? values["perplexity"]?.value : first?.value) ?? null,
            ...above,
          ],
        ];
      }),
  );
  if (rows.length === 0) return undefined;
  return {
    kind: "table",
    id: slug(prefix, "policies"),
    title: "What policies skip, and what they cost",
    subtitle: "And how much more loss what they are compared with has, in nats, with paired standard errors",
    caption:
      "Skipped is a share of all feed-forwards of all tokens. The static mask skips as many for every token, " +
      "those that the policy itself skips most; random skips are the mean of three seeds. A control above 0 " +
      "loses more than the policy. Controls are measured where the plan asks for them.",
    protocols: policed.flatMap(({ name }) => protocols.get(name) ?? []),
    description: `Table of ${rows.length} subnetworks under policies.`,
    columns: [
      { title: "evaluation, subnetwork" },
      { title: "skipped", format: { style: "percent", digits: 1 } },
      { title: "measure" },
      { title: "value" },
      ...policyControls.flatMap((title) => [{ title }, { title: `${title} ±` }]),
    ],
    rows,
  };
}

function wordsOf({ subnetworks }: Study["record"], id: string): string {
  const found = subnetworks.find((one) => one.id === id);
  if (found === undefined || (found.removed.length === 0 && found.repair === null)) return "the whole model";
  const repair = found.repair === null ? "" : `, ${found.repair.name}`;
  return `without ${found.removed.join(", ")}${repair}`;
}
