import { createHash, type Hash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, statSync } from "node:fs";
import { type FileHandle, open, rename } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { z } from "zod";
import { DepthkitError } from "../errors.ts";
import { pathFor } from "../evaluation/paths.ts";
import { aText, checkArgument, checkOptions } from "../options.ts";
import { asFileError } from "../platform/file-error.ts";
import { readJson, writeJson } from "../platform/json.ts";
import { exportedFile } from "../protocol/export.ts";
import { CHUNK_BYTES } from "../protocol/files.ts";
import type { CallOptions } from "../rpc/call-options.ts";
import type { Executor } from "../rpc/executor.ts";
import { withTimeLimit, workerCallChecks } from "../rpc/time-limit.ts";

/** Chunks asked for before the first has come: what keeps a long line busy. */
const IN_FLIGHT = 8;
const LISTING = "depthkit-fetch.json";

/** What is being fetched, as the worker listed it: kept beside the files until all have come. */
const listingSchema = z.strictObject({ from: z.string(), files: z.array(exportedFile).readonly() });
type Listing = z.infer<typeof listingSchema>;
type FetchedFile = Listing["files"][number];

/** A folder that was copied from a worker's machine. */
export interface FetchedFolder {
  /** The folder of this machine. */
  readonly folder: string;
  readonly files: readonly FetchedFile[];
  /** Bytes that came now; fewer than the files' where an earlier call had begun. */
  readonly fetchedBytes: number;
}

export async function fetchFolder(
  connection: Executor,
  from: string,
  target: string,
  options: CallOptions,
): Promise<FetchedFolder> {
  checkArgument("fetch", "folder", from, aText);
  checkArgument("fetch", "target", target, aText);
  checkOptions("fetch", options, workerCallChecks);
  return withTimeLimit("fetch", options, (signal) =>
    fetchAll(connection, from, target, { ...options, signal }),
  );
}

async function fetchAll(
  connection: Executor,
  from: string,
  target: string,
  options: CallOptions,
): Promise<FetchedFolder> {
  const folder = resolve(target);
  checkFree(folder);
  const source = pathFor(connection, from);
  const { result } = await connection.call("files.list", { folder: source }, options);
  const listing: Listing = { from: source, files: result.files };
  try {
    const partial = openPartial(folder, listing);
    const fetchedBytes = await fetchFiles(connection, listing, partial, options);
    rmSync(join(partial, LISTING));
    if (existsSync(folder)) rmdirSync(folder);
    await rename(partial, folder);
    return { folder, files: listing.files, fetchedBytes };
  } catch (error) {
    throw asFileError(error, {
      doing: `Fetching ${from}`,
      path: folder,
      whenFull: "Free some space, and fetch again: it goes on from what has come.",
      code: "INVALID_ARGUMENT",
      otherwise: "Choose a folder that can be written.",
    });
  }
}

function checkFree(folder: string): void {
  if (!existsSync(folder) || (statSync(folder).isDirectory() && readdirSync(folder).length === 0)) return;
  throw new DepthkitError("TARGET_NOT_EMPTY", `Fetching to ${folder}: there is something already.`, {
    details: { folder },
  });
}

/** The folder that the files come to first, with what an earlier call left of the same. */
function openPartial(folder: string, listing: Listing): string {
  const partial = `${folder}.partial`;
  const before = readJson(join(partial, LISTING), listingSchema);
  if (before === undefined && existsSync(partial) && readdirSync(partial).length > 0) {
    throw new DepthkitError(
      "TARGET_NOT_EMPTY",
      `Fetching to ${folder}: the files come to ${partial} first, and that holds something else.`,
      { details: { folder: partial } },
    );
  }
  if (before !== undefined && JSON.stringify(before) !== JSON.stringify(listing)) {
    rmSync(partial, { recursive: true });
  }
  mkdirSync(partial, { recursive: true });
  writeJson(join(partial, LISTING), listing);
  return partial;
}

async function fetchFiles(
  connection: Executor,
  { from, files }: Listing,
  partial: string,
  { signal, timeoutMs, onProgress }: CallOptions,
): Promise<number> {
  const started = performance.now();
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  let fetched = 0;
  const come = (bytes: number, anew: boolean) => {
    done += bytes;
    if (anew) fetched += bytes;
    const seconds = (performance.now() - started) / 1_000;
    onProgress?.({ phase: "fetching", done, total, unit: "bytes", seconds });
  };
  for (const file of files) {
    const path = pathWithin(partial, file.name);
    mkdirSync(dirname(path), { recursive: true });
    const there = existsSync(path) ? statSync(path).size : 0;
    await using writer = await open(path, there > file.bytes ? "w" : "a");
    const digest = createHash("sha256");
    let offset = there > file.bytes ? 0 : there;
    if (offset > 0) await readInto(path, digest);
    come(offset, false);
    const read = (at: number) => {
      const bytes = Math.min(CHUNK_BYTES, file.bytes - at);
      const call = connection.call(
        "files.read",
        { folder: from, name: file.name, offset: at, bytes },
        { signal, timeoutMs },
      );
      call.catch(() => {}); // told when its turn comes
      return call;
    };
    const asked: ReturnType<typeof read>[] = [];
    let next = offset;
    while (offset < file.bytes) {
      for (; next < file.bytes && asked.length < IN_FLIGHT; next += CHUNK_BYTES) asked.push(read(next));
      const answer = await asked.shift();
      if (answer === undefined) break;
      const { data } = answer.tensor(answer.result.data);
      if (data.length === 0) break; // it became shorter, which the digest tells
      await append(writer, data as Uint8Array, digest);
      offset += data.length;
      come(data.length, true);
    }
    await writer.sync();
    if (digest.digest("hex") === file.sha256) continue;
    rmSync(path);
    throw new DepthkitError(
      "MODEL_INVALID",
      `Fetching ${from}: ${file.name} is not what the worker listed: it changed meanwhile. Fetch again.`,
      { details: { folder: from, name: file.name } },
    );
  }
  return fetched;
}

async function append(writer: FileHandle, data: Uint8Array, digest: Hash): Promise<void> {
  digest.update(data);
  await writer.write(data);
}

async function readInto(path: string, digest: Hash): Promise<void> {
  for await (const part of createReadStream(path)) digest.update(part as Buffer);
}

/** Names come from another machine: none may lead out of the folder. */
function pathWithin(folder: string, name: string): string {
  const parts = name.split("/");
  const plain = (part: string) => part !== "" && part !== "." && part !== ".." && !/[\\:]/.test(part);
  if (parts.every(plain)) return join(folder, ...parts);
  throw new DepthkitError(
    "PROTOCOL",
    `The worker lists a file named ${JSON.stringify(name)}, which is refused.`,
  );
}
