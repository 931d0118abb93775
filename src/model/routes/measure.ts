import { item } from "../../arrays.ts";
import type { Subject } from "../../evaluation/subject.ts";
import { type FittedRouter, fitRouter, least, predict } from "../../routing/router.ts";
import { meanOverDomains, routingWorth } from "../../routing/worth.ts";
import { type CallOptions, callOf } from "../../rpc/call-options.ts";
import type { RoutedSubnetwork, RoutesReport } from "./content.ts";
import type { Domain } from "./domains.ts";
import { bySequence, type RoutingEngine } from "./losses.ts";
import { featuresOf, type RoutePrompt } from "./prompts.ts";

/** Runs of neighbouring sequences that a domain's text for the router is cut into, to hold out in turn. */
const heldOutRuns = 5;

type Rows = readonly (readonly number[])[];

export interface RoutingData {
  readonly on: Subject;
  readonly domains: readonly Domain[];
  readonly subnetworks: readonly Pick<RoutedSubnetwork, "removed" | "repairs">[];
  readonly options: { readonly prompt: RoutePrompt } & RoutingEngine & CallOptions;
}

/** Fits the router to what every mask loses on the sequences of `train`. */
export async function learnRouter({ on, domains, subnetworks, options }: RoutingData): Promise<FittedRouter> {
  const features: Rows[] = [];
  const losses: Rows[] = [];
  for (const { train } of domains) {
    features.push(await featuresOf(on, train, options.prompt, callOf(options)));
    losses.push(await bySequence(on, train, subnetworks, { ...options, measure: "loss" }));
  }
  return fitRouter(features.flat(), losses.flat(), runsOf(losses));
}

/** What the router is worth on the sequences of `report`. */
export async function reportOn(
  { on, domains, subnetworks, options }: RoutingData,
  router: FittedRouter["router"],
): Promise<RoutesReport> {
  const masks = [...subnetworks.keys()];
  const whole = { removed: [], repairs: [] };
  const measured: Rows[] = [];
  const routes: number[][] = [];
  for (const { report } of domains) {
    measured.push(await bySequence(on, report, [...subnetworks, whole], { ...options, measure: "loss" }));
    const features = await featuresOf(on, report, options.prompt, callOf(options));
    routes.push(features.map((row) => least(predict(router, row))));
  }
  const losses = measured.map((rows) => rows.map((row) => row.slice(0, masks.length)));
  const table = {
    values: losses.flat(),
    domains: losses.flatMap((rows, domain) => rows.map(() => domain)),
    routes: routes.flat(),
    single: least(router.intercepts),
    lowerIsBetter: true,
  };
  return {
    domains: domains.map(({ name }) => name),
    sequences: item(measured, 0).length,
    matrix: losses.map((rows) => masks.map((mask) => columnMean(rows, mask))),
    whole: measured.map((rows) => columnMean(rows, masks.length)),
    routed: routes.map((own) => masks.map((mask) => own.filter((route) => route === mask).length)),
    worth: routingWorth(table, true),
  };
}

/** Of each sequence of each domain, the number of its run: those of a run follow each other in the text. */
function runsOf(domains: readonly Rows[]): number[] {
  return domains.flatMap((rows, domain) =>
    rows.map((_, at) => heldOutRuns * domain + Math.floor((heldOutRuns * at) / rows.length)),
  );
}

function columnMean(rows: Rows, column: number): { mean: number; standardError: number } {
  const values = rows.map((row) => item(row, column));
  return meanOverDomains(
    values,
    values.map(() => 0),
  );
}
