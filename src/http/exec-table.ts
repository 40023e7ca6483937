/** Exec instances between their create and ten minutes after their end. They live in memory: their processes end with us. */
import { randomBytes } from "node:crypto";
import type { ExecProcess, ExecProcessOptions } from "../runtime/extras.ts";
import type { ContainerId } from "../spec/container-id.ts";
import { HttpError } from "./status.ts";

const keepMs = 10 * 60_000;
const maxInstances = 10_000;

export interface ExecInstance {
  /** 64 hex digits. */
  readonly id: string;
  readonly container: { readonly id: ContainerId; readonly hexId: string };
  readonly options: ExecProcessOptions;
  readonly detachKeys: string | undefined;
  state: "created" | "starting" | "running" | "ended";
  process?: ExecProcess | undefined;
  exitCode?: number | undefined;
  /** Of the terminal, told before the process was there. */
  size?: { readonly rows: number; readonly cols: number } | undefined;
}

export class ExecTable {
  readonly #instances = new Map<string, ExecInstance>();

  create(o: Pick<ExecInstance, "container" | "options" | "detachKeys">): ExecInstance {
    if (this.#instances.size >= maxInstances) this.#forgetOldest();
    const instance: ExecInstance = { id: randomBytes(32).toString("hex"), ...o, state: "created" };
    this.#instances.set(instance.id, instance);
    return instance;
  }

  /** Takes unique prefixes too. Throws 404. */
  get(ref: string): ExecInstance {
    const found = this.#instances.get(ref) ?? this.#byPrefix(ref);
    if (found === undefined) throw new HttpError(404, `No such exec instance: ${ref}`);
    return found;
  }

  /** Marks the one start an instance has. Throws 409 for a second one. */
  begin(instance: ExecInstance): void {
    if (instance.state === "ended") throw new HttpError(409, `exec instance ${instance.id} has already run`);
    if (instance.state !== "created") throw new HttpError(409, `exec instance ${instance.id} is already running`);
    instance.state = "starting";
  }

  end(instance: ExecInstance, exitCode: number): void {
    instance.state = "ended";
    instance.exitCode = exitCode;
    instance.process = undefined;
    setTimeout(() => this.#instances.delete(instance.id), keepMs).unref();
  }

  /** Of a container; `null` for none, as inspect has it. */
  idsOf(hexId: string): readonly string[] | null {
    const ids = [...this.#instances.values()].filter(({ container, state }) => container.hexId === hexId && state === "running").map(({ id }) => id);
    return ids.length === 0 ? null : ids;
  }

  #byPrefix(ref: string): ExecInstance | undefined {
    if (!/^[0-9a-f]{12,63}$/.test(ref)) return undefined;
    const found = [...this.#instances.values()].filter(({ id }) => id.startsWith(ref));
    return found.length === 1 ? found[0] : undefined;
  }

  #forgetOldest(): void {
    for (const { id, state } of this.#instances.values()) {
      if (state === "running" || state === "starting") continue;
      this.#instances.delete(id);
      return;
    }
  }
}
