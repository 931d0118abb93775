import { item, present } from "../../arrays.ts";
import type { TextData } from "../../evaluation/text-data.ts";
import type { CallOptions } from "../../rpc/call-options.ts";
import { evenly } from "../../selection/spread.ts";
import { type Corpus, loadCorpus } from "../corpus.ts";
import type { Searchable } from "../search/draws.ts";
import type { NamedPart, TextParts } from "../search/text-parts.ts";
import type { RoutesSplit } from "./options.ts";

/** A domain's text, in parts. */
export interface Domain {
  readonly name: string;
  readonly parts: TextParts;
  readonly train: Corpus;
  readonly report: Corpus;
}

export async function loadDomain(
  model: Pick<Searchable<unknown>, "subject" | "splitText">,
  [name, data]: readonly [string, TextData],
  { train, report, ...rest }: RoutesSplit,
  call: CallOptions,
): Promise<Domain> {
  const parts = await model.splitText(data, { ...rest, report: train + report, ...call });
  const opened: Corpus[] = [];
  const all = present(parts.report?.info.numbers ?? undefined, "the sequences to report on");
  const cut = async (numbers: number[]) => {
    const { fit: _, choose: __, draw: ___, ...corpus } = rest;
    const { connection, handle } = model.subject;
    const asked = { ...corpus, numbers, ...call };
    const part = await loadCorpus(connection, handle.on(connection), data, asked);
    opened.push(part);
    return part;
  };
  try {
    const learned = evenly(all, train);
    const measured = all.filter((number) => !learned.includes(number));
    return { name, parts, train: await cut(learned), report: await cut(measured) };
  } catch (error) {
    await Promise.allSettled([parts, ...opened].map((one) => one.close()));
    throw error;
  }
}

/** As they are compared with each other. */
export function namedParts({ name: domain, parts, train, report }: Domain): NamedPart[] {
  const { fit, choose } = parts;
  return [
    ...(fit === undefined ? [] : [{ name: "fit", domain, data: fit }]),
    { name: "choose", domain, data: item(choose, choose.length - 1) },
    { name: "train", domain, data: train },
    { name: "report", domain, data: report },
  ];
}

export async function closeDomain({ parts, train, report }: Domain): Promise<void> {
  await Promise.all([parts, train, report].map((one) => one.close()));
}
