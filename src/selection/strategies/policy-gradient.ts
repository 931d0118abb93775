import { item } from "../../arrays.ts";
import type { Coalition } from "../../game/coalition.ts";
import type { SearchRun } from "../run.ts";
import { byScore } from "../scores.ts";
import type { Strategy } from "../strategy.ts";
import { exchange } from "./exchange.ts";
import { drawMask } from "./masks.ts";
import { policyGradient, projectToBudget } from "./policy.ts";
import { shuffled } from "./random.ts";

export interface PolicySettings {
  /** Sets a step. */
  readonly masks: number;
  /** The first step's length; it falls to 0 on a cosine. */
  readonly rate: number;
}

/** Of what is left, the part that a policy may spend; the rest goes to exchanges of its best set. */
const learning = 3 / 4;
/** The baseline and the spread of the losses remember so many steps. */
const memory = 5;
/** No probability is certain: its slope would be infinite and it would never be drawn again. */
const edge = 0.01;
/** Steps whose sets are all known cost nothing; past so many times the planned ones they are the end. */
const patience = 3;
/** Policies in a run, where each ends early. */
const mostPolicies = 20;

/**
 * Keep-probabilities learned from forward passes alone (Bypass Back-propagation, arXiv 2406.10576). Unlike
 * there, each drawn set is a choice of the asked size (`drawMask`), so that no evaluation goes to sizes that
 * nobody asked for; losses are divided by their spread, so that one rate serves every game; the best set seen
 * is then bettered by exchanges; and a policy that has settled early is followed by another.
 */
export function policyGradientSearch(settings: PolicySettings): Strategy {
  return {
    async search(run) {
      const { space } = run;
      const found: Coalition[] = [];
      const begin = run.start.map((set) => space.keeping(space.complete(set, space.candidates)));
      found.push(...run.affordable(begin));
      await run.evaluate(found);
      run.require(1);
      for (let policy = 0; policy < mostPolicies && run.remaining >= 1; policy++) {
        const seen = await learn(run, policy, settings);
        const chosen = seen.reduce((a, b) => (run.valueOf(b) > run.valueOf(a) ? b : a));
        found.push(space.keeping(await exchange(run, chosen.absent())));
      }
      return found.reduce((a, b) => (run.valueOf(b) > run.valueOf(a) ? b : a)).absent();
    },
  };
}

/** One policy from even probabilities to its end: all choices that it drew, and that of its largest. */
async function learn(run: SearchRun, policy: number, { masks: size, rate }: PolicySettings) {
  const { space } = run;
  const random = run.random(`masks of policy ${policy}`);
  const begun = run.evaluations;
  const allowed = learning * run.remaining;
  const planned = Math.ceil((patience * allowed) / size);
  const inBudget = (keep: readonly number[]) => projectToBudget(keep, space.candidates, space.constraints);
  let keep = inBudget(space.candidates.map(() => 0.5));
  let baseline: number | undefined;
  let spread = 0;
  const seen: Coalition[] = [];
  for (let step = 0; step < planned && run.evaluations - begun < allowed; step++) {
    const choices = Array.from({ length: size }, () => {
      const mask = drawMask(keep, random);
      const gone = space.candidates.filter((_, at) => mask[at] === 0);
      return space.keeping(space.complete(gone, shuffled(space.candidates, random)));
    });
    if (run.affordable(choices).length < choices.length) break;
    const losses = (await run.evaluate(choices)).map((value) => -value);
    seen.push(...choices);
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / size;
    const deviation = Math.sqrt(losses.reduce((sum, loss) => sum + (loss - mean) ** 2, 0) / size);
    const weight = step === 0 ? 1 : 1 / memory;
    spread += weight * (deviation - spread);
    baseline = baseline === undefined ? mean : baseline + weight * (mean - baseline);
    if (deviation === 0) {
      // All alike: nothing to learn from, and nothing new to come once the policy is as sure as it may be.
      if (keep.every((one) => one <= 2 * edge || one >= 1 - 2 * edge)) break;
      continue;
    }
    const masks = choices.map((choice) => space.candidates.map((player) => (choice.has(player) ? 1 : 0)));
    const scaled = losses.map((loss) => loss / spread);
    const slope = policyGradient(masks, scaled, baseline / spread, keep.map(within));
    const progress = Math.max((run.evaluations - begun) / allowed, step / planned);
    const length = (rate / 2) * (1 + Math.cos(Math.PI * progress));
    keep = inBudget(keep.map((one, at) => one - length * item(slope, at)));
    keep = inBudget(keep.map(within));
    run.step(
      choices,
      seen.reduce((a, b) => (run.valueOf(b) > run.valueOf(a) ? b : a)),
    );
  }
  const scores = new Array<number>(space.players).fill(0);
  for (const [at, player] of space.candidates.entries()) scores[player] = item(keep, at);
  const largest = space.keeping(space.complete([], byScore(space.candidates, scores)));
  const affordable = run.affordable([largest]);
  await run.evaluate(affordable);
  return [...seen, ...affordable];
}

function within(probability: number): number {
  return Math.min(1 - edge, Math.max(edge, probability));
}
