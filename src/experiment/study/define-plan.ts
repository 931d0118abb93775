import type { Plan } from "./plan.ts";

/** A plan, completed and checked by an editor as it is written; at run time it is what it was given. */
export const definePlan = <const P extends Plan>(plan: P): P => plan;
