/** What a contract case is given, and the cleaning up after it. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isBerthError } from "../errors.ts";
import type { NetworkCreateOptions } from "../runtime/extras.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type ContainerId, containerId } from "../spec/container-id.ts";
import type { ServiceSpec } from "../spec/service-spec.ts";
import type { CaseSpec, ContractContext, ContractImages, Finished } from "./contract.ts";
import { programs } from "./programs.ts";

let lastId = 0;

export interface CaseSetup {
  readonly runtime: Runtime;
  readonly images: ContractImages;
  reopen(): Promise<Runtime>;
}

export class CaseContext implements ContractContext {
  readonly runtime: Runtime;
  readonly images: ContractImages;
  readonly #opened: CaseSetup;
  /** Containers that were made one after the other go together; one that lives in another's namespaces before that. */
  readonly #deferred: (Set<ContainerId> | (() => void | Promise<void>))[] = [];

  constructor(opened: CaseSetup) {
    this.runtime = opened.runtime;
    this.images = opened.images;
    this.#opened = opened;
  }

  newId(): ContainerId {
    return containerId({ service: `case-${process.pid}-${++lastId}` });
  }

  spec(spec: CaseSpec = {}): ServiceSpec {
    const { argv, ...rest } = spec;
    const command = argv === undefined ? {} : { command: { args: argv, ...spec.command } };
    const network = rest.networks === undefined ? { networkMode: "none" } : {};
    return { image: this.images.demo, ...network, stopGracePeriod: 1000, ...rest, ...command } as ServiceSpec;
  }

  async create(spec: CaseSpec = {}, id: ContainerId = this.newId()): Promise<ContainerId> {
    await this.runtime.createContainer(id, this.spec(spec));
    const last = this.#deferred.at(-1);
    if (last instanceof Set && !livesInAnother(spec)) last.add(id);
    else this.#deferred.push(new Set([id]));
    return id;
  }

  async start(spec: CaseSpec = {}, id?: ContainerId): Promise<ContainerId> {
    const created = await this.create(spec, id);
    await this.runtime.startContainer(created);
    return created;
  }

  async finish(spec: CaseSpec = {}, id?: ContainerId): Promise<Finished> {
    const started = await this.start(spec, id);
    const code = await this.runtime.waitContainer(started);
    const chunks = await Array.fromAsync(await this.runtime.logsStream(started, {}));
    const text = (channel: "stdout" | "stderr"): string =>
      Buffer.concat(chunks.filter(({ stream }) => stream === channel).map(({ bytes }) => bytes)).toString();
    return { id: started, code, stdout: text("stdout"), stderr: text("stderr") };
  }

  async shell(script: string, spec: CaseSpec = {}): Promise<string> {
    const { code, stdout, stderr } = await this.finish({ ...spec, argv: programs.shell(script) });
    assert.equal(code, 0, `exit code of ${JSON.stringify(script)}; it said: ${stdout}${stderr}`);
    return stdout.replace(/\n$/, "");
  }

  async service(spec: CaseSpec & { readonly onTerm?: number | "ignore" | undefined } = {}, id?: ContainerId): Promise<ContainerId> {
    const { onTerm = 0, ...rest } = spec;
    const started = await this.start({ argv: programs.forever({ onTerm }), ...rest }, id);
    await this.logged(started, "ready");
    return started;
  }

  async logged(id: ContainerId, text: string): Promise<void> {
    const stream = await this.runtime.logsStream(id, { follow: true });
    let seen = "";
    for await (const chunk of stream) {
      seen += Buffer.from(chunk.bytes).toString();
      if (seen.includes(text)) return;
    }
    assert.fail(`the log ended without ${JSON.stringify(text)}; it holds: ${seen}`);
  }

  async text(id: ContainerId, channel: "stdout" | "stderr" = "stdout"): Promise<string> {
    const stream = await this.runtime.logsStream(id, { [channel]: true });
    const chunks = await Array.fromAsync(stream, (chunk) => chunk.bytes);
    return Buffer.concat(chunks).toString();
  }

  async reopen(): Promise<Runtime> {
    const second = await this.#opened.reopen();
    this.defer(() => second.close());
    return second;
  }

  async network(options: Omit<NetworkCreateOptions, "name"> = {}): Promise<string> {
    const { networks } = this.runtime.extras ?? {};
    assert.ok(networks !== undefined, "the backend can make networks");
    const { name } = await networks.create({ ...options, name: `net-${this.newId().service}` });
    this.defer(() => this.#removeNetwork(name));
    return name;
  }

  hostDir(): string {
    const dir = mkdtempSync(join(tmpdir(), "berth-case-"));
    this.defer(() => rmSync(dir, { recursive: true, force: true }));
    return dir;
  }

  freePort(): Promise<number> {
    return new Promise((resolve, reject) => {
      const server = createServer().once("error", reject);
      server.listen(0, "0.0.0.0", () => {
        const address = server.address();
        server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
      });
    });
  }

  defer(work: () => void | Promise<void>): void {
    this.#deferred.push(work);
  }

  /** Undoes everything, last first; the first failure is thrown after all were tried. */
  async cleanUp(): Promise<void> {
    const failures: unknown[] = [];
    for (const work of this.#deferred.splice(0).reverse()) {
      const done = work instanceof Set ? [...work].map((id) => this.#removeIfThere(id)) : [Promise.resolve().then(work)];
      for (const one of await Promise.allSettled(done)) if (one.status === "rejected") failures.push(one.reason);
    }
    if (failures.length > 0) throw failures[0];
  }

  async #removeNetwork(name: string): Promise<void> {
    try {
      await this.runtime.extras?.networks?.remove(name);
    } catch (thrown) {
      if (!isBerthError(thrown, "not_found")) throw thrown;
    }
  }

  async #removeIfThere(id: ContainerId): Promise<void> {
    try {
      await this.runtime.removeContainer(id);
    } catch (thrown) {
      if (!isBerthError(thrown, "not_found")) throw thrown;
    }
  }
}

/** Podman keeps a container as long as another one uses its namespaces. */
function livesInAnother({ networkMode, ipcMode, pidMode }: CaseSpec): boolean {
  if (typeof networkMode === "object" && networkMode.mode === "container") return true;
  return [networkMode, ipcMode, pidMode].some((mode) => typeof mode === "string" && mode.startsWith("container:"));
}
