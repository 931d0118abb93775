/**
 * Heights for labels that want to stand at given ones: at least `gap` apart, between `top` and `bottom`, and
 * together as near to where they want to be as squares tell. In the order given.
 */
export function placeLabels(
  wanted: readonly number[],
  { gap, top, bottom }: { gap: number; top: number; bottom: number },
): number[] {
  const order = wanted.map((_, index) => index).sort((a, b) => (wanted[a] ?? 0) - (wanted[b] ?? 0));
  // Without the gaps in between, labels that push each other stand at one height: their mean.
  const blocks: { sum: number; count: number }[] = [];
  for (const [rank, index] of order.entries()) {
    let block = { sum: (wanted[index] ?? 0) - rank * gap, count: 1 };
    for (let last = blocks.at(-1); last && mean(last) >= mean(block); last = blocks.at(-1)) {
      blocks.pop();
      block = { sum: last.sum + block.sum, count: last.count + block.count };
    }
    blocks.push(block);
  }
  const highest = Math.max(top, bottom - (wanted.length - 1) * gap);
  const heights = blocks.flatMap((block) =>
    Array.from({ length: block.count }, () => Math.min(Math.max(mean(block), top), highest)),
  );
  const placed: number[] = [];
  for (const [rank, index] of order.entries()) placed[index] = (heights[rank] ?? 0) + rank * gap;
  return placed;
}

const mean = ({ sum, count }: { sum: number; count: number }) => sum / count;
