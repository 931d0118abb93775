/** Schemas that more than one method group uses. */
import { z } from "zod";
import type { Progress } from "../progress.ts";
import { unitKinds } from "./names.ts";
import { count, digest, finite, handle, list, named, path } from "./schema.ts";

export const empty = named("Empty", z.strictObject({}));

export const modelHandle = named("ModelHandle", handle("model"));
export const corpusHandle = named("CorpusHandle", handle("corpus"));
export const taskHandle = named("TaskHandle", handle("task"));
/** What subnetworks are scored on. */
export const dataHandle = named("DataHandle", handle("(corpus|task)"));
export const repairHandle = named("RepairHandle", handle("repair"));

/** A kind of unit: `block`, `attention` or `feed-forward`. */
export const unitKind = named("UnitKind", z.enum(unitKinds));
/** A kind of unit: `block`, `attention` or `feed-forward`. */
export type UnitKind = (typeof unitKinds)[number];

/** A removable part of the model: its kind and its block's number, from 0. */
export type UnitName = `${UnitKind}.${number}`;
export const unitName = named(
  "UnitName",
  z.string().regex(/^(block|attention|feed-forward)\.[0-9]{1,6}$(?!\n)/),
) as unknown as z.ZodType<UnitName, UnitName>;

/** The subnetwork that a call works on, as fields of its params. */
export const subject = {
  model: modelHandle,
  removed: list(unitName),
  repairs: list(repairHandle).describe("In the order they were made."),
};

/** What grows as the exponential of a loss: JSON has no infinity, and `Number` reads the word as one. */
export const finiteOrInfinity = named("FiniteOrInfinity", z.union([finite(), z.enum(["Infinity"])]));
/** A number, or the word for an infinite one, which JSON has no number for. */
export type FiniteOrInfinity = z.infer<typeof finiteOrInfinity>;

const bosPolicies = ["auto", "always", "never"] as const;
/** `auto`: what the tokeniser itself adds; `always` refuses a tokeniser that has no BOS token. */
export const bosPolicy = named("BosPolicy", z.enum(bosPolicies));
/** Whether a BOS token begins each sequence. */
export type BosPolicy = (typeof bosPolicies)[number];

const orOnHub = "Or names on the Hugging Face hub, such as hf://datasets/OWNER/NAME/PATH.";

export const fileSource = named(
  "FileSource",
  z.strictObject({
    kind: z.literal("files"),
    files: list(path(), 1).describe(
      "Paths of .txt files, or of files of rows: .jsonl, .jsonl.gz, .json, .json.gz, .csv, .tsv, .parquet. " +
        orOnHub,
    ),
    textField: z.string().min(1).default("text").describe("The field of a JSON line that holds its text."),
    strict: z
      .boolean()
      .default(false)
      .describe("Refuse lines without text, where otherwise they are counted and skipped."),
  }),
);
export const textSource = named(
  "TextSource",
  z.strictObject({ kind: z.literal("texts"), texts: list(z.string(), 1) }),
);
export const dataSource = named("DataSource", z.discriminatedUnion("kind", [fileSource, textSource]));

/** What was read, so that a number can name its data. */
export const dataInfo = named(
  "DataInfo",
  z.object({
    digest: digest().describe("sha256 of the text records, whatever file they came in."),
    files: list(z.string()).describe(
      "The files it was read from, a hub's with its commit; empty where texts were given.",
    ),
    records: count().describe("Text records read."),
    skipped: count().describe("Records without text, left out."),
    lines: count().describe("Lines of the files, those without text included."),
    characters: count().describe("Characters of the text."),
    bytes: count().describe("Bytes of the text in UTF-8."),
  }),
);
/** What was read: the digest of the data, and how much of it there was. */
export type DataInfo = z.infer<typeof dataInfo>;

const firstToken = named(
  "FirstToken",
  z.object({
    id: count().describe("The token's number in the vocabulary."),
    piece: z.string().describe("As the tokenizer's vocabulary writes it."),
  }),
);
/** A token of the text as the model gets it, for people to look at. */
export type FirstToken = z.infer<typeof firstToken>;

/** What text became, for people to look at. */
export const firstTokens = list(firstToken).describe("The first tokens, 16 at most, as the model gets them.");

/** Rows of a task: one JSON object each. */
const rowFiles = named(
  "RowFiles",
  z.strictObject({
    kind: z.literal("files"),
    files: list(path(), 1).describe(
      `Paths of files of rows: .jsonl, .jsonl.gz, .json, .json.gz, .csv, .tsv, .parquet. ${orOnHub}`,
    ),
  }),
);
const ownRows = named(
  "OwnRows",
  z.strictObject({
    kind: z.literal("rows"),
    rows: list(z.string().min(2), 1).describe("JSON objects, as text."),
  }),
);
export const rowSource = named("RowSource", z.discriminatedUnion("kind", [rowFiles, ownRows]));

/** How far a long call of the worker is. */
export const progress = named(
  "Progress",
  z.object({
    phase: z.string().describe("What is being done."),
    done: count(),
    total: count().nullable().describe("Null where it is not known beforehand."),
    unit: z.string().describe("What is counted, such as tokens or bytes; empty for plain steps."),
    seconds: finite().describe("Since the call began."),
  }),
) satisfies z.ZodType<Progress>;
