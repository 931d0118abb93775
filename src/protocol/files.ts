import { z } from "zod";
import { exportedFile } from "./export.ts";
import { count, digest, list, named, path, upTo } from "./schema.ts";
import { tensorRef } from "./tensor.ts";

/** Of a file in one message: under CURVE, messages of this size are as fast as any (docs/remote.md). */
export const CHUNK_BYTES = 1 << 20;

export const filesDigestParams = named(
  "FilesDigestParams",
  z.strictObject({ files: list(path(), 1).describe("Files of text, such as a corpus is made of.") }),
);
export const filesDigestResult = named(
  "FilesDigestResult",
  z.object({ digests: list(digest()).describe("sha256 of each file's bytes.") }),
);

const folder = path().describe("One that this worker wrote an export or a saved subnetwork to.");

export const filesListParams = named("FilesListParams", z.strictObject({ folder }));
export const filesListResult = named("FilesListResult", z.object({ files: list(exportedFile) }));

export const filesReadParams = named(
  "FilesReadParams",
  z.strictObject({
    folder,
    name: z.string().min(1).describe("As it was listed."),
    offset: count(),
    bytes: upTo(CHUNK_BYTES),
  }),
);
export const filesReadResult = named(
  "FilesReadResult",
  z.object({ data: tensorRef.describe("uint8; shorter than asked for at the file's end.") }),
);
