import { item, present } from "../../arrays.ts";
import type { TextData } from "../../evaluation/text-data.ts";
import { checkUnits } from "../../protocol/units.ts";
import { fitRouter, least, predict } from "../../routing/router.ts";
import { meanOverDomains, routingWorth } from "../../routing/worth.ts";
import type { CallOptions } from "../../rpc/connection.ts";
import { withTimeLimit } from "../../rpc/time-limit.ts";
import { type Corpus, loadCorpus } from "../corpus.ts";
import type { Searchable } from "../search/draws.ts";
import { checkPartsApart, type NamedPart, type TextParts } from "../search/text-parts.ts";
import type { RoutedSubnetwork, RouteMask, RoutesReport } from "./content.ts";
import { bySequence } from "./losses.ts";
import { checkRoutes, type RoutesOptions, refuse } from "./options.ts";
import { commonFront, removedSublayers } from "./permanent.ts";
import { featuresOf, type RoutePrompt } from "./prompts.ts";
import { Routes } from "./routes.ts";

/** A domain's text, in parts. */
interface Domain {
  readonly name: string;
  readonly parts: TextParts;
  readonly train: Corpus;
  readonly report: Corpus;
}

/** What routes need of a model. */
export interface Routable<S> extends Searchable<S> {
  without(units: readonly string[]): S;
  load(folder: string, call: CallOptions): Promise<S>;
}

/** Runs of neighbouring sequences that a domain's text for the router is cut into, to hold out in turn. */
const heldOutRuns = 5;

export async function makeRoutes<S extends RoutedSubnetwork>(
  model: Routable<S>,
  options: RoutesOptions,
): Promise<Routes<S>> {
  const prompt = checkRoutes(options);
  return withTimeLimit("routes", options, async (signal) => {
    const domains: Domain[] = [];
    try {
      const call = { signal, timeoutMs: options.timeoutMs };
      for (const [name, data] of Object.entries(options.texts)) {
        domains.push(await loadDomain(model, name, data, options, call));
      }
      return await fromDomains(model, domains, prompt, { ...options, signal });
    } finally {
      await Promise.all(domains.flatMap((of) => [of.parts.close(), of.train.close(), of.report.close()]));
    }
  });
}

async function loadDomain<S>(
  model: Routable<S>,
  name: string,
  data: TextData,
  { split }: RoutesOptions,
  call: CallOptions,
): Promise<Domain> {
  const { train, report, ...rest } = split;
  const parts = await model.splitText(data, { ...rest, report: train + report, ...call });
  const opened: Corpus[] = [];
  const cut = async (skip: number, sequences: number) => {
    const { fit: _, choose: __, draw: ___, ...corpus } = rest;
    const { connection, handle } = model.subject;
    const asked = { ...corpus, skip, sequences, ...call };
    const part = await loadCorpus(connection, handle.on(connection), data, asked);
    opened.push(part);
    return part;
  };
  try {
    const { skip } = present(parts.report, "the part to report on").info;
    return { name, parts, train: await cut(skip, train), report: await cut(skip + train, report) };
  } catch (error) {
    await Promise.allSettled([parts, ...opened].map((one) => one.close()));
    throw error;
  }
}

