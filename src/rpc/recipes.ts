/** What handles name, and how each is made again in a worker that does not have it. */
import { DepthkitError } from "../errors.ts";
import type { MethodName, Params, Result } from "../protocol/methods.ts";
import type { CallOptions } from "./call-options.ts";
import type { CallRequest } from "./connection.ts";
import { handlesIn, withHandles } from "./handle-fields.ts";
import { type Line, onDevice } from "./line.ts";
import { type Maker, makerOf, release } from "./makers.ts";

/** What one call made, in whichever worker. */
interface Recipe {
  readonly method: MethodName;
  readonly params: object;
  readonly tensors: CallRequest<MethodName>["tensors"];
  /** The names it is known by, and of each what must be the same. */
  readonly names: readonly string[];
  readonly digests: readonly string[];
  /** What its params name. */
  readonly parts: ReadonlyMap<string, Recipe>;
  /** Names that were given back. */
  readonly closed: Set<string>;
  /** Where repairs were saved, all of them. */
  saved?: string;
  readonly made: WeakMap<Line, Made>;
}

/** In one worker. */
interface Made {
  /** In the order of the names; undefined while it is made. */
  handles?: readonly string[];
  whenMade: Promise<readonly string[]>;
  /** Calls on their way that need it: it is not given back under them. */
  users: number;
}

/** In the place of a handle that the worker has no longer, while others of the same call are held. */
const GIVEN_BACK = "";

/** Who waits for what is made again. */
interface Watcher {
  readonly onProgress?: CallOptions["onProgress"];
  /** It is made for this one; others wait for it too. */
  readonly onMake?: () => void;
}

type Tell = (method: MethodName, line: Line, seconds: number) => void;

export class Recipes {
  readonly #known = new Map<string, Recipe>();
  readonly #tell: Tell;

  /** @param tell hears of what was made again */
  constructor(tell: Tell) {
    this.#tell = tell;
  }

  /** A call's params with this worker's handles; undefined where something must be made first. */
  here<P extends object>(line: Line, method: MethodName, params: P): P | undefined {
    const instead = new Map<string, string>();
    for (const name of handlesIn(method, params)) {
      const recipe = this.#known.get(name);
      if (recipe === undefined) continue; // nothing of ours, as the worker will say
      const handle = recipe.made.get(line)?.handles?.[recipe.names.indexOf(name)];
      if (handle === undefined) return undefined;
      instead.set(name, handle);
    }
    return withHandles(method, params, instead);
  }

  /** Whether a worker has all the repairs that a call names, which are what takes long to make. */
  hasRepairs(line: Line, method: MethodName, params: object): boolean {
    return handlesIn(method, params).every((name) => {
      const recipe = this.#known.get(name);
      if (recipe === undefined || makerOf(recipe.method)?.release !== "repair.unload") return true;
      return recipe.saved !== undefined || recipe.made.has(line);
    });
  }

