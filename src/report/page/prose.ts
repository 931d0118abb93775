/** Words as HTML: escaped, some strong, some links. */
import { escapeText } from "../figures/svg.ts";
import type { Inline, Prose } from "../figures/types.ts";
import { anchors, type Context } from "./context.ts";

export function prose(words: Prose, context: Context): string {
  return typeof words === "string" ? escapeText(words) : words.map((part) => inline(part, context)).join("");
}

function inline(part: Inline, context: Context): string {
  if (typeof part === "string") return escapeText(part);
  if ("strong" in part) return `<b>${escapeText(part.strong)}</b>`;
  if ("figure" in part) return figureLink(part.figure, context);
  if ("section" in part) return `<a href="#${anchors.section(part.section)}">${escapeText(part.text)}</a>`;
  return chip(part.protocol);
}

export const figureLink = (id: string, { figureNumbers }: Context) =>
  `<a class="ref" href="#${anchors.figure(id)}">Figure ${figureNumbers.get(id) ?? ""}</a>`;

export const chip = (id: string) => `<a class="chip" href="#${anchors.protocol(id)}">${escapeText(id)}</a>`;
