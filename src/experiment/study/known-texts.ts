/** Texts that papers report on: the same name on other bytes gives figures that compare with none of them. */
import { basename } from "node:path";

interface KnownText {
  readonly title: string;
  /** Of the file's name, without regard to case. */
  readonly named: RegExp;
  /** sha256 of the bytes. */
  readonly digest: string;
}

const knownTexts: readonly KnownText[] = [
  {
    title: "the raw test part of WikiText-2 (1,290,590 bytes)",
    named: /^(wiki\.test\.raw|wikitext-?2([-_.]raw)?([-_.]v1)?[-_.]test(\.(txt|raw))?)$/i,
    digest: "173c87a53759e0201f33e0ccf978e510c2042d7f2cb78229d9a50d79b9e7dd08",
  },
];

/** What must be said of files (digests by path) that are called like a known text and are not it. */
export function otherBytes(files: Readonly<Record<string, string>>): string[] {
  return Object.entries(files).flatMap(([file, digest]) =>
    knownTexts
      .filter(({ named, digest: known }) => named.test(basename(file)) && digest !== known)
      .map(
        ({ title, digest: known }) =>
          `${file} is called like ${title}, whose sha256 begins with ${known.slice(0, 12)}, and has other ` +
          `bytes (${digest.slice(0, 12)}): its figures do not compare with published ones.`,
      ),
  );
}
