import { addScaled, lessProducts, real } from "../../arrays.ts";
/**
 * Cholesky factors in one flat array, row-major, lower triangle. ml-matrix solves what is solved once; this
 * serves the fit's inner loop, which factors and inverts a small matrix a few hundred times and needs no
 * object per row.
 */
export function choleskyInPlace(a: Float64Array, n: number): boolean {
  for (let j = 0; j < n; j++) {
    const rowJ = j * n;
    for (let i = j; i < n; i++) {
      const rowI = i * n;
      const sum = lessProducts(real(a, rowI + j), a, rowI, a, rowJ, j);
      if (i === j) {
        if (!(sum > 0)) return false;
        a[rowJ + j] = Math.sqrt(sum);
      } else {
        a[rowI + j] = sum / real(a, rowJ + j);
      }
    }
  }
  return true;
}

/** Solves L L' x = b. */
export function choleskySolve(l: Float64Array, n: number, b: Float64Array): Float64Array {
  const x = b.slice();
  for (let i = 0; i < n; i++) {
    x[i] = lessProducts(real(x, i), l, i * n, x, 0, i) / real(l, i * n + i);
  }
  for (let i = n - 1; i >= 0; i--) {
    const value = real(x, i) / real(l, i * n + i);
    x[i] = value;
    addScaled(x, 0, -value, l, i * n, i);
  }
  return x;
}

/** The lower triangle of (L L')^-1. */
export function choleskyInverse(l: Float64Array, n: number): Float64Array {
  // Row i of L^-1, by forward substitution, kept as rows so that the products below run along memory.
  const m = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const rowI = i * n;
    const diagonal = 1 / real(l, rowI + i);
    m[rowI + i] = diagonal;
    for (let k = 0; k < i; k++) {
      const factor = -real(l, rowI + k) * diagonal;
      addScaled(m, rowI, factor, m, k * n, k + 1);
    }
  }
  const inverse = new Float64Array(n * n);
  for (let k = 0; k < n; k++) {
    const rowK = k * n;
    for (let i = 0; i <= k; i++) {
      const factor = real(m, rowK + i);
      addScaled(inverse, i * n, factor, m, rowK, i + 1);
    }
  }
  return inverse;
}
