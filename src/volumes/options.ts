/** Options of Docker's local driver (`--opt type=… --opt o=… --opt device=…`), and what they mean for a container. */
import { isIP } from "node:net";
import { BerthError } from "../errors.ts";

export type VolumeOptions = Readonly<Record<string, string>>;

/** Where a volume's files are. */
export type VolumeSource =
  /** A directory of the engine's own. */
  | { readonly kind: "directory" }
  /** A directory of the host. */
  | { readonly kind: "bind"; readonly device: string; readonly readonly: boolean }
  /** Memory, mounted while a container runs that uses it. `options` are for mount(2). */
  | { readonly kind: "memory"; readonly options: readonly string[] }
  /** Mounted by each container for itself. */
  | { readonly kind: "nfs"; readonly type: "nfs" | "nfs4"; readonly device: string; readonly options: readonly string[] };

/** Throws `invalid_spec` for what is no option and `unsupported` for what Berth cannot do. */
export function volumeSource(options: VolumeOptions): VolumeSource {
  const unknown = Object.keys(options).filter((key) => !["type", "o", "device"].includes(key));
  if (unknown.length > 0) throw invalid(`unknown volume option ${unknown.join(", ")}; the local driver has type, o and device`);
  const { type = "", device = "" } = options;
  const words = (options["o"] ?? "").split(",").filter((word) => word !== "");
  if (type === "" && device === "" && words.length === 0) return { kind: "directory" };
  if (type === "" || type === "none" || type === "bind") return bindSource(device, words);
  if (type === "tmpfs") return memorySource(words);
  if (type === "nfs" || type === "nfs4") return nfsSource(type, device, words);
  throw new BerthError("unsupported", `volume option type=${type} is not supported; there are none (with o=bind), tmpfs and nfs`);
}

function bindSource(device: string, words: readonly string[]): VolumeSource {
  const isBind = words.includes("bind") || words.includes("rbind");
  if (!isBind) throw invalid("a volume of type none needs o=bind: it shows a directory of the host");
  refuseOthers(words, /^(r?bind|ro|rw)$/, "a bind");
  if (!device.startsWith("/")) throw invalid(`volume option device=${device} of a bind must be an absolute path of the host`);
  return { kind: "bind", device, readonly: words.includes("ro") };
}

function memorySource(words: readonly string[]): VolumeSource {
  refuseOthers(words, /^(size=\d+[kmg%]?|nr_inodes=\d+[kmg]?|mode=[0-7]{3,4}|uid=\d+|gid=\d+|nosuid|nodev|noexec|rw)$/i, "a tmpfs");
  return { kind: "memory", options: words.filter((word) => word !== "rw") };
}

function nfsSource(type: "nfs" | "nfs4", device: string, words: readonly string[]): VolumeSource {
  const address = words.find((word) => word.startsWith("addr="))?.slice("addr=".length) ?? "";
  if (isIP(address) === 0) throw invalid(`an ${type} volume needs o=addr=<address of the server>, as a number`);
  if (!/^[^/]*:\//.test(device)) throw invalid(`volume option device=${device} of ${type} must be :/path`);
  return { kind: "nfs", type, device, options: words };
}

function refuseOthers(words: readonly string[], known: RegExp, what: string): void {
  const others = words.filter((word) => !known.test(word));
  if (others.length > 0) throw new BerthError("unsupported", `volume option o=${others.join(",")} is not supported for ${what} volume`);
}

function invalid(message: string): BerthError {
  return new BerthError("invalid_spec", message);
}
