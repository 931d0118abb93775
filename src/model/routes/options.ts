import type { z } from "zod";
import { DepthkitError } from "../../errors.ts";
import { someText, type TextData } from "../../evaluation/text-data.ts";
import { anObject, aText, aWhole, listOf, recordOf, required } from "../../options.ts";
import type { UnitName } from "../../protocol/common.ts";
import { promptOptions } from "../../protocol/routing.ts";
import { engineOptions } from "../../protocol/subnetworks.ts";
import { checkCallOptions, fits, optionsOf } from "../../rpc/parse-params.ts";
import { type ModelSearchOptions, searchChecks } from "../search/options.ts";
import { type SplitTextOptions, splitChecks, splitCorpusOptions } from "../search/text-parts.ts";
import type { RoutePrompt } from "./prompts.ts";

/** How each domain's text is split into parts that share nothing: those of a search, and the router's. */
export interface RoutesSplit
  extends Omit<SplitTextOptions, "packing" | "report" | "signal" | "onProgress" | "timeoutMs"> {
  /** Sequences that the router learns on. */
  train: number;
  /** Sequences that decide nothing and say what routing is worth. */
  report: number;
}

/** How routes are made: a search per domain, all with the same budget and settings, then a router. */
export interface RoutesOptions extends Omit<ModelSearchOptions, "fit" | "choose" | "report"> {
  /** The domains' texts by name: letters, digits, `.`, `_` and `-`. */
  texts: Readonly<Record<string, TextData>>;
  split: RoutesSplit;
  /**
   * Which tokens choose a route (the first 32), and in front of which block they are read (0: as embedded).
   */
  prompt?: z.input<typeof promptOptions> | undefined;
  /** Masks beside the domains' own that the router may choose too, such as one found on all texts mixed. */
  masks?: Readonly<Record<string, readonly UnitName[]>> | undefined;
}

const { fit: _, choose: __, report: ___, ...ofSearches } = searchChecks;

const { fit, choose, draw } = splitChecks;

/** Two sequences at least of what has an error. */
const aSplit = optionsOf(splitCorpusOptions.omit({ packing: true }), {
  ...{ fit, choose, draw },
  train: required(aWhole(2)),
  report: required(aWhole(2)),
});

/** @throws DepthkitError INVALID_ARGUMENT with what is wrong with the options */
export function checkRoutes(options: RoutesOptions): RoutePrompt {
  checkCallOptions("routes", options, engineOptions, {
    ...ofSearches,
    texts: required(recordOf(someText)),
    split: required(aSplit),
    prompt: { ...fits(promptOptions), ...anObject },
    masks: recordOf(listOf(aText)),
  });
  const { texts, masks = {}, split } = options;
  const names = [...Object.keys(texts), ...Object.keys(masks)];
  if (Object.keys(texts).length === 0) refuse("there is no text; name at least one domain's");
  for (const name of names) {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) {
      refuse(
        `${JSON.stringify(name)} names a domain or a mask; a name is of letters, digits, ".", "_" and "-", ` +
          "64 at most, and begins with a letter or digit, as folders are called by it",
      );
    }
  }
  const twice = names.find(
    (name, at) => names.findIndex((one) => one.toLowerCase() === name.toLowerCase()) < at,
  );
  if (twice !== undefined) refuse(`two masks would be called ${twice}; give each a name of its own`);
  const prompt = promptOptions.parse(options.prompt ?? {});
  const { length = 512 } = split;
  if (length <= prompt.tokens) {
    refuse(
      `the first ${prompt.tokens} tokens choose the route and what follows is scored, and sequences have ` +
        `${length}; let split.length be more than prompt.tokens`,
    );
  }
  return prompt;
}

/** @throws DepthkitError INVALID_ARGUMENT */
export function refuse(why: string): never {
  throw new DepthkitError("INVALID_ARGUMENT", `Making routes: ${why}.`);
}
