import { NetworkFailure } from "./failure.ts";
import type { SchemePolicy } from "./config.ts";
import type { HttpRequest, HttpResponse, Transport } from "./transport.ts";

const redirectStatuses = new Set([301, 302, 303, 307, 308]);
const maxRedirects = 10;

/**
 * Sends and follows. `Authorization` is dropped for good at the first other host, every other header (`Range`) is kept;
 * TLS is never given up on the way.
 */
export async function sendFollowing(transport: Transport, request: HttpRequest, policy: SchemePolicy): Promise<HttpResponse> {
  let current = request;
  for (let hop = 0; hop <= maxRedirects; hop++) {
    const response = await transport.send(current);
    if (!redirectStatuses.has(response.status)) return response;
    response.discard();
    const url = target(response, policy);
    const { authorization, ...others } = current.headers;
    const keeps = authorization !== undefined && url.origin === current.url.origin;
    current = { ...current, url, headers: keeps ? current.headers : others };
  }
  throw new NetworkFailure("refused", request.url.host, `more than ${maxRedirects} redirects`);
}

function target(response: HttpResponse, policy: SchemePolicy): URL {
  const from = response.url;
  const to = URL.parse(response.headers.location ?? "", from.href);
  if (to === null || (to.protocol !== "https:" && to.protocol !== "http:")) {
    throw new NetworkFailure("refused", from.host, "a redirect that leads nowhere");
  }
  if (to.protocol === "http:" && (from.protocol === "https:" || policy(to.host) === "https")) {
    throw new NetworkFailure("refused", from.host, `a redirect to plain http at ${to.host}`);
  }
  to.username = "";
  to.password = "";
  return to;
}
