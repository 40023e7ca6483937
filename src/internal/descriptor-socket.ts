/** A unix socket at a path through which another process hands over one open file (SCM_RIGHTS), as OCI runtimes do with a terminal. */
import { closeSync, rmSync } from "node:fs";
import koffi from "koffi";
import { call, errnoCode } from "./libc.ts";

const [AF_UNIX, SOCK_STREAM, SOCK_NONBLOCK, SOCK_CLOEXEC] = [1, 1, 0o4000, 0o2000000];
const [MSG_DONTWAIT, MSG_CMSG_CLOEXEC] = [0x40, 0x40000000];
const [SOL_SOCKET, SCM_RIGHTS] = [1, 1];

export class DescriptorSocket implements Disposable {
  readonly #path: string;
  #listener: number;
  #connection: number | undefined;

  /** The path must be short, as those of unix sockets are. */
  constructor(path: string) {
    this.#path = path;
    const name = Buffer.from(path);
    if (name.length > 107) throw new Error(`the path of a unix socket has at most 107 bytes: ${path}`);
    const address = Buffer.alloc(110);
    address.writeUInt16LE(AF_UNIX, 0);
    name.copy(address, 2);
    this.#listener = call("int socket(int domain, int type, int protocol)", path, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    try {
      call("int bind(int fd, const void *address, uint32_t length)", path, this.#listener, address, address.length);
      call("int listen(int fd, int backlog)", path, this.#listener, 1);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The descriptor, once it was sent; `undefined` before. Never waits. */
  tryReceive(): number | undefined {
    this.#connection ??= orLater(() =>
      call("int accept4(int fd, void *address, void *length, int flags)", this.#path, this.#listener, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC),
    );
    const connection = this.#connection;
    return connection === undefined ? undefined : orLater(() => receive(connection));
  }

  close(): void {
    for (const fd of [this.#listener, this.#connection]) if (fd !== undefined && fd >= 0) closeSync(fd);
    this.#listener = -1;
    this.#connection = undefined;
    rmSync(this.#path, { force: true });
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** `struct msghdr` with one buffer for bytes and one for a control message that holds a descriptor. */
function receive(fd: number): number | undefined {
  const [bytes, control, vector, header] = [Buffer.alloc(4096), Buffer.alloc(24), Buffer.alloc(16), Buffer.alloc(56)];
  vector.writeBigUInt64LE(koffi.address(bytes), 0);
  vector.writeBigUInt64LE(BigInt(bytes.length), 8);
  header.writeBigUInt64LE(koffi.address(vector), 16);
  header.writeBigUInt64LE(1n, 24);
  header.writeBigUInt64LE(koffi.address(control), 32);
  header.writeBigUInt64LE(BigInt(control.length), 40);
  call("long recvmsg(int fd, _Inout_ void *header, int flags)", "", fd, header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  const isRights = header.readBigUInt64LE(40) >= 20n && control.readInt32LE(8) === SOL_SOCKET && control.readInt32LE(12) === SCM_RIGHTS;
  return isRights ? control.readInt32LE(16) : undefined;
}

function orLater<T>(attempt: () => T): T | undefined {
  try {
    return attempt();
  } catch (error) {
    if (errnoCode(error) === "EAGAIN" || errnoCode(error) === "EWOULDBLOCK") return undefined;
    throw error;
  }
}
