import { add, real } from "../../arrays.ts";
/**
 * Minimises by resilient backpropagation (iRprop-, Igel and Huesken 2003): each coordinate has a step of its
 * own that grows while its slope keeps its sign and halves when it turns. It needs no line search and bears a
 * rough surface, which is why Gaussian process libraries use it for hyperparameters. Gives the best point
 * seen.
 */
export function rprop(
  start: Float64Array,
  objective: (x: Float64Array) => { readonly value: number; readonly gradient: Float64Array } | undefined,
  iterations: number,
): Float64Array {
  const x = start.slice();
  const steps = new Float64Array(x.length).fill(0.2);
  let last = new Float64Array(x.length);
  let best = start;
  let bestValue = Number.POSITIVE_INFINITY;
  for (let iteration = 0; iteration < iterations; iteration++) {
    const answer = objective(x);
    if (answer === undefined || !Number.isFinite(answer.value)) {
      // A point where the objective cannot be had: back to the best one, more carefully.
      x.set(best);
      for (let i = 0; i < steps.length; i++) steps[i] = real(steps, i) / 4;
      last = new Float64Array(x.length);
      continue;
    }
    if (answer.value < bestValue) {
      bestValue = answer.value;
      best = x.slice();
    }
    const gradient = answer.gradient.slice();
    for (let i = 0; i < x.length; i++) {
      const turn = real(gradient, i) * real(last, i);
      if (turn > 0) steps[i] = Math.min(1, real(steps, i) * 1.3);
      else if (turn < 0) {
        steps[i] = Math.max(1e-4, real(steps, i) * 0.5);
        gradient[i] = 0;
      }
      add(x, i, -Math.sign(real(gradient, i)) * real(steps, i));
    }
    last = gradient;
  }
  return best;
}
