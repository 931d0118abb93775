import { aWhole, type Check, type Checks, refuse } from "../options.ts";

/** The Ray cluster that a worker has pieces of work done on (docs/cluster.md). */
export interface ClusterOptions {
  /**
   * `auto`: a Ray of this machine alone, which begins and ends with the worker. `ray://host:10001`: a
   * cluster, by its Ray client server; `host:6379`: the same from one of its own nodes.
   */
  cluster?: string | undefined;
  /**
   * Actors to use at most, and to wait for. Default: one for each GPU, or set of GPUs that a model takes, and
   * for a model on a CPU one for up to 8 cores of each node.
   */
  actors?: number | undefined;
}

const MOST_ACTORS = 10_000;
const address = /^(auto|(ray:\/\/)?(\[[0-9a-fA-F:.]+\]|[^\s:/@]+):[0-9]{1,5})$/;

const aCluster: Check = {
  allowed: "auto, ray://host:port, or host:port of a node of the same cluster",
  holds: (value) => typeof value === "string" && address.test(value),
};

export const clusterChecks: Checks<ClusterOptions> = {
  cluster: aCluster,
  actors: aWhole(1, MOST_ACTORS),
};

/** What does nothing is refused. */
export function checkClusterOptions(call: string, { cluster, actors }: ClusterOptions): void {
  if (actors === undefined || cluster !== undefined) return;
  refuse(call, [{ path: "actors", words: "it does nothing without cluster." }]);
}

/** For the worker's command line. */
export function clusterFlags({ cluster, actors }: ClusterOptions): string[] {
  const most = actors === undefined ? [] : ["--actors", String(actors)];
  return cluster === undefined ? [] : ["--cluster", cluster, ...most];
}
