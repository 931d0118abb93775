import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { item } from "../arrays.ts";

/**
 * Normalised spectral clustering (Shi and Malik, 2000), as scikit-learn's `SpectralClustering` on a
 * precomputed affinity: the eigenvectors of the least eigenvalues of I - D^(-1/2) A D^(-1/2), by the root of
 * each point's degree, clustered by k-means. Nothing is drawn: k-means starts from every point in turn, each
 * next centre being the point farthest from those there are, and the least sum of squares is taken, of equal
 * ones the first.
 *
 * `affinity`: symmetric, from 0 on; its diagonal is not read. Returns a label per point, clusters numbered by
 * their first points.
 */
export function spectralClusters(affinity: readonly (readonly number[])[], clusters: number): number[] {
  const points = embed(affinity, Math.min(clusters, affinity.length));
  let best: { labels: number[]; squares: number } | undefined;
  for (const start of points.keys()) {
    const found = kMeans(points, farthestFirst(points, start, clusters));
    // Sums that differ by rounding are the same clusters, found from another start.
    if (best === undefined || found.squares < best.squares * (1 - 1e-9)) best = found;
  }
  return byFirstPoint(best?.labels ?? []);
}

/** A row of coordinates per point. */
function embed(affinity: readonly (readonly number[])[], dimensions: number): number[][] {
  const size = affinity.length;
  const roots = affinity.map((row, i) => Math.sqrt(row.reduce((sum, a, j) => (i === j ? sum : sum + a), 0)));
  // A point without neighbours is a cluster of its own.
  const root = (i: number) => item(roots, i) || 1;
  const laplacian = Array.from({ length: size }, (_, i) =>
    Array.from({ length: size }, (_, j) => (i === j ? 1 : -item(item(affinity, i), j) / root(i) / root(j))),
  );
  // Its eigenvalues come in ascending order.
  const { eigenvectorMatrix } = new EigenvalueDecomposition(new Matrix(laplacian), { assumeSymmetric: true });
  return Array.from({ length: size }, (_, i) =>
    Array.from({ length: dimensions }, (_, k) => eigenvectorMatrix.get(i, k) / root(i)),
  );
}

type Points = readonly (readonly number[])[];

/**
 * The start, then again and again the point farthest from all centres; fewer where no other point is left.
 */
function farthestFirst(points: Points, start: number, count: number): number[][] {
  const centres = [[...item(points, start)]];
  while (centres.length < count) {
    const distances = points.map((point) => item(nearest(point, centres), 1));
    const most = distances.reduce((a, b) => Math.max(a, b));
    if (!(most > 0)) break;
    centres.push([...item(points, distances.indexOf(most))]);
  }
  return centres;
}

/** Lloyd's iteration, until no point changes its cluster. */
function kMeans(points: Points, centres: readonly number[][]): { labels: number[]; squares: number } {
  let labels: number[] = [];
  let at = centres;
  for (;;) {
    const found = points.map((point) => nearest(point, at));
    const next = found.map(([label]) => label);
    if (next.join() === labels.join()) return { labels, squares: found.reduce((sum, [, d]) => sum + d, 0) };
    labels = next;
    at = at.map((centre, label) => meanPoint(points.filter((_, i) => labels[i] === label)) ?? centre);
  }
}

/** The nearest centre, of equally near ones the first, and the square of its distance. */
function nearest(point: readonly number[], centres: Points): [label: number, squared: number] {
  let [label, least] = [0, Number.POSITIVE_INFINITY];
  for (const [number, centre] of centres.entries()) {
    const squared = point.reduce((sum, x, k) => sum + (x - item(centre, k)) ** 2, 0);
    if (squared < least) [label, least] = [number, squared];
  }
  return [label, least];
}

function meanPoint(points: Points): number[] | undefined {
  return points[0]?.map((_, k) => points.reduce((sum, point) => sum + item(point, k), 0) / points.length);
}

function byFirstPoint(labels: readonly number[]): number[] {
  const order = [...new Set(labels)];
  return labels.map((label) => order.indexOf(label));
}
