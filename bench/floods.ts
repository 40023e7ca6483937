/** Commands that write many lines. */

/** With its newline, 100 bytes. */
export const lineBytes = 100;
const line = "berth".repeat(20).slice(1);

/** Writes that many bytes, or goes on until it is killed. */
export function flooding(bytes: number | "forever"): readonly string[] {
  return bytes === "forever" ? ["/bin/busybox", "yes", line] : ["/bin/sh", "-c", `busybox yes ${line} | busybox head -c ${bytes}`];
}