  /** Makes in a worker what a call names, does the call with its handles, and tidies up. */
  async with<P extends object, T>(
    line: Line,
    method: MethodName,
    params: P,
    watcher: Watcher,
    call: (params: P) => Promise<T>,
  ): Promise<T> {
    const named = handlesIn(method, params).map((name) => [name, this.#known.get(name)] as const);
    return this.#using(line, new Map(named), watcher, (instead) =>
      call(withHandles(method, params, instead)),
    );
  }

  /** Remembers what a call made. */
  note<M extends MethodName>(
    line: Line,
    method: M,
    params: Params<M>,
    tensors: CallRequest<M>["tensors"],
    result: Result<M>,
  ): void {
    if (method === "repair.save") this.#noteSaved(params as Params<"repair.save">);
    const maker = makerOf(method);
    if (maker === undefined) return;
    const names = maker.made(result);
    const recipe: Recipe = {
      method,
      params,
      tensors,
      names,
      digests: maker.digests(result),
      parts: this.#partsOf(method, params),
      closed: new Set(),
      made: new WeakMap([[line, { handles: names, whenMade: Promise.resolve(names), users: 0 }]]),
    };
    for (const name of names) this.#known.set(name, recipe);
  }

  /** Gives back what the params of an unload name, in these workers. */
  async forget(method: MethodName, params: object, lines: readonly Line[]): Promise<void> {
    const released = handlesIn(method, params).flatMap((name) => this.#close(name));
    await Promise.all(released.flatMap((recipe) => lines.map((line) => this.#tidy(line, recipe))));
  }

  /** Makes everywhere what one worker has; one that ends meanwhile will when a call there needs it. */
  async spread(name: string, lines: readonly Line[], watcher: Watcher): Promise<void> {
    const recipe = this.#known.get(name);
    if (recipe === undefined) return;
    const named = new Map([[name, recipe]]);
    const make = async (line: Line) => {
      try {
        await this.#using(line, named, watcher, async () => {});
      } catch (error) {
        if (line.connection.ended === undefined) throw error;
      }
    };
    await Promise.all(lines.map(make));
  }

  #partsOf(method: MethodName, params: object): Map<string, Recipe> {
    const parts = new Map<string, Recipe>();
    for (const name of handlesIn(method, params)) {
      const part = this.#known.get(name);
      if (part !== undefined) parts.set(name, part);
    }
    return parts;
  }

  /** A model takes with it the repairs that were made for it. */
  #close(name: string): Recipe[] {
    const recipe = this.#known.get(name);
    if (recipe === undefined) return [];
    this.#known.delete(name);
    recipe.closed.add(name);
    if (recipe.method !== "model.load") return [recipe];
    for (const [other, of] of this.#known) {
      const repairs = makerOf(of.method)?.release === "repair.unload";
      if (repairs && of.parts.get(name) === recipe) this.#close(other);
    }
    return [recipe];
  }

  #noteSaved({ repairs, folder }: Params<"repair.save">): void {
    for (const recipe of new Set(repairs.map((name) => this.#known.get(name)))) {
      if (recipe?.names.every((name) => repairs.includes(name))) recipe.saved = folder;
    }
  }

  async #using<T>(
    line: Line,
    named: ReadonlyMap<string, Recipe | undefined>,
    watcher: Watcher,
    use: (instead: ReadonlyMap<string, string>) => Promise<T>,
  ): Promise<T> {
    const recipes = [...new Set(named.values())].filter((recipe) => recipe !== undefined);
    const instead = new Map<string, string>();
    const held: Recipe[] = [];
    try {
      for (const recipe of recipes) {
        const needed = recipe.names.filter((name) => named.has(name));
        const handles = await this.#hold(line, recipe, needed, held, watcher);
        for (const [place, name] of recipe.names.entries()) instead.set(name, handles[place] ?? name);
      }
      return await use(instead);
    } finally {
      for (const recipe of held) {
        const made = recipe.made.get(line);
        if (made !== undefined) made.users -= 1;
      }
      await Promise.all(held.map((recipe) => this.#tidy(line, recipe)));
    }
  }

  /** Made once per worker, whoever asks, and used until its holder says otherwise. */
  #hold(
    line: Line,
    recipe: Recipe,
    needed: readonly string[],
    held: Recipe[],
    watcher: Watcher,
  ): Promise<readonly string[]> {
    const before = recipe.made.get(line);
    const lacks = needed.some((name) => before?.handles?.[recipe.names.indexOf(name)] === GIVEN_BACK);
    let made = lacks ? undefined : before;
    if (made === undefined) {
      watcher.onMake?.();
      const making: Made = { users: before?.users ?? 0, whenMade: this.#make(line, recipe, watcher) };
      recipe.made.set(line, making);
      making.whenMade.then(
        (handles) => {
          making.handles = handles;
          const others = before?.handles?.filter((handle) => handle !== GIVEN_BACK) ?? [];
          if (others.length > 0) release(line, recipe.method, others).catch(() => {}); // gone with the worker
        },
        () => recipe.made.delete(line), // the next one tries again
      );
      made = making;
    }
    made.users += 1;
    held.push(recipe);
    return made.whenMade;
  }

  async #make(line: Line, recipe: Recipe, watcher: Watcher): Promise<readonly string[]> {
    const started = performance.now();
    const saved = recipe.saved === undefined ? undefined : await this.#readSaved(line, recipe, recipe.saved);
    const handles =
      saved ??
      (await this.#using(line, recipe.parts, watcher, (instead) => again(line, recipe, instead, watcher)));
    this.#tell(
      saved === undefined ? recipe.method : "repair.load",
      line,
      (performance.now() - started) / 1000,
    );
    return handles;
  }

  /** Repairs from their saved form; undefined where it is not there any more, or holds others. */
  async #readSaved(line: Line, recipe: Recipe, folder: string): Promise<readonly string[] | undefined> {
    const { model } = recipe.params as { model: string };
    const parts = new Map([[model, recipe.parts.get(model)]]);
    return this.#using(line, parts, {}, async (instead) => {
      const params = { model: instead.get(model) ?? model, folder };
      try {
        const { result } = await line.connection.call("repair.load", params);
        const found = recipe.digests.map((digest) =>
          result.infos.findIndex((info) => info.digest === digest),
        );
        const handles = found.map((place) => result.repairs[place] ?? "");
        const others = result.repairs.filter((handle) => !handles.includes(handle));
        const rest = found.includes(-1) ? result.repairs : others;
        if (rest.length > 0) await line.connection.call("repair.unload", { repairs: rest });
        return found.includes(-1) ? undefined : handles;
      } catch (error) {
        if (line.connection.ended !== undefined) throw error;
        return undefined;
      }
    });
  }

  /** Gives back in a worker what was closed and nobody uses. */
  async #tidy(line: Line, recipe: Recipe): Promise<void> {
    const made = recipe.made.get(line);
    if (made?.handles === undefined || made.users > 0 || recipe.closed.size === 0) return;
    if (line.connection.ended !== undefined) return;
    const { handles } = made;
    const gone = recipe.names.flatMap((name, place) =>
      recipe.closed.has(name) ? (handles[place] ?? []) : [],
    );
    if (recipe.closed.size === recipe.names.length) recipe.made.delete(line);
    else made.handles = handles.map((handle) => (gone.includes(handle) ? GIVEN_BACK : handle));
    made.whenMade = Promise.resolve(made.handles);
    const left = gone.filter((handle) => handle !== GIVEN_BACK);
    if (left.length === 0) return;
    try {
      await release(line, recipe.method, left);
    } catch (error) {
      // It went meanwhile with what held it: its model, or the worker.
      const went = error instanceof DepthkitError && error.is("CLOSED");
      if (!went && line.connection.ended === undefined) throw error;
    }
  }
}

async function again(
  line: Line,
  recipe: Recipe,
  instead: ReadonlyMap<string, string>,
  { onProgress }: Watcher,
): Promise<readonly string[]> {
  const { method, names, digests, tensors } = recipe;
  const params = onDevice(line, method, withHandles(method, recipe.params, instead)) as Params<MethodName>;
  const { result } = await line.connection.call(method, params, { tensors, onProgress });
  const maker = makerOf(method) as Maker;
  const handles = maker.made(result);
  const found = maker.digests(result);
  if (names.length === handles.length && digests.every((digest, place) => digest === found[place]))
    return handles;
  await release(line, method, handles);
  throw new DepthkitError(
    "SOURCE_CHANGED",
    `${method}, done again in a new worker, gave something else than the first time (sha256 ` +
      `${found.map((digest) => digest.slice(0, 12)).join(", ")}, not ` +
      `${digests.map((digest) => digest.slice(0, 12)).join(", ")}): a file it was made from has changed ` +
      "since, or it was made on another device. Load or make it anew where the change is meant.",
    { details: { method, was: digests, is: found } },
  );
}
