import { InvalidArgumentError } from "commander";
import { type Budget, costNames, unitKinds } from "../index.ts";

/** Reads `5`, `attention:3,feed-forward:2`, `25%` (of the parameters) and `kv-bytes:30%`. */
export function parseBudget(text: string): Budget {
  if (/^[0-9]{1,6}$/.test(text)) return Number(text);
  const parts = text.split(",").map((part) => part.trim());
  const counts = parts.map((part) => /^(block|attention|feed-forward):([0-9]{1,6})$/.exec(part));
  if (counts.every((match) => match !== null)) {
    return Object.fromEntries(counts.map((match) => [match[1] ?? "", Number(match[2])]));
  }
  const costs = parts.map((part) => /^(?:([a-z-]+):)?([0-9]+(?:\.[0-9]+)?)%$/.exec(part));
  if (costs.every((match) => match !== null)) {
    return costs.map((match) => ({ cost: costOf(match[1] ?? "parameters"), share: Number(match[2]) / 100 }));
  }
  throw new InvalidArgumentError(
    `"${text}" is no budget; write a number of units (5), of each kind ` +
      `(${unitKinds[1]}:3,${unitKinds[2]}:2), or ` +
      `a share of what a model costs (25% for its parameters, kv-bytes:30%).`,
  );
}

function costOf(name: string): string {
  if ((costNames as readonly string[]).includes(name)) return name;
  throw new InvalidArgumentError(`"${name}" is no cost; costs are ${costNames.join(", ")}.`);
}
