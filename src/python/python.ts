/**
 * An object that stays in Python. What is reached from it is one again: `np.random.default_rng(7)`. Nothing
 * happens before it is awaited. A member's name with a `$` at its end takes keyword arguments, as an object
 * that comes last: `await np.mean$(rows, { axis: 0 })`.
 *
 * Nothing is known of its type. Text, `int`, `float`, `bool` and `None` arrive as values of JavaScript, typed
 * as this all the same; `Python.value` gives any of it, as `unknown`, to be checked.
 */
export interface PythonObject {
  (...args: readonly unknown[]): Promise<PythonObject>;
  readonly [member: string]: PythonObject;
  [Symbol.asyncIterator](): AsyncIterator<PythonObject>;
}

/**
 * A Python process. Called with a name it imports a module, as a template's tag it evaluates the template.
 */
export interface Python extends AsyncDisposable {
  /**
   * Imports a module: `await py("numpy")`. `T` says what is used of it, and is the caller's own word for it:
   * `await py<{ arange(end: number): Promise<PythonObject> }>("numpy")`.
   */
  <T = PythonObject>(module: string): Promise<T>;
  /**
   * Evaluates an expression. Values in the template arrive as Python's own: plain ones converted, objects
   * of this Python as they are, functions as functions to call.
   */
  <T = PythonObject>(expression: TemplateStringsArray, ...values: readonly unknown[]): Promise<T>;
  /**
   * What an object is in JSON: arrays and scalars of numpy and torch as numbers in lists, sets as lists.
   * NaN and infinity are refused, as JSON has neither.
   */
  value(object: unknown): Promise<unknown>;
  readonly pid: number;
  /** Ends it: after half a second at the latest, whatever it is doing. Calls under way reject with CLOSED. */
  close(): Promise<void>;
}
