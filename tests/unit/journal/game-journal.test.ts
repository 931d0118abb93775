import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CachedGame } from "../../../src/game/cache.ts";
import { Coalition } from "../../../src/game/coalition.ts";
import { gameFromFunction } from "../../../src/game/game.ts";
import { Journal } from "../../../src/journal/game-journal.ts";
import type { JournalKey } from "../../../src/journal/key.ts";
import { estimateShapley } from "../../../src/shapley/estimate-shapley.ts";
import { randomGame, spy } from "../shapley/games.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "depthkit-journal-"));
});
afterEach(() => rm(directory, { recursive: true }));

const inner = gameFromFunction((c) => [Math.sin(c.size + 0.1) * 1e-17, 1 / 3 - c.size], {
  players: 5,
  values: ["a", "b"],
});
const key: JournalKey = { weights: "sha256:1", data: { file: "x", tokens: 128 }, dtype: "float32" };
const open = (over: JournalKey = key, values = inner.values) =>
  Journal.open({ directory, key: over, players: inner.players, values });
const sets = [[0], [1, 2], [3], [0, 1, 2, 3, 4]].map((members) => Coalition.of(5, members));

async function fill(): Promise<{ path: string; answer: Float64Array }> {
  await using journal = await open();
  const answer = await new CachedGame(inner, journal).evaluate(sets);
  return { path: journal.path, answer };
}

describe("Journal", () => {
  it("gives values back bit for bit, without asking the game again", async () => {
    const { answer } = await fill();
    await using journal = await open();
    expect(journal.damaged).toBe(0);
    const { game, calls } = spy(inner);
    expect(await new CachedGame(game, journal).evaluate(sets)).toEqual(answer);
    expect(calls.size).toBe(0);
  });

  it("recovers from a last line torn at any byte", async () => {
    const { path, answer } = await fill();
    const whole = await readFile(path);
    const headerEnd = whole.indexOf("\n") + 1;
    for (const length of [
      whole.length - 1,
      whole.length - 5,
      headerEnd + 3,
      headerEnd,
      headerEnd - 1,
      7,
      0,
    ]) {
      await writeFile(path, whole);
      await truncate(path, length);
      const { game, calls } = spy(inner);
      {
        await using journal = await open();
        expect(await new CachedGame(game, journal).evaluate(sets)).toEqual(answer);
      }
      // Where only the line end is missing, the line is whole all the same.
      if (length < whole.length - 1) expect(calls.size).toBeGreaterThan(0);
      await using again = await open();
      expect([...again.entries()]).toHaveLength(4);
    }
  });

  it("never takes a damaged line for a hit", async () => {
    const { path } = await fill();
    const text = await readFile(path, "utf8");
    const lines = text.split("\n");
    await writeFile(
      path,
      [
        lines[0],
        (lines[1] as string).replace(/\d(?=\],)/, (d) => String((Number(d) + 1) % 10)),
        ...lines.slice(2),
      ].join("\n"),
    );
    await using journal = await open();
    expect(journal.damaged).toBe(1);
    expect([...journal.entries()]).toHaveLength(3);
  });

  it("keeps apart what differs in anything", async () => {
    const { path } = await fill();
    const others: [JournalKey, readonly string[]][] = [
      [{ ...(key as object), dtype: "bfloat16" }, inner.values],
      [{ ...(key as object), extra: null }, inner.values],
      [{ weights: "sha256:1", data: { file: "x", tokens: 129 }, dtype: "float32" }, inner.values],
      [key, ["b", "a"]],
    ];
    for (const [other, values] of others) {
      await using journal = await open(other, values);
      expect(journal.path).not.toBe(path);
      expect([...journal.entries()]).toEqual([]);
    }
    // The order in which a key's fields were written is no difference.
    await using same = await open({
      dtype: "float32",
      data: { tokens: 128, file: "x" },
      weights: "sha256:1",
    });
    expect(same.path).toBe(path);
  });

  it("refuses a file that belongs to another key", async () => {
    const { path } = await fill();
    await writeFile(path, '{"format":"depthkit-values","version":1,"key":"another"}\n');
    await expect(open()).rejects.toMatchObject({ code: "UNSUPPORTED_FORMAT" });
  });

  it("refuses to append once closed, and closes twice", async () => {
    const journal = await open();
    await journal.close();
    await journal.close();
    await expect(journal.append([])).rejects.toMatchObject({ code: "CLOSED" });
  });

  it("survives two writers that share a file", async () => {
    await using a = await open();
    await using b = await open();
    await Promise.all([new CachedGame(inner, a).evaluate(sets), new CachedGame(inner, b).evaluate(sets)]);
    await appendFile(a.path, "");
    await using c = await open();
    expect(c.damaged).toBe(0);
    expect(new Set([...c.entries()].map((entry) => entry.key)).size).toBe(4);
  });

  for (const method of ["regression", "permutation"] as const) {
    it(`resumes a killed ${method} run to the same estimate, and shares with other estimators`, async () => {
      const game = randomGame(8, 3);
      const options = { method, target: { horizon: 4 }, evaluations: 60, seed: 5 } as const;
      const openGame = (players = game.players) =>
        Journal.open({ directory, key: "resume", players, values: game.values });
      const straight = await estimateShapley(game, options);
      const abort = new AbortController();
      {
        await using journal = await openGame();
        const cached = new CachedGame(game, journal);
        const run = estimateShapley(cached, {
          ...options,
          batchSize: 8,
          signal: abort.signal,
          onProgress: ({ done }) => done >= 30 && abort.abort(),
        });
        await expect(run).rejects.toMatchObject({ code: "CANCELLED" });
      }
      await using journal = await openGame();
      const known = [...journal.entries()].length;
      expect(known).toBeGreaterThanOrEqual(30);
      const { game: counted, calls } = spy(game);
      const cached = new CachedGame(counted, journal);
      const resumed = await estimateShapley(cached, options);
      expect(resumed.draft().estimate).toEqual(straight.draft().estimate);
      expect(resumed.draft().variance).toEqual(straight.draft().variance);
      expect(resumed.info.evaluations).toBe(straight.info.evaluations);
      expect(calls.size).toBe(straight.info.evaluations - known);
      await estimateShapley(cached, { method: "leave-one-out" });
      expect(Math.max(...calls.values())).toBe(1);
    });
  }
});
