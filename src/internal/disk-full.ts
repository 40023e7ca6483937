import { errnoCode } from "./libc.ts";

/** SQLite's result codes: full; and what a write, the growth of its files or their making fail with on a full disk. */
const fullCodes = new Set([13, 778, 1290, 4874]);

/** No space, or no more of it for us; also where that is what another error came from. */
export function isDiskFull(error: unknown): boolean {
  const code = errnoCode(error);
  if (code === "ENOSPC" || code === "EDQUOT") return true;
  if (error instanceof Error && error.cause !== undefined && isDiskFull(error.cause)) return true;
  return error instanceof Error && "errcode" in error && typeof error.errcode === "number" && fullCodes.has(error.errcode);
}

/** What somebody can do about a failure, to put behind its message; empty where nothing is known. */
export function remedyOf(error: unknown): string {
  return isDiskFull(error) ? "; free some space and try again" : "";
}
