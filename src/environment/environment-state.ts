import { environmentPython, environmentsFor } from "./environment-folder.ts";
import { damageOf, type EnvironmentMarker, readMarker } from "./environment-marker.ts";
import { type Requirements, requirementsHash } from "./requirements.ts";

export interface Environment {
  folder: string;
  python: string;
  marker: EnvironmentMarker;
}

export type EnvironmentState =
  | { kind: "ready"; environment: Environment }
  | { kind: "damaged"; folder: string; reason: string }
  /** Begun and not finished. */
  | { kind: "unfinished"; folder: string }
  | { kind: "missing" };

/** The managed environment as the disk shows it; starts no process. */
export function environmentState(requirements: Requirements): EnvironmentState {
  let worse: EnvironmentState = { kind: "missing" };
  for (const folder of environmentsFor(requirementsHash(requirements))) {
    const state = stateOfFolder(folder);
    if (state.kind === "ready") return state;
    if (state.kind === "damaged" || worse.kind === "missing") worse = state;
  }
  return worse;
}

export function stateOfFolder(folder: string): EnvironmentState {
  const marker = readMarker(folder);
  if (!marker) return { kind: "unfinished", folder };
  const reason = damageOf(folder, marker);
  if (reason !== undefined) return { kind: "damaged", folder, reason };
  return { kind: "ready", environment: { folder, python: environmentPython(folder), marker } };
}
