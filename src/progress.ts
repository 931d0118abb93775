/** How far a long call is: what every `onProgress` hears. */
export interface Progress {
  /**
   * What is being done. `queued`: nothing yet, and of `total` calls that were ahead of this one, `done` have
   * ended. `again: ...`: what the call needs is made again, in a new worker or in another one of a pool.
   */
  readonly phase: string;
  /** How much of it is done. */
  readonly done: number;
  /** Null where it is not known beforehand. */
  readonly total: number | null;
  /** What is counted, such as tokens or bytes; empty for plain steps. */
  readonly unit: string;
  /** Since the call began. */
  readonly seconds: number;
}
