/** Who has a container: the durable choice, checked against the children when opened, and a probe for ids nobody wrote down. */
import { BerthError, isBerthError } from "../../errors.ts";
import { type ContainerId, containerIdToString } from "../../spec/container-id.ts";
import type { Children, CompositeChild } from "./children.ts";
import type { ChoiceTable } from "./choice-table.ts";

export class Owners {
  readonly #children: Children;
  readonly #table: ChoiceTable;

  constructor(children: Children, table: ChoiceTable) {
    this.#children = children;
    this.#table = table;
  }

  /** At once and without asking anybody; `undefined` when it was never written down. */
  known(id: ContainerId): CompositeChild | undefined {
    const name = this.#table.get(id);
    return name === undefined ? undefined : this.#children.byName(name);
  }

  /** {@link known}, else the one child that has it. Throws `not_found`, or `conflict` when several have. */
  async find(id: ContainerId): Promise<CompositeChild> {
    const known = this.known(id);
    if (known !== undefined) return known;
    const holders = await this.#holders(id);
    const [holder] = holders;
    const key = containerIdToString(id);
    if (holder === undefined) throw new BerthError("not_found", `no such container: ${key}`, { container: key, reason: "no such container" });
    if (holders.length > 1) {
      throw new BerthError("conflict", `container ${key} is on several backends (${holders.map(({ name }) => name).join(", ")}); remove it on all but one`);
    }
    this.#table.set(id, holder.name);
    return holder;
  }

  /** Writes the choice down for the time of `create`; when that fails the entry is what it was. */
  async choose(id: ContainerId, child: CompositeChild, create: () => Promise<void>): Promise<void> {
    const before = this.#table.get(id);
    this.#table.set(id, child.name);
    try {
      await create();
    } catch (error) {
      if (before === undefined) this.#table.delete(id);
      else this.#table.set(id, before);
      throw error;
    }
  }

  forget(id: ContainerId): void {
    this.#table.delete(id);
  }

  /** After a restart: forgets the choices of containers that are gone. A child that cannot be asked keeps its entries. */
  async reconcile(): Promise<void> {
    for (const { name, runtime } of this.#children.all) {
      const listed = await runtime.listContainers().catch(() => undefined);
      if (listed === undefined) continue;
      const keys = new Set(listed.flatMap(({ containerId: id }) => (id === undefined ? [] : [containerIdToString(id)])));
      const gone = this.#table.all().filter(({ key, backend }) => backend === name && !keys.has(key));
      for (const { key } of gone) this.#table.deleteKey(key);
    }
  }

  async #holders(id: ContainerId): Promise<CompositeChild[]> {
    const has = async ({ runtime }: CompositeChild): Promise<boolean> => {
      try {
        await runtime.containerState(id);
        return true;
      } catch (error) {
        if (isBerthError(error, "not_found")) return false;
        throw error;
      }
    };
    const answers = await Promise.all(this.#children.all.map(has));
    return this.#children.all.filter((_, index) => answers[index]);
  }
}
