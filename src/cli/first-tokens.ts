import type { Command } from "commander";
import type { Corpus, FirstToken } from "../index.ts";
import { formatCount } from "../report/index.ts";

/** A flag of every command that makes tokens of text. */
export interface TokensFlag {
  dumpTokens: boolean;
}

export function addTokensFlag(command: Command): Command {
  return command.option(
    "--dump-tokens",
    "show the first tokens of what was tokenised, with their ids",
    false,
  );
}

/** One of the things that were tokenised. */
export interface Tokenised {
  name: string;
  firstTokens: readonly FirstToken[];
}

/** `text` with the tokens below it, where the flag asks for them. */
export function withTokens(text: string, { dumpTokens }: TokensFlag, of: readonly Tokenised[]): string {
  if (!dumpTokens) return text;
  const shown = ({ id, piece }: FirstToken) => `${id} ${JSON.stringify(piece)}`;
  const lines = of.map(
    ({ name, firstTokens }) => `First tokens of ${name}: ${firstTokens.map(shown).join(", ")}`,
  );
  return [text, ...lines].join("\n\n");
}

export const corpusTokens = ({ info }: Corpus): Tokenised => ({
  name: "the first sequence",
  firstTokens: info.firstTokens,
});

/** What is said behind a BOS policy of texts that bring their own token. */
export function ownBos(count: number, what: string): string {
  return count === 0
    ? ""
    : `; ${formatCount(count)} ${what} begin with one of the text's own, and have no second`;
}
