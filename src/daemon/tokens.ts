/** Bearer tokens with roles, from a file of lines `token role [name]`. */
import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { BerthError, messageOf } from "../errors.ts";
import type { Identity, Role } from "../http/identity.ts";
import { HttpError } from "../http/status.ts";

interface Known {
  readonly hash: Buffer;
  readonly identity: Identity;
}

const roles: readonly Role[] = ["admin", "operator", "reader"];

export type Tokens = (token: string) => Identity | undefined;

/** Throws `configuration` when the file cannot be read, is open to others, or a line is not understood. */
export function readTokens(path: string): Tokens {
  let text: string;
  try {
    if ((statSync(path).mode & 0o077) !== 0) throw new Error("others may read it; chmod it to 0600");
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new BerthError("configuration", `token file ${path}: ${messageOf(cause)}`, { cause });
  }
  const lines = text.split("\n").map((line) => line.trim());
  const known = lines.flatMap((line, index) => (line === "" || line.startsWith("#") ? [] : [parseLine(line, `${path}:${index + 1}`)]));
  return (token) => {
    const hash = hashOf(token);
    return known.find((candidate) => timingSafeEqual(candidate.hash, hash))?.identity;
  };
}

function parseLine(line: string, place: string): Known {
  const [token = "", roleText = "", name = roleText] = line.split(/\s+/);
  const role = roles.find((word) => word === roleText);
  if (token.length < 16) throw new BerthError("configuration", `${place}: a token needs at least 16 characters`);
  if (role === undefined) throw new BerthError("configuration", `${place}: the role must be one of ${roles.join(", ")}`);
  return { hash: hashOf(token), identity: { role, name } };
}

function hashOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

/**
 * Who a request is from. A token counts wherever it is sent; without one, `otherwise` says who may come in (root's socket, or a
 * certificate that was checked). Throws 401.
 */
export function identifier(tokens: Tokens | undefined, otherwise: Identity | undefined): (request: IncomingMessage) => Identity {
  return (request) => {
    const header = request.headers.authorization;
    const token = header === undefined ? undefined : /^Bearer (\S+)$/i.exec(header)?.[1];
    if (token !== undefined && tokens !== undefined) {
      const found = tokens(token);
      if (found === undefined) throw new HttpError(401, "unknown token");
      return found;
    }
    if (otherwise === undefined) throw new HttpError(401, "a bearer token is required");
    return otherwise;
  };
}
