import { chmodSync, existsSync, lstatSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { curveKeyPair } from "zeromq";
import { z } from "zod";
import { DepthkitError } from "../errors.ts";
import { aText, checkArgument, checkOptions, listOf } from "../options.ts";
import { parseJson } from "../platform/json.ts";

/** The letters of Z85, in which 32 bytes are 40. */
const key = z.string().regex(/^[0-9a-zA-Z.\-:+=^!/*?&<>()[\]{}@%$#]{40}$(?!\n)/);

/** One's own pair for CURVE, and the public keys of those who are let in, or who must answer. */
const keyFile = z.strictObject({ public: key, secret: key, trusted: z.record(z.string().min(1), key) });
export type KeyFile = z.infer<typeof keyFile>;

/** What `makeKeys` takes. */
export interface MakeKeysOptions {
  /** Files with public keys, as this function writes them beside each key file. */
  trust?: readonly string[] | undefined;
}

/** The files that `makeKeys` wrote. */
export interface MadeKeys {
  /** The key file: it holds the secret, and only its owner may read it. */
  readonly file: string;
  /** The file with the public key, which may go anywhere. */
  readonly publicFile: string;
  readonly public: string;
  /** The names of those it trusts: of their files, without `.pub`. */
  readonly trusted: readonly string[];
}

/** See `src/calls.ts`, as for the entry point's other calls. */
export function makeKeys(file: string, options: MakeKeysOptions = {}): MadeKeys {
  checkArgument("makeKeys", "file", file, aText);
  checkOptions("makeKeys", options, { trust: listOf(aText) });
  const path = resolve(file);
  const added = Object.fromEntries((options.trust ?? []).map(readPublic));
  const there = existsSync(path);
  if (there && Object.keys(added).length === 0) {
    throw new DepthkitError(
      "TARGET_NOT_EMPTY",
      `Making keys: ${path} is there already, and keys are never written over. Choose another file, or ` +
        "remove it; whoever trusts it must then be given its new public key.",
      { details: { path } },
    );
  }
  const { trusted, ...own } = there ? readKeys(path) : newPair();
  const keys: KeyFile = { ...own, trusted: { ...trusted, ...added } };
  const publicFile = `${path.replace(/\.keys$/, "")}.pub`;
  writeWhole(path, `${JSON.stringify(keys, undefined, 2)}\n`, 0o600);
  writeWhole(publicFile, `${keys.public}\n`, 0o644);
  return { file: path, publicFile, public: keys.public, trusted: Object.keys(keys.trusted) };
}

/**
 * A key file that only its owner can read.
 *
 * @throws DepthkitError FILE_NOT_FOUND, INVALID_ARGUMENT
 */
export function readKeys(file: string): KeyFile {
  const text = read(file, "key file", "Make one: npx depthkit keys FILE");
  const mode = lstatSync(file).mode & 0o777;
  if (process.platform !== "win32" && (mode & 0o077) !== 0) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `The key file ${file} holds a secret, and others than its owner may open it (mode ` +
        `${mode.toString(8)}). Run: chmod 600 ${file}; if others could read it, make new keys.`,
      { details: { path: file } },
    );
  }
  const keys = parseJson(text, keyFile);
  if (keys !== undefined) return keys;
  const words = `${file} is no key file as \`depthkit keys\` makes them, or is damaged.`;
  throw new DepthkitError("INVALID_ARGUMENT", words, { details: { path: file } });
}

function newPair(): KeyFile {
  const { publicKey, secretKey } = curveKeyPair();
  return { public: publicKey, secret: secretKey, trusted: {} };
}

function readPublic(file: string): [name: string, key: string] {
  const text = read(
    file,
    "public key",
    "It is the .pub file that `depthkit keys` wrote on the other machine.",
  );
  const parsed = key.safeParse(text.trim());
  if (parsed.success) return [basename(file, ".pub"), parsed.data];
  const words = `${file} holds no public key: give a .pub file of \`depthkit keys\`, never a key file.`;
  throw new DepthkitError("INVALID_ARGUMENT", words, { details: { path: file } });
}

function read(file: string, what: string, remedy: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const words = `The ${what} ${file} cannot be read. ${remedy}`;
    throw new DepthkitError("FILE_NOT_FOUND", words, { cause, details: { path: file } });
  }
}

/** There whole or not at all, and with its mode before there is anything in it. */
function writeWhole(path: string, text: string, mode: number): void {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, "", { mode, flag: "wx" });
  chmodSync(temporary, mode);
  writeFileSync(temporary, text, { flush: true });
  renameSync(temporary, path);
}
