import { entry, groupBy, item, present } from "../../arrays.ts";
import type { Subject } from "../../evaluation/subject.ts";
import type { Generation } from "../../protocol/generation.ts";
import { type GenerateOptions, generateText } from "../generate.ts";
import type { RoutedSubnetwork, RouteMask } from "./content.ts";

export interface RoutedText extends Generation {
  /** The name of the mask that wrote it. */
  readonly mask: string;
}

/** What was written along routes, and what each token ran. */
export interface RoutedTexts {
  /** One for each prompt, in their order. */
  readonly generations: readonly RoutedText[];
  /** Bytes of KV cache that one token takes, by the mask; of masks that wrote. */
  readonly kvBytesPerToken: Readonly<Record<string, number>>;
  /** Seconds that writing took. */
  readonly seconds: number;
}

/** Writes behind the texts, those of a route together. */
export async function writeByRoute(
  on: Subject,
  masks: readonly RouteMask<RoutedSubnetwork>[],
  { texts, routes }: { readonly texts: readonly string[]; readonly routes: readonly string[] },
  { onText, ...options }: GenerateOptions,
): Promise<RoutedTexts> {
  const written = new Map<number, RoutedText>();
  const kvBytesPerToken: Record<string, number> = {};
  let seconds = 0;
  for (const [mask, places] of groupBy(texts.keys(), (place) => item(routes, place))) {
    const { removed, repairs } = present(masks.find(({ name }) => name === mask)?.subnetwork, "a mask");
    const prompts = places.map((place) => item(texts, place));
    const found = await generateText({ ...on, removed, repairs }, prompts, {
      ...options,
      ...(onText && {
        onText: ({ prompt, text }) => onText({ prompt: item(places, prompt), text }),
      }),
    });
    for (const [at, one] of found.generations.entries()) written.set(item(places, at), { ...one, mask });
    kvBytesPerToken[mask] = found.kvBytesPerToken;
    seconds += found.seconds;
  }
  return { generations: texts.map((_, place) => entry(written, place)), kvBytesPerToken, seconds };
}
