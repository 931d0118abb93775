/** Moves messages, each a list of frames, and knows nothing of what is in them. */
export interface Transport {
  /** Queues a message. Frames are not copied: they must not change until the answer has come. */
  send(frames: Uint8Array[]): void;
  /** Stops both directions at once; unsent messages are dropped. Safe to call twice. */
  close(): void;
}

export interface TransportListener {
  onMessage(frames: Uint8Array[]): void;
  /** The transport broke by itself; nothing more will come. */
  onFailure(error: Error): void;
}
