import { DepthkitError } from "../errors.ts";
import type { InstallRun, PackageInstaller } from "./package-installer.ts";
import { pinOf, type Requirements } from "./requirements.ts";
import { buildOf, wheelIndex } from "./torch-build.ts";
import type { TorchBuild } from "./torch-names.ts";

/**
 * Installs a build of torch that is not the package index's own, before the rest: the rest then finds its pin
 * fulfilled, and asks PyTorch's index for nothing.
 *
 * @throws DepthkitError NETWORK where PyTorch's index cannot be reached, and what pip's failures are
 */
export async function installTorch(
  installer: PackageInstaller,
  build: TorchBuild,
  run: Omit<InstallRun, "what" | "args">,
  { requirements }: Requirements,
): Promise<void> {
  const index = wheelIndex(build);
  if (index === undefined) return;
  const wanted = `${pinOf("torch", requirements)}+${build}`;
  const args = ["--no-deps", "--extra-index-url", index, wanted];
  try {
    await installer.install({ ...run, what: `Installing torch for ${build}`, args });
  } catch (error) {
    if (!(error instanceof DepthkitError)) throw error;
    const said = (error.details as { output?: readonly string[] }).output ?? [];
    // pip goes on without an index that it cannot reach, and then misses what is in it; where a constraint of
    // the machine names torch, it says that the two conflict.
    const missed = ["no-connection", "no-matching-wheel", "conflict"].includes(
      String(error.details["reason"]),
    );
    if (!missed) throw error;
    throw new DepthkitError(
      "NETWORK",
      `${wanted} was not found: PyTorch's index of wheels (${index}) could not be reached, or does not ` +
        "have it for this Python and this machine, or a constraint of pip's configuration forbids it. " +
        "Check the network and a proxy (HTTPS_PROXY) and run the command again; or name a folder that " +
        "holds the wheel in PIP_FIND_LINKS; or choose another build with --torch (docs/setup.md).\n" +
        `${installer.name}'s last lines:\n${said.map((line) => `  ${line}`).join("\n")}`,
      { cause: error, details: { reason: "wheel-index", index, output: said } },
    );
  }
}

/**
 * @throws DepthkitError SETUP_FAILED where another build was installed than the one asked for: a mirror or a
 * folder of wheels that pip is configured with may have its own.
 */
export function checkBuild(build: TorchBuild, version: string | undefined): void {
  const found = buildOf(version);
  if (found === build) return;
  throw new DepthkitError(
    "SETUP_FAILED",
    `Set-up asked for torch's build ${build} and pip installed torch ${version}, whose build is ${found}. ` +
      "Look at what pip is configured with (PIP_FIND_LINKS, PIP_INDEX_URL, `pip config list`), or ask for " +
      `that build: npx depthkit setup --torch ${found}`,
    { details: { reason: "torch-build", build, found } },
  );
}
