import { item } from "../../arrays.ts";
import { DepthkitError } from "../../errors.ts";
import { meanOf } from "../choice-certainty.ts";
import { spectralClusters } from "../spectral-clusters.ts";
import type { Strategy } from "../strategy.ts";

type Similarities = readonly (readonly number[])[];

/**
 * By clusters of players that are alike (LoRP, arXiv 2605.27786): first the most redundant candidate of each
 * cluster, as far as the budget goes; then again and again that of the cluster whose rest is most alike. How
 * redundant a player is: its mean similarity to all others of its cluster (equation 8), measured once. Of
 * equal players the first goes, of equal clusters that of the first player.
 */
export function clusters(given: Similarities | undefined, count: number | undefined): Strategy {
  return {
    async search({ space }) {
      const similarities = checked(given, space.players);
      const affinity = similarities.map((row) => row.map((similarity) => (similarity + 1) / 2));
      const labels = spectralClusters(affinity, count ?? clustersFor(similarities));
      const members = [...new Set(labels)].map((label) =>
        [...labels.keys()].filter((player) => labels[player] === label),
      );
      const queues = members.map((cluster) =>
        cluster
          .filter((player) => space.candidates.includes(player))
          .map((player) => ({ player, redundancy: redundancy(player, cluster, similarities) }))
          .sort((a, b) => descending(a.redundancy, b.redundancy) || a.player - b.player),
      );
      const removed: number[] = [];
      const next = (cluster: number) => {
        const left = space.extensions(removed);
        return queues[cluster]?.find(({ player }) => left.includes(player))?.player;
      };
      const remove = (player: number | undefined) => {
        if (player !== undefined) removed.push(player);
      };
      for (const cluster of members.keys()) remove(next(cluster));
      while (!space.isMet(removed)) {
        const rests = members.map((cluster) => alikeness(cluster, removed, similarities));
        const open = [...members.keys()].filter((cluster) => next(cluster) !== undefined);
        remove(next(open.reduce((a, b) => (item(rests, b) > item(rests, a) ? b : a))));
      }
      return space.complete(removed, removed);
    },
  };
}

/** The published choice, by how local similarity is: -log2 of its mean between players (section 5.1). */
export function clustersFor(similarities: Similarities): number {
  const mean = meanOf(similarities.flatMap((row, i) => row.slice(i + 1)));
  const locality = mean > 0 ? -Math.log2(mean) : Number.POSITIVE_INFINITY;
  if (locality >= 1) return 2;
  return locality >= 0.7 ? 3 : 4;
}

/** A player alone in its cluster has nothing that could stand in for it: it goes last. */
function redundancy(player: number, cluster: readonly number[], similarities: Similarities): number {
  const others = cluster.filter((other) => other !== player);
  if (others.length === 0) return Number.NEGATIVE_INFINITY;
  return meanOf(others.map((other) => item(item(similarities, player), other)));
}

/** The mean similarity of those of a cluster that are still there (equation 10). */
function alikeness(
  cluster: readonly number[],
  removed: readonly number[],
  similarities: Similarities,
): number {
  const rest = cluster.filter((player) => !removed.includes(player));
  if (rest.length < 2) return Number.NEGATIVE_INFINITY;
  return meanOf(
    rest.flatMap((one, at) => rest.slice(at + 1).map((other) => item(item(similarities, one), other))),
  );
}

const descending = (a: number, b: number) => (a === b ? 0 : b - a);

function checked(similarities: Similarities | undefined, players: number): Similarities {
  if (similarities === undefined) {
    refuse("it needs `similarities`, a number between every two players");
  }
  if (similarities.length !== players || similarities.some((row) => row.length !== players)) {
    refuse(
      `\`similarities\` has ${similarities.length} rows; it needs ${players}, each of ${players} numbers`,
    );
  }
  for (const [i, row] of similarities.entries()) {
    const j = row.findIndex((one, at) => {
      const other = similarities[at]?.[i] ?? Number.NaN;
      // Sums over tokens that were taken in another order differ in their last digits.
      return !(Math.abs(one) <= 1 && Math.abs(one - other) <= 1e-9);
    });
    if (j >= 0) {
      refuse(
        `the similarity of players ${i} and ${j} is ${row[j]} one way and ${similarities[j]?.[i]} the ` +
          "other; it is a number from -1 to 1, the same both ways",
      );
    }
  }
  return similarities;
}

function refuse(why: string): never {
  throw new DepthkitError("INVALID_ARGUMENT", `Searching by "clusters": ${why}.`);
}
