import { item } from "../../arrays.ts";
import type { Subject } from "../../evaluation/subject.ts";
import { aFlag, anyOf, aString, checkArgument, checkOptions, listOf } from "../../options.ts";
import type { UnitName } from "../../protocol/common.ts";
import { lowerIsBetter } from "../../protocol/names.ts";
import { engineOptions, type Measure } from "../../protocol/subnetworks.ts";
import { type FittedRouter, least, predict, type Router } from "../../routing/router.ts";
import { type RoutingWorth, routingWorth } from "../../routing/worth.ts";
import type { CallOptions } from "../../rpc/call-options.ts";
import { aHandle } from "../../rpc/handle.ts";
import { checkCallOptions } from "../../rpc/parse-params.ts";
import { withTimeLimit, workerCallChecks } from "../../rpc/time-limit.ts";
import type { Corpus } from "../corpus.ts";
import { checkGenerate, type GenerateOptions } from "../generate.ts";
import type { Task } from "../task.ts";
import type { RoutedSubnetwork, RouteMask, RoutesContent, RoutesReport } from "./content.ts";
import { saveRoutes } from "./file.ts";
import { type RoutedTexts, writeByRoute } from "./generate.ts";
import { bySequence, type RoutingEngine } from "./losses.ts";
import { permanentUnits } from "./permanent.ts";
import { featuresOf, featuresOfTexts, type RoutePrompt } from "./prompts.ts";

/** Where a prompt goes. */
export interface Route {
  /** The name of the mask. */
  readonly mask: string;
  /** By how many nats per token each mask is expected to lose more than the masks' mean, in their order. */
  readonly expected: readonly number[];
}

export interface EvaluateRoutesOptions extends CallOptions, RoutingEngine {
  /** Default: the data's first, `loss` or `accuracy`. */
  measure?: Measure | undefined;
}

/** Routes on other data than they were made on. */
export interface RoutesEvaluation {
  readonly measure: Measure;
  /** Of each sequence or item the name of the mask that the router took. */
  readonly routes: readonly string[];
  readonly worth: RoutingWorth;
}

export interface RouteOptions extends CallOptions {
  /** Wrap each prompt as a user's turn in the model's chat template. */
  chat?: boolean | undefined;
}

/**
 * Masks of one model and a router that sends each prompt to one of them, which then serves the whole sequence
 * (docs/routes.md).
 */
export class Routes<S extends RoutedSubnetwork> implements AsyncDisposable {
  readonly masks: readonly RouteMask<S>[];
  /** Units that every mask keeps: whole blocks, and single sublayers where masks remove only the other. */
  readonly permanent: readonly UnitName[];
  /** The mask that is best for all prompts alike. */
  readonly single: string;
  readonly prompt: RoutePrompt;
  readonly router: Router;
  /** How far off the router was on text it was not fitted to, by strength of its ridge. */
  readonly heldOut: FittedRouter["heldOut"];
  readonly report: RoutesReport;
  readonly notes: readonly string[];
  readonly #on: Subject;

  /** @internal */
  constructor(on: Subject, { masks, prompt, router, heldOut, report, notes }: RoutesContent<S>) {
    this.#on = on;
    this.masks = masks;
    this.prompt = prompt;
    this.router = router;
    this.heldOut = heldOut;
    this.report = report;
    this.notes = notes;
    this.permanent = permanentUnits(
      masks.map(({ removed }) => removed),
      on.info.depth,
    );
    this.single = item(masks, least(router.intercepts)).name;
  }

  /**
   * The mask of each prompt, by its first tokens.
   *
   * @throws DepthkitError INVALID_ARGUMENT, CLOSED, CANCELLED
   */
  async route(prompts: string | readonly string[], options: RouteOptions = {}): Promise<Route[]> {
    checkOptions("route", options, { ...workerCallChecks, chat: aFlag });
    const texts = typeof prompts === "string" ? [prompts] : prompts;
    checkArgument("route", "prompts", texts, listOf(aString, 1));
    const { chat = false, ...call } = options;
    const features = await featuresOfTexts(this.#on, texts, chat, this.prompt, call);
    return features.map((row) => {
      const expected = predict(this.router, row);
      return { mask: item(this.masks, least(expected)).name, expected };
    });
  }

  /**
   * What routing is worth on a corpus, behind the tokens that choose the route, or on a task, whose items'
   * prompts choose it: the router, the best single mask and the oracle, with paired errors.
   *
   * @throws DepthkitError INVALID_ARGUMENT, NOT_MEASURABLE, CLOSED, CANCELLED, OUT_OF_MEMORY
   */
  async evaluate(data: Corpus | Task, options: EvaluateRoutesOptions = {}): Promise<RoutesEvaluation> {
    checkArgument("evaluate routes", "data", data, aHandle("a corpus or a task"));
    const engine = engineOptions.omit({ scoredPositions: true });
    const own = { ...workerCallChecks, measure: anyOf(...data.measures) };
    checkCallOptions("evaluate routes", options, engine, own);
    return withTimeLimit("evaluate routes", options, async (signal) => {
      const { measure = data.measures[0], timeoutMs, onProgress } = options;
      const call = { signal, timeoutMs, onProgress };
      const features = await featuresOf(this.#on, data, this.prompt, call);
      const subnetworks = this.masks.map(({ subnetwork }) => subnetwork);
      const asked = { ...options, ...call, prompt: this.prompt, measure };
      const values = await bySequence(this.#on, data, subnetworks, asked);
      const routes = features.map((row) => least(predict(this.router, row)));
      const table = {
        ...{ values, routes },
        domains: routes.map(() => 0),
        single: least(this.router.intercepts),
        lowerIsBetter: lowerIsBetter.has(measure),
      };
      return {
        measure,
        routes: routes.map((route) => item(this.masks, route).name),
        worth: routingWorth(table, false),
      };
    });
  }

  /**
   * Continues each prompt, or with `chat` answers it, by its route: the whole sequence runs on one mask, so
   * that its KV cache has no holes, and the prompts of a route are written together. Where text is sampled
   * it depends on a prompt's place among those of its route.
   *
   * @throws DepthkitError INVALID_ARGUMENT, CLOSED, CANCELLED
   */
  async generate(prompts: string | readonly string[], options: GenerateOptions = {}): Promise<RoutedTexts> {
    checkGenerate(options);
    return withTimeLimit("generate by routes", options, async (signal) => {
      const { chat, onProgress, timeoutMs } = options;
      const texts = typeof prompts === "string" ? [prompts] : prompts;
      const found = await this.route(texts, { chat, signal, onProgress, timeoutMs });
      const routes = found.map(({ mask }) => mask);
      return writeByRoute(this.#on, this.masks, { texts, routes }, { ...options, signal });
    });
  }

  /**
   * Saves masks, repairs, router and what was measured; {@link Model.loadRoutes} reads it, for the same
   * model. `routes.json` comes last: a folder without it was not finished.
   *
   * @throws DepthkitError TARGET_NOT_EMPTY, DISK_FULL, INVALID_ARGUMENT
   */
  async save(folder: string, options: CallOptions = {}): Promise<void> {
    checkOptions("save routes", options, workerCallChecks);
    await withTimeLimit("save routes", options, (signal) =>
      saveRoutes(this.#on, folder, this, { ...options, signal }),
    );
  }

  /** Gives back the repairs of its masks. */
  async close(): Promise<void> {
    await Promise.all(this.masks.map(({ subnetwork }) => subnetwork[Symbol.asyncDispose]()));
  }

  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
