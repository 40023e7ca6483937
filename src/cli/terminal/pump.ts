import type { CliInput, CliOutput } from "../host.ts";
import { DetachFilter } from "../../spec/detach-keys.ts";
import { writeAll } from "./write.ts";

export interface Output {
  readonly channel: "stdout" | "stderr";
  readonly bytes: Uint8Array;
}

/** Copies output to our own channels until it ends. */
export async function pumpOutput(from: AsyncIterable<Output>, to: { readonly stdout: CliOutput; readonly stderr: CliOutput }): Promise<void> {
  for await (const { channel, bytes } of from) await writeAll(to[channel], bytes);
}

export interface StdinTarget {
  write(bytes: Uint8Array): Promise<void>;
  end(): void;
}

/** A copy of stdin under way. `done` says how it ended; it never rejects, for a program need not read its stdin. */
export interface StdinPump {
  readonly done: Promise<"ended" | "detached" | "stopped">;
  /** Stops reading; bytes not yet read stay where they are. */
  stop(): void;
}

/** Copies stdin until it ends, the detach keys are typed, or the other side no longer takes anything. */
export function pumpStdin(input: CliInput, target: StdinTarget, detachKeys: Uint8Array): StdinPump {
  let stopped = false;
  const filter = new DetachFilter(detachKeys);
  const copy = async (): Promise<"ended" | "detached" | "stopped"> => {
    for await (const chunk of input) {
      const { pass, detached } = filter.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
      if (pass.length > 0) await target.write(pass);
      if (detached) return "detached";
      if (stopped) return "stopped";
    }
    target.end();
    return "ended";
  };
  return {
    done: copy().catch(() => "stopped"),
    stop: () => {
      stopped = true;
      input.destroy();
    },
  };
}
