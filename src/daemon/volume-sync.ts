/** Brings volumes to the remote store (contract 4.4): at an interval, if one is set, and once when the daemon ends. */
import { BerthError, messageOf } from "../errors.ts";
import type { VolumesFacet } from "../runtime/extras.ts";
import { parseDuration } from "../spec/units.ts";
import type { Logger } from "./log.ts";

export interface VolumeSyncOptions {
  readonly volumes: Pick<VolumesFacet, "sync"> | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
}

/** Does nothing without a bucket. Disposing waits for a sync under way and makes the last one. */
export function startVolumeSync(o: VolumeSyncOptions): AsyncDisposable {
  const { volumes, env } = o;
  if (!env["BERTH_S3_BUCKET"] || volumes?.sync === undefined) return { [Symbol.asyncDispose]: async () => {} };
  const intervalMs = syncIntervalMs(env["BERTH_S3_SYNC_INTERVAL"]);
  let running: Promise<void> | undefined;
  const sync = (): Promise<void> => {
    running ??= once(o).finally(() => {
      running = undefined;
    });
    return running;
  };
  const timer = intervalMs === undefined ? undefined : setInterval(() => void sync(), intervalMs);
  return {
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      await running;
      await sync();
    },
  };
}

/** Milliseconds; absent = no regular sync. Throws `configuration`. */
function syncIntervalMs(text: string | undefined): number | undefined {
  if (text === undefined || text.trim() === "") return undefined;
  const ms = parseDuration(text);
  if (!(ms >= 1000)) throw new BerthError("configuration", `BERTH_S3_SYNC_INTERVAL: ${JSON.stringify(text)} is shorter than a second`);
  return ms;
}

async function once({ volumes, log }: VolumeSyncOptions): Promise<void> {
  try {
    const synced = (await volumes?.sync?.()) ?? [];
    const uploaded = synced.filter((one) => one.uploaded).map(({ name }) => name);
    if (uploaded.length > 0) log.info("volumes brought to the remote store", { volumes: uploaded.join(",") });
  } catch (error) {
    log.warn(`volumes were not all synced: ${messageOf(error)}`);
  }
}