async function fromDomains<S extends RoutedSubnetwork>(
  model: Routable<S>,
  domains: readonly Domain[],
  prompt: RoutePrompt,
  options: RoutesOptions,
): Promise<Routes<S>> {
  const { texts: _, split: __, prompt: ___, masks: given = {}, ...method } = options;
  const { signal, onProgress, timeoutMs, batchSize, memoryBudget } = options;
  const on = model.subject;
  const call = { signal, onProgress, timeoutMs };
  const notes = await checkPartsApart(on, domains.flatMap(namedParts), { signal, timeoutMs });
  const masks: RouteMask<S>[] = [];
  try {
    for (const { name, parts } of domains) {
      const { fit, choose } = parts;
      const { subnetwork, removed } = await model.search({ ...method, fit, choose }, undefined);
      masks.push({ name, removed, subnetwork });
    }
    for (const [name, units] of Object.entries(given)) {
      const removed = checkUnits(units, on.info.depth);
      masks.push({ name, removed, subnetwork: model.without(removed) });
    }
    const removed = masks.map((mask) => mask.removed);
    const front = commonFront(removed, on.info.depth);
    if (prompt.boundary > front) {
      refuse(
        `prompts are to be read in front of block ${prompt.boundary}, and masks differ from block ${front} on, ` +
          `so the route would have to be known before; let prompt.boundary be ${front} at most`,
      );
    }
    const sizes = removed.map(removedSublayers);
    if (new Set(sizes).size > 1) {
      const told = masks.map(({ name }, at) => `${name} ${item(sizes, at)}`).join(", ");
      notes.push(
        `The masks are of different size, in sublayers removed: ${told}. They do not cost the same.`,
      );
    }
    const engine = { prompt, measure: "loss", batchSize, memoryBudget, ...call } as const;
    const losses = async (corpora: readonly Corpus[], whole = false) => {
      const subnetworks = masks.map(({ subnetwork }) => subnetwork);
      const asked = whole ? [...subnetworks, { removed: [], repairs: [] }] : subnetworks;
      const found = [];
      for (const corpus of corpora) found.push(await bySequence(on, corpus, asked, engine));
      return found;
    };
    const features = async (corpora: readonly Corpus[]) => {
      const found = [];
      for (const corpus of corpora) found.push(await featuresOf(on, corpus, prompt, call));
      return found;
    };
    const trainOn = domains.map(({ train }) => train);
    const learned = await losses(trainOn);
    const { router, heldOut } = fitRouter((await features(trainOn)).flat(), learned.flat(), runsOf(learned));
    const reportOn = domains.map(({ report }) => report);
    const measured = await losses(reportOn, true);
    const routes = (await features(reportOn)).map((rows) => rows.map((row) => least(predict(router, row))));
    const report = reportOf(domains, masks.length, measured, routes, least(router.intercepts));
    return new Routes(on, { masks, prompt, router, heldOut, report, notes });
  } catch (error) {
    await Promise.allSettled(masks.map(({ subnetwork }) => subnetwork[Symbol.asyncDispose]()));
    throw error;
  }
}

function namedParts({ name: domain, parts, train, report }: Domain): NamedPart[] {
  const { fit, choose } = parts;
  return [
    ...(fit === undefined ? [] : [{ name: "fit", domain, data: fit }]),
    { name: "choose", domain, data: item(choose, choose.length - 1) },
    { name: "train", domain, data: train },
    { name: "report", domain, data: report },
  ];
}

/** Of each sequence of each domain, the number of its run: those of a run follow each other in the text. */
function runsOf(domains: readonly (readonly unknown[])[]): number[] {
  return domains.flatMap((rows, domain) =>
    rows.map((_, at) => heldOutRuns * domain + Math.floor((heldOutRuns * at) / rows.length)),
  );
}

/** `measured`: of each domain a row a sequence, a column a mask, and last the whole model's. */
function reportOf(
  domains: readonly Domain[],
  masks: number,
  measured: readonly (readonly (readonly number[])[])[],
  routes: readonly (readonly number[])[],
  single: number,
): RoutesReport {
  const columns = [...Array(masks).keys()];
  const losses = measured.map((rows) => rows.map((row) => row.slice(0, masks)));
  const of = (rows: readonly (readonly number[])[], column: number) => {
    const values = rows.map((row) => item(row, column));
    return meanOverDomains(
      values,
      values.map(() => 0),
    );
  };
  const table = {
    values: losses.flat(),
    domains: losses.flatMap((rows, domain) => rows.map(() => domain)),
    routes: routes.flat(),
    single,
    lowerIsBetter: true,
  };
  return {
    domains: domains.map(({ name }) => name),
    sequences: item(measured, 0).length,
    matrix: measured.map((rows) => columns.map((mask) => of(rows, mask))),
    whole: measured.map((rows) => of(rows, masks)),
    routed: routes.map((own) => columns.map((mask) => own.filter((route) => route === mask).length)),
    worth: routingWorth(table, true),
  };
}
