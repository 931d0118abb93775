import type { ReportDocument } from "../document.ts";

/** What words may lead to: where each figure stands in the order of the page. */
export interface Context {
  readonly figureNumbers: ReadonlyMap<string, number>;
}

export function contextOf({ sections }: ReportDocument): Context {
  const ids = sections.flatMap(({ figures }) => figures.map(({ id }) => id));
  return { figureNumbers: new Map(ids.map((id, index) => [id, index + 1])) };
}

/** Anchors of one page: three kinds of things may share a name. */
export const anchors = {
  section: (id: string) => `s-${id}`,
  figure: (id: string) => `f-${id}`,
  protocol: (id: string) => `p-${id}`,
};
