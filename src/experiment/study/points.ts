/** From rankings to the subnetworks they lead to, each of them once. */
import type { UnitName } from "../../protocol/common.ts";
import type { Condition } from "./open.ts";
import type { SettledRepair, Where } from "./plan.ts";
import type { Ranked } from "./record.ts";

/** A subnetwork that is measured: what is gone, and what is put in place. */
export interface Subject {
  readonly id: string;
  readonly removed: readonly UnitName[];
  readonly repair: { readonly settled: SettledRepair; readonly condition: Condition } | null;
}

/** That a ranking's removal, with a repair or without, leads to a subnetwork. */
export interface Point {
  readonly condition: Condition;
  readonly ranking: string;
  readonly removal: number;
  /** Its name; null: nothing is in place. */
  readonly repair: string | null;
  /** Null where the ranking has no set of this size. */
  readonly subject: Subject | null;
}

/** What a ranking found under a condition. */
export interface Found {
  readonly condition: Condition;
  readonly ranking: string;
  readonly ranked: Ranked;
}

/** Every subnetwork of a model, the whole one first, and what leads to them. */
export class Points {
  readonly subjects: Subject[] = [];
  readonly points: Point[] = [];
  readonly whole: Subject;
  readonly #known = new Map<string, Subject>();
  readonly #prefix: string;

  /** `prefix`: of the ids, which differ between the models of a study. */
  constructor(prefix: string, found: readonly Found[], repairs: readonly SettledRepair[]) {
    this.#prefix = prefix;
    this.whole = this.#subject([], null);
    const leads = (one: Found, settled: SettledRepair | null) => {
      for (const { removal, removed, error } of one.ranked.sets) {
        const wanted = settled === null || includes(settled.where, one.ranking, removed.length, settled.name);
        if (!wanted) continue;
        const repair = settled && { settled, condition: one.condition };
        const subject = error === null ? this.#subject(removed, repair) : null;
        this.points.push({
          condition: one.condition,
          ranking: one.ranking,
          removal,
          repair: settled?.name ?? null,
          subject,
        });
      }
    };
    for (const settled of [null, ...repairs]) for (const one of found) leads(one, settled);
  }

  /** Those that something is done for; the whole model is always among them. */
  wantedBy(where: Where): Subject[] {
    const wanted = new Set<Subject>([this.whole]);
    for (const { ranking, repair, subject } of this.points) {
      if (subject !== null && includes(where, ranking, subject.removed.length, repair ?? "none")) {
        wanted.add(subject);
      }
    }
    return this.subjects.filter((subject) => wanted.has(subject));
  }

  #subject(removed: readonly UnitName[], repair: Subject["repair"]): Subject {
    const fitted = repair && [repair.settled.name, repair.condition.calibration.name, repair.condition.draw];
    const key = JSON.stringify([removed, fitted]);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const made = { id: `${this.#prefix}${this.subjects.length}`, removed, repair };
    this.#known.set(key, made);
    this.subjects.push(made);
    return made;
  }
}

function includes(where: Where, ranking: string, count: number, repair: string): boolean {
  const { rankings, counts, repairs } = where ?? {};
  return (
    (rankings?.includes(ranking) ?? true) &&
    (counts?.includes(count) ?? true) &&
    (repairs?.includes(repair) ?? true)
  );
}
