import { expect, test } from "vitest";
import { DepthkitError } from "../../src/errors.ts";

test("the details of an error are typed by its code", () => {
  const error: unknown = new DepthkitError("WORKER_DIED", "The worker ended by SIGKILL.", {
    details: { exitCode: null, signal: "SIGKILL", stderr: "" },
  });
  if (!(error instanceof DepthkitError)) throw new Error("is none");
  expect(error.is("CANCELLED")).toBe(false);
  if (!error.is("WORKER_DIED")) throw new Error("is another");
  const signal: string | null | undefined = error.details.signal;
  expect(signal).toBe("SIGKILL");
  // @ts-expect-error: a budget is no fact of a worker's death.
  expect(error.details.minimum).toBeUndefined();
});
