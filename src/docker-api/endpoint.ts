/** Where an engine listens, in the spellings of `DOCKER_HOST`. */
import { BerthError } from "../errors.ts";

/** PEM texts. Without `ca` the authorities of this system are trusted. */
export interface EngineTls {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** `false` takes any certificate, as `DOCKER_TLS` without `DOCKER_TLS_VERIFY` does. */
  readonly verify: boolean;
}

export type EngineEndpoint =
  /** A unix socket, or a named pipe on Windows. */
  | { readonly kind: "socket"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly tls?: EngineTls | undefined }
  /** `docker system dial-stdio` on another host; `socketPath` is there. */
  | {
      readonly kind: "ssh";
      readonly host: string;
      readonly user?: string | undefined;
      readonly port?: number | undefined;
      readonly socketPath?: string | undefined;
    };

const plainPort = 2375;
const tlsPort = 2376;

/**
 * Reads `unix:///path`, an absolute path, `npipe:////./pipe/name`, `tcp://host[:port]`, `http(s)://…`, `ssh://[user@]host[:port][/path]`.
 * `tls` applies to `tcp` and `https`. Throws `configuration`.
 */
export function parseEndpoint(text: string, tls?: EngineTls): EngineEndpoint {
  if (text.startsWith("/")) return { kind: "socket", path: text };
  const [, scheme = "", rest = ""] = /^([a-z]+):\/\/(.*)$/s.exec(text) ?? [];
  switch (scheme) {
    case "unix":
      if (!rest.startsWith("/")) throw bad(text, "needs an absolute path, as in unix:///var/run/docker.sock");
      return { kind: "socket", path: rest };
    case "npipe":
      return { kind: "socket", path: rest };
    case "tcp":
    case "http":
    case "https":
      return tcpEndpoint(text, `${scheme}://${rest}`, scheme === "https" ? (tls ?? { verify: true }) : scheme === "tcp" ? tls : undefined);
    case "ssh":
      return sshEndpoint(text);
    default:
      throw bad(text, "is none of unix://, npipe://, tcp://, http://, https:// and ssh://");
  }
}

/** As one would write it into `DOCKER_HOST`. */
export function endpointText(endpoint: EngineEndpoint): string {
  switch (endpoint.kind) {
    case "socket":
      return endpoint.path.startsWith("//") ? `npipe://${endpoint.path}` : `unix://${endpoint.path}`;
    case "tcp":
      return `tcp://${endpoint.host.includes(":") ? `[${endpoint.host}]` : endpoint.host}:${endpoint.port}`;
    case "ssh": {
      const user = endpoint.user === undefined ? "" : `${endpoint.user}@`;
      const port = endpoint.port === undefined ? "" : `:${endpoint.port}`;
      return `ssh://${user}${endpoint.host}${port}${endpoint.socketPath ?? ""}`;
    }
  }
  return endpoint satisfies never;
}

function tcpEndpoint(text: string, urlText: string, tls: EngineTls | undefined): EngineEndpoint {
  // `URL` knows no default port for other schemes, and drops the default one of http.
  const url = URL.parse(urlText.replace(/^\w+:/, "tcp:"));
  if (url === null || url.hostname === "") throw bad(text, "is not host[:port]");
  if (url.username !== "" || url.password !== "") throw bad(text, "holds an account; an engine knows certificates only");
  if (!/^\/?$/.test(url.pathname)) throw bad(text, "has a path; an engine is spoken to at the root");
  const port = url.port === "" ? (tls === undefined ? plainPort : tlsPort) : Number(url.port);
  return { kind: "tcp", host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port, tls };
}

function sshEndpoint(text: string): EngineEndpoint {
  const url = URL.parse(text);
  if (url === null || url.hostname === "" || url.hostname.startsWith("-")) throw bad(text, "is not ssh://[user@]host[:port]");
  if (url.password !== "") throw bad(text, "holds a password; ssh asks its agent or key files");
  const user = decodeURIComponent(url.username);
  if (user.startsWith("-")) throw bad(text, "has a user name that ssh would read as an option");
  return {
    kind: "ssh",
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    ...(user === "" ? {} : { user }),
    ...(url.port === "" ? {} : { port: Number(url.port) }),
    ...(url.pathname === "" || url.pathname === "/" ? {} : { socketPath: url.pathname }),
  };
}

function bad(text: string, problem: string): BerthError {
  const shown = text.replace(/\/\/[^/@]*:[^/@]*@/, "//…@").slice(0, 200);
  return new BerthError("configuration", `engine endpoint ${JSON.stringify(shown)} ${problem}`);
}
