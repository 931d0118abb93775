import type { JournalKey } from "../journal/key.ts";
import { packageVersion } from "../platform/package-root.ts";
import type { ModelInfo } from "../protocol/model.ts";

/** Of a model, all that determines a value computed with it. */
export function modelKey({ weightsDigest, dtype, device, attention }: ModelInfo): {
  [name: string]: JournalKey;
} {
  return { engine: packageVersion(), weights: weightsDigest, dtype, device, attention };
}
