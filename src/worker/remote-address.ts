import { DepthkitError } from "../errors.ts";

/**
 * Where a worker listens, as `tcp://host:port`; to listen, the port may be `*` for any that is free, and the
 * host `*` or `0.0.0.0` for every network of the machine.
 *
 * @throws DepthkitError INVALID_ARGUMENT
 */
export function checkAddress(call: string, address: string, { listen }: { listen: boolean }): void {
  const [, host = "", port = ""] =
    /^tcp:\/\/(\[[0-9a-fA-F:.%]+\]|[^\s:/]+):([0-9]{1,5}|\*)$/.exec(address) ?? [];
  const everywhere = host === "*" || port === "*";
  const possible = port === "*" || (Number(port) > 0 && Number(port) < 65_536);
  if (host !== "" && possible && (listen || !everywhere)) return;
  throw new DepthkitError(
    "INVALID_ARGUMENT",
    `${call}: ${JSON.stringify(address)} is no address of a worker: expected tcp://host:port, with a port ` +
      "from 1 to 65535 and an IPv6 address in brackets.",
    { details: { address } },
  );
}
