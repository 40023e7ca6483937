/** Who a container's process runs as, by the text of its passwd and group files (contract 1.3.1). */
import { BerthError } from "../errors.ts";

export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  /** The primary group first, as Docker does: without it "everyone but this group" permissions could be evaded. */
  readonly additionalGids: readonly number[];
  readonly home: string;
  /** Name in the container's passwd file; absent for a bare uid it does not list. */
  readonly name?: string | undefined;
}

export interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

export interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

const maxId = 2 ** 31 - 1;

/** A decimal id, as `strtoul` would have it for a clean number; anything else is `undefined`. */
function parseId(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id <= maxId ? id : undefined;
}

/** Lines that are no entries are passed over, as libc does. */
export function parsePasswd(text: string): readonly PasswdEntry[] {
  return text.split("\n").flatMap((line) => {
    const [name, , uidText, gidText, , home] = line.trim().split(":");
    const [uid, gid] = [parseId(uidText), parseId(gidText)];
    if (!name || uid === undefined || gid === undefined) return [];
    return [{ name, uid, gid, home: home ?? "" }];
  });
}

export function parseGroup(text: string): readonly GroupEntry[] {
  return text.split("\n").flatMap((line) => {
    const [name, , gidText, members] = line.trim().split(":");
    const gid = parseId(gidText);
    return name && gid !== undefined ? [{ name, gid, members: (members ?? "").split(",").filter(Boolean) }] : [];
  });
}

export interface UserFiles {
  readonly passwd: string;
  readonly group: string;
}

/**
 * Looks up `uid`, `uid:gid`, `name` or `name:group`, absent meaning root, and the extra groups. Throws `invalid_spec` for a
 * name the files do not list: it is never taken for root.
 */
export function lookUpUser(wanted: string | undefined, extraGroups: readonly string[], files: UserFiles): ResolvedUser {
  const [userText = "0", groupText] = (wanted ?? "0").split(":");
  const passwd = parsePasswd(files.passwd);
  const groups = parseGroup(files.group);
  const uid = parseId(userText);
  const entry = passwd.find((candidate) => candidate.name === userText) ?? (uid === undefined ? undefined : passwd.find((candidate) => candidate.uid === uid));
  const finalUid = entry?.uid ?? uid;
  if (finalUid === undefined) throw unknownName("user", userText, "/etc/passwd");
  const gid = groupText === undefined || groupText === "" ? (entry?.gid ?? 0) : lookUpGroup(groupText, groups);
  // An explicit group replaces the memberships, as in Docker.
  const memberships = groupText || entry === undefined ? [] : groups.filter((group) => group.members.includes(entry.name)).map((group) => group.gid);
  const extra = extraGroups.map((group) => lookUpGroup(group, groups));
  return {
    uid: finalUid,
    gid,
    additionalGids: [...new Set([gid, ...memberships, ...extra])],
    home: entry?.home.startsWith("/") ? entry.home : "/",
    ...(entry === undefined ? {} : { name: entry.name }),
  };
}

function lookUpGroup(wanted: string, groups: readonly GroupEntry[]): number {
  const gid = groups.find((group) => group.name === wanted)?.gid ?? parseId(wanted);
  if (gid === undefined) throw unknownName("group", wanted, "/etc/group");
  return gid;
}

function unknownName(kind: string, name: string, file: string): BerthError {
  return new BerthError("invalid_spec", `${kind} ${JSON.stringify(name)} is not in the container's ${file}; use a number or a name that is`);
}
