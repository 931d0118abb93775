import { item } from "../../arrays.ts";
import type { UnitName } from "../../protocol/common.ts";
import { checkUnits } from "../../protocol/units.ts";
import type { CallOptions } from "../../rpc/call-options.ts";
import { withTimeLimit } from "../../rpc/time-limit.ts";
import type { Searchable } from "../search/draws.ts";
import { checkPartsApart } from "../search/text-parts.ts";
import type { RoutedSubnetwork, RouteMask } from "./content.ts";
import { closeDomain, type Domain, loadDomain, namedParts } from "./domains.ts";
import { learnRouter, reportOn } from "./measure.ts";
import { checkRoutes, type RoutesOptions, refuse } from "./options.ts";
import { commonFront, removedSublayers } from "./permanent.ts";
import type { RoutePrompt } from "./prompts.ts";
import { Routes } from "./routes.ts";

/** What routes need of a model. */
export interface Routable<S> extends Searchable<S> {
  without(units: readonly string[]): S;
  load(folder: string, call: CallOptions): Promise<S>;
}

export async function makeRoutes<S extends RoutedSubnetwork>(
  model: Routable<S>,
  options: RoutesOptions,
): Promise<Routes<S>> {
  const prompt = checkRoutes(options);
  return withTimeLimit("routes", options, async (signal) => {
    const domains: Domain[] = [];
    const masks: RouteMask<S>[] = [];
    try {
      const call = { signal, timeoutMs: options.timeoutMs };
      for (const text of Object.entries(options.texts)) {
        domains.push(await loadDomain(model, text, options.split, call));
      }
      return await fromDomains(model, domains, masks, prompt, { ...options, signal });
    } catch (error) {
      await Promise.allSettled(masks.map(({ subnetwork }) => subnetwork[Symbol.asyncDispose]()));
      throw error;
    } finally {
      await Promise.all(domains.map(closeDomain));
    }
  });
}

/** Fills `masks`, which whoever asked gives back where this fails. */
async function fromDomains<S extends RoutedSubnetwork>(
  model: Routable<S>,
  domains: readonly Domain[],
  masks: RouteMask<S>[],
  prompt: RoutePrompt,
  options: RoutesOptions,
): Promise<Routes<S>> {
  const { texts: _, split: __, prompt: ___, masks: given = {}, ...method } = options;
  const { signal, onProgress, timeoutMs, batchSize, memoryBudget } = options;
  const on = model.subject;
  const notes = await checkPartsApart(on, domains.flatMap(namedParts), { signal, timeoutMs });
  for (const { name, parts } of domains) {
    const { fit, choose } = parts;
    const found = await model.search({ ...method, fit, choose }, undefined);
    masks.push({ name, removed: found.removed, subnetwork: found.subnetwork });
    notes.push(...found.notes.map((note) => `${name}: ${note}`));
  }
  for (const [name, units] of Object.entries(given)) {
    const removed = checkUnits(units, on.info.depth);
    masks.push({ name, removed, subnetwork: model.without(removed) });
  }
  const removed = masks.map((mask) => mask.removed);
  checkFront(prompt, removed, on.info.depth);
  notes.push(...sizeNotes(masks));
  const engine = { prompt, batchSize, memoryBudget, signal, onProgress, timeoutMs };
  const data = { on, domains, subnetworks: masks.map(({ subnetwork }) => subnetwork), options: engine };
  const { router, heldOut } = await learnRouter(data);
  const report = await reportOn(data, router);
  return new Routes(on, { masks, prompt, router, heldOut, report, notes });
}

/** What the router reads must be known before the route is. */
function checkFront({ boundary }: RoutePrompt, masks: readonly (readonly UnitName[])[], depth: number): void {
  const front = commonFront(masks, depth);
  if (boundary <= front) return;
  refuse(
    `prompts are to be read in front of block ${boundary}, and masks differ from block ${front} on, so the ` +
      `route would have to be known before; let prompt.boundary be ${front} at most, or protect the blocks ` +
      "before it",
  );
}

function sizeNotes(masks: readonly RouteMask<unknown>[]): string[] {
  const sizes = masks.map(({ removed }) => removedSublayers(removed));
  if (new Set(sizes).size === 1) return [];
  const told = masks.map(({ name }, at) => `${name} ${item(sizes, at)}`).join(", ");
  return [`The masks are of different size, in sublayers removed: ${told}. They do not cost the same.`];
}
