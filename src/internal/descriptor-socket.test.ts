import assert from "node:assert/strict";
import { closeSync, existsSync, fstatSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import koffi from "koffi";
import { DescriptorSocket } from "./descriptor-socket.ts";
import { call } from "./libc.ts";

/** As an OCI runtime does it. */
function send(path: string, fd: number): void {
  const address = Buffer.alloc(110);
  address.writeUInt16LE(1, 0);
  address.write(path, 2);
  const socket = call("int socket(int domain, int type, int protocol)", "", 1, 1, 0);
  call("int connect(int fd, const void *address, uint32_t length)", path, socket, address, address.length);
  const [bytes, control, vector, header] = [Buffer.from("terminal"), Buffer.alloc(24), Buffer.alloc(16), Buffer.alloc(56)];
  control.writeBigUInt64LE(20n, 0);
  control.writeInt32LE(1, 8);
  control.writeInt32LE(1, 12);
  control.writeInt32LE(fd, 16);
  vector.writeBigUInt64LE(koffi.address(bytes), 0);
  vector.writeBigUInt64LE(BigInt(bytes.length), 8);
  header.writeBigUInt64LE(koffi.address(vector), 16);
  header.writeBigUInt64LE(1n, 24);
  header.writeBigUInt64LE(koffi.address(control), 32);
  header.writeBigUInt64LE(24n, 40);
  call("long sendmsg(int fd, const void *header, int flags)", "", socket, header, 0);
  closeSync(socket);
}

test("a descriptor that is sent can be used, and nothing stays", () => {
  const directory = mkdtempSync(join(tmpdir(), "berth-descriptor-"));
  const path = join(directory, "socket");
  writeFileSync(join(directory, "file"), "its content");
  const socket = new DescriptorSocket(path);
  assert.equal(socket.tryReceive(), undefined);
  const sent = openSync(join(directory, "file"), "r");
  send(path, sent);
  const received = socket.tryReceive();
  assert.ok(received !== undefined && received !== sent);
  assert.equal(fstatSync(received).ino, fstatSync(sent).ino);
  const bytes = Buffer.alloc(100);
  assert.equal(bytes.subarray(0, readSync(received, bytes)).toString(), "its content");
  for (const fd of [sent, received]) closeSync(fd);
  socket.close();
  socket.close();
  assert.ok(!existsSync(path));
  rmSync(directory, { recursive: true });
});

test("a path that is too long for a socket is refused", () => {
  assert.throws(() => new DescriptorSocket(`/tmp/${"x".repeat(110)}`), /at most 107 bytes/);
});
