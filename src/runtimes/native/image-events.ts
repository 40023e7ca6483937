import type { ImageEvent } from "../../images/image-records.ts";
import { familiarName } from "../../spec/reference.ts";
import type { NewEvent } from "./events.ts";

/** As Docker tells it: a pull or push is about a reference, everything else about an id. */
export function imageEvent({ action, id, name, labels }: ImageEvent): NewEvent {
  const familiar = name === undefined ? undefined : familiarName(name);
  if (familiar !== undefined && (action === "pull" || action === "push")) {
    return { type: "image", action, actor: { id: familiar, attributes: { ...labels, name: familiar.replace(/(?::[^:/]*|@.*)$/, "") } } };
  }
  return { type: "image", action, actor: { id, attributes: { ...labels, name: action === "tag" && familiar !== undefined ? familiar : id } } };
}
