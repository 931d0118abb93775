/** The builds of torch that set-up can install; `auto`: what this machine can use. */
export const torchChoices = ["auto", "cpu", "cu126", "cu130"] as const;
/** A build of torch, or `auto`. */
export type TorchChoice = (typeof torchChoices)[number];
export type TorchBuild = Exclude<TorchChoice, "auto">;
