/** What policies skip and cost, beside controls that look at nothing. */
import { policyControls, policyOf } from "../../experiment/study/policed.ts";
import { formatNumber } from "../../platform/format.ts";
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
        const [measure = ""] = Object.keys(values);
        const shownMeasure = measure === "loss" ? "perplexity" : measure;
        const value = values[shownMeasure]?.value ?? null;
        return [
          [
            `${name}, ${wordsOf(record, subnetwork)}`,
            skipped.value,
            value === null ? null : `${shownMeasure} ${formatNumber(value, 3)}`,
            ...policyControls.map((control) => difference(values[`${control} above policy`])),
          ],
        ];
      }),
  );
  if (rows.length === 0) return undefined;
  return {
    kind: "table",
    id: slug(prefix, "policies"),
    title: "What policies skip, and what they cost",
    subtitle: "Beside what looks at nothing, with standard errors that are paired item by item",
    caption:
      "Skipped is a share of all feed-forwards of all tokens. The static mask skips as many for every token, " +
      "those that the policy itself skips most; random skips are the mean of three seeds. A control above 0 " +
      "loses more than the policy. Controls are measured where the plan asks for them.",
    protocols: policed.flatMap(({ name }) => protocols.get(name) ?? []),
    description: `Table of ${rows.length} subnetworks under policies.`,
    columns: [
      { title: "evaluation, subnetwork" },
      { title: "skipped", format: { style: "percent", digits: 1 } },
      { title: "measured" },
      ...policyControls.map((title) => ({ title, detail: "above the policy, nats" })),
    ],
    rows,
  };
}

/** With its standard error. */
function difference(
  found: { value: number | null; standardError: number | null } | undefined,
): string | null {
  if (found?.value == null) return null;
  const { value, standardError } = found;
  const sign = value < 0 ? "\u2212" : "+";
  const error = standardError === null ? "" : ` ± ${standardError.toFixed(3)}`;
  return `${sign}${Math.abs(value).toFixed(3)}${error}`;
}

function wordsOf({ subnetworks }: Study["record"], id: string): string {
  const found = subnetworks.find((one) => one.id === id);
  if (found === undefined || (found.removed.length === 0 && found.repair === null)) return "the whole model";
  const repair = found.repair === null ? "" : `, ${found.repair.name}`;
  return `without ${found.removed.join(", ")}${repair}`;
}
