/** Browsers may be made to talk to us: a page elsewhere cannot choose our Host and cannot hide its Origin. */
import { isIP } from "node:net";
import type { IncomingHttpHeaders } from "node:http";
import { HttpError } from "./status.ts";

/** Clients of a unix socket say `docker`, `localhost`, the escaped path, or nothing at all. */
const plainNames = /^[a-z0-9]([a-z0-9_-]*[a-z0-9])?$/i;

/** Throws 403 for a Host that is a public name we are not known by (DNS rebinding) and for an Origin other than our own. */
export function checkHost(headers: IncomingHttpHeaders, o: { readonly isUnix: boolean; readonly isOurName: (host: string) => boolean }): void {
  const host = hostName(headers.host);
  if (!o.isUnix && host !== "" && !isKnown(host, o.isOurName)) {
    throw new HttpError(403, `this engine is not called ${JSON.stringify(host)}; use its address or a name of its certificate`);
  }
  const { origin } = headers;
  if (origin !== undefined && origin !== "" && !isOwnOrigin(origin, headers.host)) {
    throw new HttpError(403, `requests of pages at ${JSON.stringify(origin)} are refused`);
  }
}

function isKnown(host: string, isOurName: (host: string) => boolean): boolean {
  return isIP(host) !== 0 || plainNames.test(host) || host.endsWith(".localhost") || isOurName(host);
}

function isOwnOrigin(origin: string, host: string | undefined): boolean {
  try {
    return host !== undefined && new URL(origin).host === host;
  } catch {
    return false;
  }
}

function hostName(host: string | undefined): string {
  if (host === undefined) return "";
  const bracketed = /^\[([^\]]+)\]/.exec(host)?.[1];
  return (bracketed ?? host.replace(/:\d*$/, "")).toLowerCase();
}
