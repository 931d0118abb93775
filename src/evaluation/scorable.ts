import type { JournalKey } from "../journal/key.ts";
import type { Measure } from "../protocol/subnetworks.ts";
import type { Executor } from "../rpc/executor.ts";

/** What subnetworks are scored on: a corpus or a task that a worker holds. */
export interface Scorable {
  /** The worker's name for it, for a call over this connection. */
  on(connection: Executor): string;
  /** What can be measured on it; the first is where nothing is named. */
  readonly measures: readonly [Measure, ...Measure[]];
  /** All of it that determines a measure. */
  readonly key: Readonly<Record<string, JournalKey>>;
}
