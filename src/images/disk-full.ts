import { errnoCode } from "../internal/libc.ts";

/** No space, or no more of it for us. */
export function isDiskFull(error: unknown): boolean {
  const code = errnoCode(error);
  return code === "ENOSPC" || code === "EDQUOT";
}
