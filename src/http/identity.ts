/** Who is asking. The unix socket's file mode is its guard; over TCP it is a certificate or a token. */
export type Role = "admin" | "operator" | "reader";

export type Identity =
  | { readonly role: Role; readonly name: string }
  /** A container that may look at itself, and at nothing else. */
  | { readonly role: "container"; readonly name: string; readonly containerKey: string };

const ranks: Readonly<Record<Identity["role"], number>> = { container: 0, reader: 1, operator: 2, admin: 3 };

export function isAtLeast(identity: Identity, role: Role): boolean {
  return ranks[identity.role] >= ranks[role];
}
