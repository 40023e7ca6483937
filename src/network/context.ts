import type { Database } from "../state/database.ts";
import type { InstanceNames } from "./names.ts";

/** What the parts of this room share. */
export interface NetworkContext {
  readonly db: Database;
  readonly names: InstanceNames;
  /** Interface index of each bridge that this process has found or made complete, by name. */
  readonly completeBridges: Map<string, number>;
  /** The kernel's id of the namespace that this process attached for each key; see rtnetlink.ts. */
  readonly namespaceIds: Map<string, number>;
}
