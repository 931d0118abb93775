import type { UnitName } from "../../protocol/common.ts";
import type { FittedRouter, Router } from "../../routing/router.ts";
import type { RoutingWorth } from "../../routing/worth.ts";
import type { Repair } from "../repair.ts";
import type { RoutePrompt } from "./prompts.ts";

/** What routes need of the subnetwork of a mask. */
export interface RoutedSubnetwork extends AsyncDisposable {
  readonly removed: readonly UnitName[];
  readonly repairs: readonly Repair[];
}

/** What a prompt can be routed to. */
export interface RouteMask<S> {
  /** The domain that it was chosen for, or the name it was given. */
  readonly name: string;
  readonly removed: readonly UnitName[];
  readonly subnetwork: S;
}

/** A mean loss with its standard error. */
export interface MeanLoss {
  /** In nats per token behind the prompt. */
  readonly mean: number;
  /** Over sequences. */
  readonly standardError: number;
}

/** What routing was worth on text that decided nothing. */
export interface RoutesReport {
  /** In the order of the rows of `matrix`. */
  readonly domains: readonly string[];
  /** Of each domain. */
  readonly sequences: number;
  /** A row per domain, a column per mask. */
  readonly matrix: readonly (readonly MeanLoss[])[];
  /** The model that nothing is removed from, a domain each. */
  readonly whole: readonly MeanLoss[];
  /** How many sequences the router sent where: a row per domain, a column per mask. */
  readonly routed: readonly (readonly number[])[];
  readonly worth: RoutingWorth;
}

/** All that routes are but for their model. */
export interface RoutesContent<S> {
  readonly masks: readonly RouteMask<S>[];
  readonly prompt: RoutePrompt;
  readonly router: Router;
  readonly heldOut: FittedRouter["heldOut"];
  readonly report: RoutesReport;
  readonly notes: readonly string[];
}
