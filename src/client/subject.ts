import type { Params } from "../protocol/methods.ts";

/** The subnetwork a call works on, as its params name it. */
export type Subject = Pick<Params<"generation.generate">, "model" | "removed" | "repairs">;
