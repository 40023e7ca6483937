import { BerthError, messageOf } from "../../errors.ts";
import { type ContainerId, containerIdToString } from "../../spec/container-id.ts";
import { nameInUse } from "./create.ts";
import { mustGet, type NativeContext, notFound, serialised } from "./context.ts";
import { refuseRemoving } from "./remove.ts";

const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** Method 19. One statement of the database takes the new name and frees the old one, or does neither. */
export async function renameContainer(ctx: NativeContext, id: ContainerId, newName: string): Promise<void> {
  const name = newName.trim().replace(/^\//, "");
  if (!namePattern.test(name)) {
    const rule = "only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed, at least 2 characters";
    throw new BerthError("invalid_spec", `invalid container name ${JSON.stringify(newName)}: ${rule}`);
  }
  mustGet(ctx, id);
  refuseRemoving(ctx, id);
  await serialised(ctx, id, async () => {
    const record = ctx.store.get(containerIdToString(id));
    if (record === undefined) throw notFound(id);
    if (record.name === name) throw new BerthError("invalid_spec", `container ${record.key} has the name ${name} already; give it another`);
    const holder = ctx.store.byName(name);
    if (holder !== undefined) throw nameInUse(name, holder);
    try {
      ctx.store.atomically(() => {
        ctx.store.rename(record.key, name);
        ctx.journal.recordContainer({ ...record, name }, "rename", { oldName: `/${record.name}` });
      });
    } catch (cause) {
      const taker = /UNIQUE constraint failed/.test(messageOf(cause)) ? ctx.store.byName(name) : undefined;
      throw taker === undefined ? cause : nameInUse(name, taker);
    }
    await ctx.network.namesChanged(ctx.network.endpoints(record.key));
  });
}
