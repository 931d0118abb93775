import { connect } from "node:net";

/** How long a machine may take to answer; one that is silent does not refuse. */
const PATIENCE_MS = 5_000;

/**
 * Whether the machine of `tcp://host:port` is there and nothing listens at that port. ZeroMQ tells both
 * alike: a machine that refuses, and one that cannot be reached.
 */
export function refuses(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect({ host: hostname.replace(/^\[|\]$/g, ""), port: Number(port) });
    const tell = (refused: boolean) => {
      socket.destroy();
      resolve(refused);
    };
    socket.setTimeout(PATIENCE_MS, () => tell(false));
    socket.once("connect", () => tell(false));
    socket.once("error", (error) => {
      // A name may have several addresses.
      const errors: NodeJS.ErrnoException[] = error instanceof AggregateError ? error.errors : [error];
      tell(errors.every(({ code }) => code === "ECONNREFUSED"));
    });
  });
}
