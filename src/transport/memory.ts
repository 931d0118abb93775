import type { Transport, TransportListener } from "./transport.ts";

/**
 * Two transports joined back to back in one process: what protocol tests speak through. Messages
 * arrive in order, in a later turn of the event loop, as over a socket.
 */
export function linkedTransports(
  left: TransportListener,
  right: TransportListener,
): { left: Transport; right: Transport } {
  let open = true;
  const end = (peer: TransportListener): Transport => ({
    send(frames) {
      setImmediate(() => {
        if (open) peer.onMessage(frames);
      });
    },
    close() {
      open = false;
    },
  });
  return { left: end(right), right: end(left) };
}
