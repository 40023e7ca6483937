/** Method 37. */
import { applyChanges } from "../../spec/changes.ts";
import { committedConfig } from "../../spec/committed-config.ts";
import { sha256 } from "../../spec/digest.ts";
import type { ImageConfig } from "../../spec/image-config.ts";
import { canonicalReference, importTarget } from "../../spec/reference.ts";
import type { CommitOptions, CommitOutcome } from "../../runtime/types.ts";
import type { Container } from "./container.ts";
import { resolveArgv } from "./process-setup.ts";
import type { World } from "./world.ts";

export function commitContainer(world: World, container: Container, o: CommitOptions): CommitOutcome {
  const name = importTarget(o.repo, o.tag);
  const { image, spec } = { image: container.setup.image, spec: container.spec };
  const argv = resolveArgv(image.config.config, spec.command);
  const config = applyChanges(committedConfig(spec, image.config.config), o.changes ?? "");
  container.refuseRemoving();
  const created = world.clock.now().toISOString();
  const files = new Map(container.files);
  const size = [...files.values()].reduce((sum, bytes) => sum + bytes.length, 0);
  const whole: ImageConfig = {
    ...image.config,
    created,
    author: o.author,
    comment: o.comment,
    container: container.setup.hexId,
    config,
    rootfs: { diffIds: [...image.config.rootfs.diffIds, sha256(`layer of ${container.setup.hexId} at ${created}`)] },
    history: [...image.config.history, { created, createdBy: argv.join(" "), author: o.author, comment: o.comment }],
  };
  const id = sha256(JSON.stringify(whole));
  const reference = name === undefined ? undefined : canonicalReference(name);
  const layerSizes = [...image.layerSizes, size];
  const made = { image: image.image, reference: reference ?? id, config: whole, id, manifestDigest: sha256(`manifest of ${id}`), layerSizes, files };
  world.images.add(made, reference === undefined ? [] : [reference]);
  world.journal.recordContainer(container, "commit", { comment: o.comment ?? "", imageID: id, imageRef: reference ?? "" });
  return { id };
}
