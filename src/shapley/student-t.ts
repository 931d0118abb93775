/**
 * Student's t, by the continued fraction of the incomplete beta function (Abramowitz and Stegun, 26.5.8 and
 * 26.7.1). By hand, since the typed libraries that have it come with 227 packages (@stdlib), compile
 * WebAssembly (cephes) or are off in the ninth digit (lib-r-math.js), and jstat, which was here before, in
 * the eighth.
 */

/**
 * From here on the normal distribution serves, at the deviate of A&S 26.7.8; its error falls with the square.
 */
const nearlyNormal = 1e5;

/** P(T > t) with `degrees` degrees of freedom, 1 or more; Infinity gives the normal distribution. */
export function tTail(t: number, degrees: number): number {
  if (t < 0) return 1 - tTail(-t, degrees);
  if (t === Number.POSITIVE_INFINITY) return 0;
  if (degrees === Number.POSITIVE_INFINITY) return normalTail(t);
  const square = t * t;
  if (degrees > nearlyNormal) {
    return normalTail((t * (1 - 1 / (4 * degrees))) / Math.sqrt(1 + square / (2 * degrees)));
  }
  const half = degrees / 2;
  const x = degrees / (degrees + square);
  const y = square / (degrees + square);
  const front = Math.exp(-half * Math.log1p(square / degrees)) * Math.sqrt(y / Math.PI) * gammaRatio(half);
  // The fraction converges fast on its own side of the beta distribution's mean.
  if (x < (half + 1) / (half + 2.5)) return (front * betaFraction(half, 0.5, x)) / (2 * half);
  return 0.5 - front * betaFraction(0.5, half, y);
}

/** The quantile of Student's t; Infinity degrees give the normal one. Fewer than 1 count as 1. */
export function tQuantile(probability: number, degrees: number): number {
  if (!(probability > 0 && probability < 1)) return probability === 0.5 ? 0 : Number.NaN;
  if (probability < 0.5) return -tQuantile(1 - probability, degrees);
  const freedoms = Math.max(1, degrees);
  const tail = 1 - probability;
  let t = 0;
  // The tail is convex, so Newton's steps from 0 never pass the root: the first that gains nothing is the
  // last.
  for (let step = 0; step < 200; step++) {
    const next = t + (tTail(t, freedoms) - tail) / density(t, freedoms);
    if (!(next > t)) break;
    t = next;
  }
  return t;
}

function density(t: number, degrees: number): number {
  if (degrees === Number.POSITIVE_INFINITY) return Math.exp(-0.5 * t * t) / Math.sqrt(2 * Math.PI);
  const shape = Math.exp(-0.5 * (degrees + 1) * Math.log1p((t * t) / degrees));
  return (shape * gammaRatio(degrees / 2)) / Math.sqrt(Math.PI * degrees);
}

/** Gamma(a + 1/2) / Gamma(a): the asymptotic series (A&S 6.1.47) from 20 on, the recurrence below. */
function gammaRatio(a: number): number {
  let factor = 1;
  let z = a;
  for (; z < 20; z++) factor *= z / (z + 0.5);
  const w = 1 / (z * z);
  const series = (-1 / 8 + w * (1 / 192 + w * (-1 / 640 + w * (17 / 14336 - (31 / 18432) * w)))) / z;
  return factor * Math.sqrt(z) * Math.exp(series);
}

/** I_x(a, b) a B(a, b) / (x^a (1 - x)^b), by Lentz's method. */
function betaFraction(a: number, b: number, x: number): number {
  let c = 1;
  let d = 1 / (1 - ((a + b) * x) / (a + 1));
  let result = d;
  for (let m = 1; m < 10_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / (1 + even * d);
    c = 1 + even / c;
    result *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / (1 + odd * d);
    c = 1 + odd / c;
    result *= d * c;
    if (Math.abs(d * c - 1) < 1e-16) break;
  }
  return result;
}

/**
 * P(Z > z) for z >= 0: half the incomplete gamma function Q(1/2, z^2 / 2), by series or fraction (A&S 6.5).
 */
function normalTail(z: number): number {
  const x = 0.5 * z * z;
  const front = (Math.sqrt(x) * Math.exp(-x)) / Math.sqrt(Math.PI);
  if (x < 1.5) {
    let term = 2;
    let sum = term;
    for (let n = 1; Math.abs(term) > 1e-17 * sum; n++) {
      term *= x / (n + 0.5);
      sum += term;
    }
    return 0.5 - 0.5 * front * sum;
  }
  let b = x + 0.5;
  let c = Number.POSITIVE_INFINITY;
  let d = 1 / b;
  let result = d;
  for (let n = 1; n < 10_000; n++) {
    const a = -n * (n - 0.5);
    b += 2;
    d = 1 / (b + a * d);
    c = b + a / c;
    result *= d * c;
    if (Math.abs(d * c - 1) < 1e-16) break;
  }
  return 0.5 * front * result;
}
