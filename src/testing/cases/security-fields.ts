/** Fields of contract 1.3.4, seen from inside: devices, capabilities, profiles, namespaces, sysctls, ulimits. */
import assert from "node:assert/strict";
import { readlinkSync } from "node:fs";
import { capabilitiesOfMask, defaultCapabilities } from "../../spec/capabilities.ts";
import type { CaseSpec, ContractCase, ContractContext } from "../contract.ts";
import { programs } from "../programs.ts";
import { rejectsWith } from "./expect.ts";

const fails = (command: string): string => `if ${command} >/dev/null 2>&1; then echo done; else echo refused; fi`;

async function capabilities(t: ContractContext, set: "CapEff" | "CapBnd" | "CapInh" | "CapAmb", spec: CaseSpec = {}): Promise<readonly string[]> {
  return [...capabilitiesOfMask(await t.shell(`grep ${set} /proc/self/status | cut -f2`, spec))].sort();
}

/** Identity of a namespace of this process and of a container's. */
async function namespaces(t: ContractContext, name: string, spec: CaseSpec): Promise<{ readonly here: string; readonly inside: string }> {
  return { here: readlinkSync(`/proc/self/ns/${name}`), inside: await t.shell(`readlink /proc/self/ns/${name}`, spec) };
}

export const securityFieldCases: readonly ContractCase[] = [
  {
    name: "the default capabilities are the fourteen, not inheritable and not ambient",
    needs: ["kernel"],
    run: async (t) => {
      const expected = [...defaultCapabilities].sort();
      assert.equal(expected.length, 14);
      assert.deepEqual(await capabilities(t, "CapEff"), expected);
      assert.deepEqual(await capabilities(t, "CapBnd"), expected);
      assert.deepEqual(await capabilities(t, "CapInh"), []);
      assert.deepEqual(await capabilities(t, "CapAmb"), []);
    },
  },
  {
    name: "capabilities are added to the defaults and dropped after adding",
    needs: ["kernel"],
    run: async (t) => {
      const added = await capabilities(t, "CapEff", { capabilities: ["net_admin", "CAP_SYS_PTRACE"], capDrop: ["CAP_MKNOD", "sys_ptrace"] });
      const expected = [...defaultCapabilities, "CAP_NET_ADMIN"].filter((name) => name !== "CAP_MKNOD").sort();
      assert.deepEqual(added, expected);
      assert.deepEqual(await capabilities(t, "CapEff", { capDrop: ["ALL"] }), []);
      assert.deepEqual(await capabilities(t, "CapEff", { capDrop: ["ALL"], capabilities: ["CHOWN"] }), ["CAP_CHOWN"]);
      assert.ok((await capabilities(t, "CapEff", { capabilities: ["ALL"] })).includes("CAP_SYS_ADMIN"));
    },
  },
  {
    name: "another user than root has no effective capabilities, but the bounding set",
    needs: ["kernel"],
    run: async (t) => {
      assert.deepEqual(await capabilities(t, "CapEff", { user: "alice" }), []);
      assert.deepEqual(await capabilities(t, "CapBnd", { user: "alice" }), [...defaultCapabilities].sort());
    },
  },
  {
    name: "the default seccomp profile filters, unconfined does not, and new privileges are allowed",
    needs: ["kernel"],
    run: async (t) => {
      const status = "grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status | sort | cut -f2 | tr '\\n' ' '";
      assert.equal((await t.shell(status)).trim(), "0 2");
      assert.equal((await t.shell(status, { securityOpt: ["seccomp=unconfined"] })).trim(), "0 0");
      assert.equal((await t.shell(status, { securityOpt: ["no-new-privileges"] })).trim(), "1 2");
    },
  },
  {
    name: "masked paths are empty and read-only ones refuse writes",
    needs: ["kernel"],
    run: async (t) => {
      const script = `wc -c < /proc/keys; ls /proc/scsi 2>/dev/null | wc -l; ls /sys/firmware | wc -l; ${fails("sh -c 'echo 1 > /proc/sys/kernel/panic'")}; ${fails("mkdir /sys/fs/x")}`;
      assert.equal(await t.shell(script), "0\n0\n0\nrefused\nrefused");
    },
  },
  {
    name: "the standard mounts are there",
    needs: ["kernel"],
    run: async (t) => {
      const mounts = await t.shell("cut -d' ' -f2,3 /proc/mounts");
      for (const mount of ["/proc proc", "/dev tmpfs", "/dev/pts devpts", "/dev/shm tmpfs", "/dev/mqueue mqueue", "/sys sysfs"]) {
        assert.ok(mounts.split("\n").includes(mount), `${mount} in\n${mounts}`);
      }
      const size = "df -k /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2";
      assert.equal(
        await t.shell(`stat -c %a /dev/shm; ${size}; echo x > /dev/null; head -c 4 /dev/zero | wc -c; head -c 4 /dev/urandom | wc -c`),
        "1777\n65536\n4\n4",
      );
    },
  },
  {
    name: "no disk of the host is to be seen or opened",
    needs: ["kernel"],
    run: async (t) => {
      assert.equal(
        await t.shell(`ls /dev | grep -cE '^(sd|vd|nvme|loop|mem$|kmsg$)' || true; mknod /tmp/mem c 1 1; ${fails("head -c 1 /tmp/mem")}`),
        "0\nrefused",
      );
    },
  },
  {
    name: "a device is there with its rights, under another name when asked",
    needs: ["kernel"],
    run: async (t) => {
      // /dev/full refuses every write, so the refusal of the cgroup is told by reading.
      const devices = [
        { path: "/dev/full", containerPath: "/dev/always-full" },
        { path: "/dev/fuse", write: true },
      ];
      assert.equal(await t.shell("head -c 3 /dev/always-full | wc -c; [ -c /dev/fuse ] && echo there", { devices }), "3\nthere");
      assert.equal(await t.shell("[ -e /dev/fuse ] || echo none"), "none");
    },
  },
  {
    name: "a device that does not exist is refused by name",
    needs: ["kernel"],
    run: async (t) => {
      const started = (async () => {
        const id = await t.create({ devices: [{ path: "/dev/no-such-device" }] });
        await t.runtime.startContainer(id);
      })();
      await assert.rejects(started, (error: Error) => error.message.includes("/dev/no-such-device"));
    },
  },
  {
    name: "privileged: all capabilities, no profile, nothing masked, writable sysfs, the host's devices",
    needs: ["kernel"],
    run: async (t) => {
      const spec = { privileged: true };
      assert.ok((await capabilities(t, "CapEff", spec)).includes("CAP_SYS_ADMIN"));
      const script = `grep Seccomp: /proc/self/status | cut -f2; grep ' /sys ' /proc/mounts | cut -d' ' -f4 | cut -d, -f1; [ -c /dev/fuse ] && echo fuse; ${fails("sh -c 'cat /proc/sys/kernel/panic > /proc/sys/kernel/panic'")}`;
      assert.equal(await t.shell(script, spec), "0\nrw\nfuse\ndone");
    },
  },
  {
    name: "systempaths=unconfined takes the masks away",
    needs: ["kernel"],
    run: async (t) => {
      const readable = "head -c 1 /proc/timer_list 2>/dev/null | wc -c";
      assert.equal(await t.shell(readable), "0");
      const mounts = await t.shell("grep -cE ' /proc/(keys|timer_list|sys) ' /proc/mounts || true", { securityOpt: ["systempaths=unconfined"] });
      assert.equal(mounts, "0");
    },
  },
  {
    name: "processes of the host and of other containers are not seen; with pid mode host they are",
    needs: ["kernel"],
    run: async (t) => {
      await t.service();
      assert.equal(await t.shell("set -- /proc/[0-9]*; echo $#"), "1");
      const { here, inside } = await namespaces(t, "pid", { pidMode: "host" });
      assert.equal(inside, here);
    },
  },
  {
    name: "pid mode container joins another container's processes",
    needs: ["kernel", "inspectDetailed"],
    run: async (t) => {
      const other = await t.service();
      const { hexId } = await t.runtime.inspectDetailed(other);
      const seen = await t.shell("readlink /proc/self/ns/pid", { pidMode: `container:${hexId}` });
      assert.equal(seen, (await t.runtime.exec(other, programs.shell("readlink /proc/self/ns/pid"))).stdout.trim());
    },
  },
  {
    name: "ipc is private, host, or shared with another container",
    needs: ["kernel", "inspectDetailed"],
    run: async (t) => {
      const own = await namespaces(t, "ipc", {});
      assert.notEqual(own.inside, own.here);
      const host = await namespaces(t, "ipc", { ipcMode: "host" });
      assert.equal(host.inside, host.here);
      const other = await t.service({ ipcMode: "shareable" });
      const { hexId } = await t.runtime.inspectDetailed(other);
      await t.runtime.exec(other, programs.append("/dev/shm/note", "shared\n"));
      assert.equal(await t.shell("cat /dev/shm/note", { ipcMode: `container:${hexId}` }), "shared");
    },
  },
  {
    name: "ipc mode none has no shared memory",
    needs: ["kernel"],
    run: async (t) => assert.equal(await t.shell("grep -c ' /dev/shm ' /proc/mounts || true", { ipcMode: "none" }), "0"),
  },
  {
    name: "sysctls of the container's namespaces are set",
    needs: ["kernel"],
    run: async (t) => {
      const sysctls = { "net.ipv4.ip_unprivileged_port_start": "80", "kernel.msgmax": "12345" };
      assert.equal(await t.shell("cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax", { sysctls }), "80\n12345");
    },
  },
  {
    name: "sysctls that belong to the host are refused",
    needs: [],
    run: async (t) => {
      await rejectsWith("invalid_spec", t.runtime.createContainer(t.newId(), t.spec({ sysctls: { "vm.swappiness": "1" } })));
      await rejectsWith("invalid_spec", t.runtime.createContainer(t.newId(), t.spec({ networkMode: "host", sysctls: { "net.ipv4.ip_forward": "1" } })));
    },
  },
  {
    name: "ulimits are set, a missing half is the other one",
    needs: ["kernel"],
    run: async (t) => {
      const ulimits = { nofile: { soft: 111, hard: 222 }, core: { soft: 0 }, stack: { hard: 4 * 1024 * 1024 } };
      const seen = await t.shell("grep -E '^Max (open files|core|stack)' /proc/self/limits | tr -s ' ' | sort", { ulimits });
      assert.equal(seen, "Max core file size 0 0 bytes \nMax open files 111 222 files \nMax stack size 4194304 4194304 bytes ");
    },
  },
  {
    name: "mount, cgroup and uts namespaces are the container's own",
    needs: ["kernel"],
    run: async (t) => {
      for (const name of ["mnt", "uts"]) {
        const { here, inside } = await namespaces(t, name, {});
        assert.notEqual(inside, here, name);
      }
    },
  },
];
