import { item, present } from "../../arrays.ts";
import type { TextData } from "../../evaluation/text-data.ts";
import type { CallOptions } from "../../rpc/call-options.ts";
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
  const { skip, spacing } = present(parts.report, "the part to report on").info;
  const cut = async (behind: number, sequences: number) => {
    const { fit: _, choose: __, draw: ___, spacing: ____, ...corpus } = rest;
    const { connection, handle } = model.subject;
    const asked = { ...corpus, skip: skip + behind * spacing, spacing, sequences, ...call };
    const part = await loadCorpus(connection, handle.on(connection), data, asked);
    opened.push(part);
    return part;
  };
  try {
    return { name, parts, train: await cut(0, train), report: await cut(train, report) };
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
