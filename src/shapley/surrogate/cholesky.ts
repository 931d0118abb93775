/**
 * Cholesky factors in one flat array, row-major, lower triangle. ml-matrix solves what is solved once; this serves the
 * fit's inner loop, which factors and inverts a small matrix a few hundred times and needs no object a row.
 */
export function choleskyInPlace(a: Float64Array, n: number): boolean {
  for (let j = 0; j < n; j++) {
    const rowJ = j * n;
    for (let i = j; i < n; i++) {
      const rowI = i * n;
      let sum = a[rowI + j] as number;
      for (let k = 0; k < j; k++) sum -= (a[rowI + k] as number) * (a[rowJ + k] as number);
      if (i === j) {
        if (!(sum > 0)) return false;
        a[rowJ + j] = Math.sqrt(sum);
      } else {
        a[rowI + j] = sum / (a[rowJ + j] as number);
      }
    }
  }
  return true;
}

/** Solves L L' x = b. */
export function choleskySolve(l: Float64Array, n: number, b: Float64Array): Float64Array {
  const x = b.slice();
  for (let i = 0; i < n; i++) {
    let sum = x[i] as number;
    for (let k = 0; k < i; k++) sum -= (l[i * n + k] as number) * (x[k] as number);
    x[i] = sum / (l[i * n + i] as number);
  }
  for (let i = n - 1; i >= 0; i--) {
    const value = (x[i] as number) / (l[i * n + i] as number);
    x[i] = value;
    for (let k = 0; k < i; k++) x[k] = (x[k] as number) - (l[i * n + k] as number) * value;
  }
  return x;
}

/** The lower triangle of (L L')^-1. */
export function choleskyInverse(l: Float64Array, n: number): Float64Array {
  // Row i of L^-1, by forward substitution, kept as rows so that the products below run along memory.
  const m = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const rowI = i * n;
    const diagonal = 1 / (l[rowI + i] as number);
    m[rowI + i] = diagonal;
    for (let k = 0; k < i; k++) {
      const factor = -(l[rowI + k] as number) * diagonal;
      const rowK = k * n;
      for (let j = 0; j <= k; j++) m[rowI + j] = (m[rowI + j] as number) + factor * (m[rowK + j] as number);
    }
  }
  const inverse = new Float64Array(n * n);
  for (let k = 0; k < n; k++) {
    const rowK = k * n;
    for (let i = 0; i <= k; i++) {
      const factor = m[rowK + i] as number;
      const rowI = i * n;
      for (let j = 0; j <= i; j++)
        inverse[rowI + j] = (inverse[rowI + j] as number) + factor * (m[rowK + j] as number);
    }
  }
  return inverse;
}
