/** The methods that make something which a worker holds, and how it is given back. */
import type { MethodName, Result } from "../protocol/methods.ts";
import type { Line } from "./line.ts";

/** Of the methods that make something: its handles in the answer, and what must be the same the next time. */
type Makers = {
  readonly [M in MethodName]?: {
    readonly made: (result: Result<M>) => readonly string[];
    readonly digests: (result: Result<M>) => readonly string[];
    /** The call that gives back what a handle names. */
    readonly release:
      | "model.unload"
      | "corpus.unload"
      | "task.unload"
      | "generation.unloadTask"
      | "repair.unload";
  };
};

const makers: Makers = {
  "model.load": {
    made: ({ model }) => [model],
    digests: ({ digest }) => [digest],
    release: "model.unload",
  },
  "corpus.load": {
    made: ({ corpus }) => [corpus],
    digests: ({ info }) => [info.tokensDigest],
    release: "corpus.unload",
  },
  "corpus.write": {
    made: ({ corpus }) => [corpus],
    digests: ({ info }) => [info.tokensDigest],
    release: "corpus.unload",
  },
  "task.load": {
    made: ({ task }) => [task],
    digests: ({ info }) => [info.digest],
    release: "task.unload",
  },
  "generation.loadTask": {
    made: ({ task }) => [task],
    digests: ({ info }) => [info.digest],
    release: "generation.unloadTask",
  },
  "repair.fit": {
    made: ({ repairs }) => repairs,
    digests: ({ report }) => report.repairs.map(({ digest }) => digest),
    release: "repair.unload",
  },
  "gates.learn": {
    made: ({ repairs }) => repairs,
    digests: ({ report }) => report?.repairs.map(({ digest }) => digest) ?? [],
    release: "repair.unload",
  },
  "repair.load": {
    made: ({ repairs }) => repairs,
    digests: ({ infos }) => infos.map(({ digest }) => digest),
    release: "repair.unload",
  },
};
export type Maker = {
  made(result: unknown): readonly string[];
  digests(result: unknown): readonly string[];
} & Pick<NonNullable<Makers["model.load"]>, "release">;
/** The table pairs each method with its result; TypeScript cannot follow that through the lookup. */
export const makerOf = (method: MethodName) => makers[method] as Maker | undefined;

/** Gives back in a worker what this method made there. */
export async function release(line: Line, method: MethodName, handles: readonly string[]): Promise<void> {
  const by = makerOf(method)?.release;
  const [handle = ""] = handles;
  if (by === "repair.unload") await line.connection.call(by, { repairs: handles });
  if (by === "model.unload") await line.connection.call(by, { model: handle });
  if (by === "corpus.unload") await line.connection.call(by, { corpus: handle });
  if (by === "task.unload" || by === "generation.unloadTask")
    await line.connection.call(by, { task: handle });
}
