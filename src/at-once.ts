/** Several things at a time. */

/**
 * What `work` gives of each item, up to `most` of them at a time, begun in their order. Where one fails, no
 * more are begun, the others are stopped by their signal, and when all have ended the failure is thrown.
 */
export async function atOnce<T, R>(
  items: readonly T[],
  most: number,
  work: (item: T, signal: AbortSignal) => Promise<R>,
  signal?: AbortSignal,
): Promise<R[]> {
  const stop = new AbortController();
  const each = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const results = new Array<R>(items.length);
  const left = items.entries();
  const failures: unknown[] = [];
  const next = async (): Promise<void> => {
    for (const [place, item] of left) {
      try {
        results[place] = await work(item, each);
      } catch (error) {
        failures.push(error);
        stop.abort();
      }
      if (failures.length > 0) return;
    }
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, next));
  if (failures.length > 0) throw failures[0];
  return results;
}
