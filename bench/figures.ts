/** Repeated measurements as a bench shows them. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

export function show(values: readonly number[], unit: string): string {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return `${median(values).toPrecision(3)} ${unit} (${low.toPrecision(3)} to ${high.toPrecision(3)})`;
}
