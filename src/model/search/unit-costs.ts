import { DepthkitError } from "../../errors.ts";
import type { Subject } from "../../evaluation/subject.ts";
import { aFlag, type Checks, checkOptions } from "../../options.ts";
import type { UnitKind, UnitName } from "../../protocol/common.ts";
import { unitKinds } from "../../protocol/names.ts";
import { unitsOf } from "../../protocol/units.ts";
import type { CallOptions } from "../../rpc/call-options.ts";
import { withTimeLimit, workerCallChecks } from "../../rpc/time-limit.ts";
import { profileSubnetwork } from "../profile.ts";

/** What the removal of a unit saves. */
export interface UnitCost {
  readonly parameters: number;
  /** In the checkpoint's dtype. */
  readonly bytes: number;
  /** Of the cache per token, in the loaded dtype. */
  readonly "kv-bytes": number;
  /** Of writing a token, batch 1; there where it was measured. */
  readonly seconds?: number | undefined;
}

/** What each unit of a model costs, and the whole model. */
export interface UnitCosts {
  readonly units: Readonly<Record<UnitName, UnitCost>>;
  /** Of the whole model: embedding, head and all. */
  readonly model: UnitCost;
}

export interface UnitCostsOptions extends CallOptions {
  /** Measure seconds too: a token written by the model whole and without half of each kind, in turn. */
  seconds?: boolean | undefined;
}

const checks: Checks<UnitCostsOptions> = { ...workerCallChecks, seconds: aFlag };

/**
 * Counts what each unit costs; where asked, times a token written with and without each kind.
 *
 * @throws DepthkitError NOT_MEASURABLE where the machine's noise hides what a kind costs; CANCELLED
 */
export async function unitCosts(on: Subject, options: UnitCostsOptions): Promise<UnitCosts> {
  checkOptions("unitCosts", options, checks);
  return withTimeLimit("unitCosts", options, (signal) => measureCosts(on, { ...options, signal }));
}

async function measureCosts(on: Subject, options: UnitCostsOptions): Promise<UnitCosts> {
  const { seconds = false, ...call } = options;
  const { connection, handle } = on;
  const model = handle.on(connection);
  const { result } = await connection.call("profiling.unitCosts", { model }, call);
  const timed = seconds ? await secondsByKind(on, call) : undefined;
  const units = result.kinds.flatMap(({ kind, parameters, storedBytes, kvBytesPerToken }) =>
    parameters.map((count, block): [UnitName, UnitCost] => [
      `${kind}.${block}`,
      {
        parameters: count,
        bytes: storedBytes[block] ?? 0,
        "kv-bytes": kvBytesPerToken[block] ?? 0,
        ...(timed === undefined ? {} : { seconds: timed.kinds[kind] }),
      },
    ]),
  );
  return {
    units: Object.fromEntries(units) as Record<UnitName, UnitCost>,
    model: {
      parameters: result.parameters,
      bytes: result.storedBytes,
      "kv-bytes": result.kvBytesPerToken,
      ...(timed === undefined ? {} : { seconds: timed.model }),
    },
  };
}

/** Of a token at batch 1: the whole model's, and of one unit of each kind, all units of a kind alike. */
async function secondsByKind(
  on: Subject,
  call: CallOptions,
): Promise<{ kinds: Record<UnitKind, number>; model: number }> {
  const kinds: Partial<Record<UnitKind, number>> = {};
  let model = Number.NaN;
  for (const kind of unitKinds) {
    const half = unitsOf(kind, on.info).filter((_, block) => block % 2 === 1);
    const profile = await profileSubnetwork(
      { ...on, removed: half, repairs: [] },
      { modes: ["physical"], batchSizes: [1], ...call },
    );
    const [dense, without] = [profile.dense.decode[0], profile.physical?.decode[0]];
    model = 1 / (dense?.tokensPerSecond.median ?? Number.NaN);
    const saved = (model * (1 - 1 / (without?.againstDense.median ?? Number.NaN))) / half.length;
    if (!(saved > 0)) {
      throw new DepthkitError(
        "NOT_MEASURABLE",
        `Timing what a unit costs: without ${half.length} ${kind} units a token took no less time than ` +
          "with them. Leave the machine to this measurement, or budget parameters or kv-bytes.",
        { details: { kind } },
      );
    }
    kinds[kind] = saved;
  }
  return { kinds: kinds as Record<UnitKind, number>, model };
}
