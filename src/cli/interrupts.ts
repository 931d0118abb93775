/** Another signal within this time of the first is its echo: `timeout` and npm send each to us twice. */
const ECHO_MS = 100;
const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Ctrl-C and its like: the first calls `stop`, the next calls `end`. They are heard for as long as the
 * process lives, since an echo of the first may come when all is done.
 */
export function onInterrupt(
  stop: (signal: string) => void,
  end: (signal: string) => void,
  clock = () => performance.now(),
): void {
  let first: number | undefined;
  const hear = (signal: string) => {
    if (first === undefined) {
      first = clock();
      stop(signal);
    } else if (clock() - first >= ECHO_MS) {
      end(signal);
    }
  };
  for (const signal of signals) process.on(signal, hear);
}
