import { join } from "node:path";
import { DepthkitError } from "../../errors.ts";
import { checkOptions } from "../../options.ts";
import { absolutePath } from "../../platform/absolute-path.ts";
import { checkUnits } from "../../protocol/units.ts";
import type { CallOptions } from "../../rpc/call-options.ts";
import { withTimeLimit, workerCallChecks } from "../../rpc/time-limit.ts";
import type { RoutedSubnetwork, RouteMask } from "./content.ts";
import { readRoutes } from "./file.ts";
import type { Routable } from "./make.ts";
import { Routes } from "./routes.ts";

export async function loadRoutes<S extends RoutedSubnetwork>(
  model: Routable<S>,
  folder: string,
  call: CallOptions,
): Promise<Routes<S>> {
  checkOptions("loadRoutes", call, workerCallChecks);
  return withTimeLimit("loadRoutes", call, (signal) => load(model, folder, { ...call, signal }));
}

async function load<S extends RoutedSubnetwork>(
  model: Routable<S>,
  folder: string,
  call: CallOptions,
): Promise<Routes<S>> {
  const on = model.subject;
  const { masks: listed, prompt, router, heldOut, report, notes } = readRoutes(on, folder);
  const masks: RouteMask<S>[] = [];
  for (const { name, removed: units, repaired } of listed) {
    const removed = checkUnits(units, on.info.depth);
    const subnetwork = repaired
      ? await model.load(join(absolutePath(folder), name), call)
      : model.without(removed);
    if (checkUnits(subnetwork.removed, on.info.depth).join() !== removed.join()) {
      throw new DepthkitError(
        "UNSUPPORTED_FORMAT",
        `Loading routes from ${folder}: the mask ${name} is without ${removed.join(", ")}, and the repairs ` +
          `beside it are of a model without ${subnetwork.removed.join(", ")}. Make the routes anew.`,
      );
    }
    masks.push({ name, removed, subnetwork });
  }
  return new Routes(on, { masks, prompt, router, heldOut, report, notes });
}
