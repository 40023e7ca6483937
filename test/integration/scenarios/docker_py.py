"""What people do with docker-py. Prints "ok" at the end; anything else is a traceback."""

import io
import os
import sys
import tarfile
import threading
import time

import docker

client = docker.DockerClient(base_url=os.environ["DOCKER_HOST"], version="auto", timeout=60)
image = os.environ["IMAGE"]
name = os.environ["NAME"]

assert client.ping()
assert client.version()["ApiVersion"] >= "1.24"
assert client.containers.run(image, ["echo", "hello"], remove=True) == b"hello\n"

try:
    client.containers.run(image, ["sh", "-c", "echo oops >&2; exit 3"], remove=True)
    sys.exit("no error for exit code 3")
except docker.errors.ContainerError as error:
    assert error.exit_status == 3, error
    assert b"oops" in error.stderr

try:
    client.containers.get("no-such-container")
    sys.exit("found what is not there")
except docker.errors.NotFound:
    pass

try:
    client.images.get("no-such-image")
    sys.exit("found an image that is not there")
except docker.errors.ImageNotFound:
    pass

volume = client.volumes.create(name, labels={"a": "b"})
network = client.networks.create(name + "-net")
container = client.containers.run(
    image,
    ["sh", "-c", "echo started; sleep 1000"],
    name=name,
    detach=True,
    environment={"A": "b"},
    labels={"py": name},
    volumes={name: {"bind": "/data", "mode": "rw"}},
    network=network.name,
    mem_limit="64m",
)
assert [found.name for found in client.containers.list(filters={"label": "py=" + name})] == [name]
code, output = container.exec_run(["sh", "-c", "echo $A; echo err >&2; exit 5"], demux=True)
assert (code, output) == (5, (b"b\n", b"err\n")), (code, output)
assert container.exec_run("cat /proc/1/comm").exit_code == 0

for line in container.logs(stream=True, follow=True):
    assert line == b"started\n", line
    break

stats = container.stats(stream=False)
assert stats["memory_stats"]["limit"] == 64 * 1024 * 1024, stats["memory_stats"]
assert stats["precpu_stats"]["cpu_usage"]["total_usage"] > 0

tar = io.BytesIO()
with tarfile.open(fileobj=tar, mode="w") as archive:
    entry = tarfile.TarInfo("file")
    entry.size = 7
    archive.addfile(entry, io.BytesIO(b"content"))
assert container.put_archive("/data", tar.getvalue())
chunks, stat = container.get_archive("/data/file")
assert stat["name"] == "file" and stat["size"] == 7, stat
got = tarfile.open(fileobj=io.BytesIO(b"".join(chunks)))
assert got.extractfile("file").read() == b"content"

container.pause()
container.reload()
assert container.status == "paused"
container.unpause()
container.restart(timeout=0)
container.reload()
assert container.status == "running"
assert network.attrs is not None
network.reload()
assert [member.name for member in network.containers] == [name]

ended = []
waiter = threading.Thread(target=lambda: ended.append(container.wait()))
waiter.start()
container.kill()
waiter.join(60)
assert ended and ended[0]["StatusCode"] == 137, ended
container.remove()
network.remove()
volume.remove()


def until(what, look):
    for _ in range(600):
        if look():
            return
        time.sleep(0.1)
    sys.exit("never came true: " + what)


# Names on a network, a health check, attach, restart, and all of that told as events.
since = client.containers.run(image, ["date", "+%s"], remove=True).decode().strip()
network = client.networks.create(name + "-net")
check = {"test": ["CMD", "test", "-e", "/tmp/well"], "interval": 500 * 1000 * 1000, "retries": 30}
command = ["sh", "-c", "touch /tmp/well; read line; echo got $line; sleep 1000"]
container = client.containers.create(image, command, name=name, network=network.name, healthcheck=check, stdin_open=True)
output = container.attach(stream=True, stdout=True, stderr=True)
keys = container.attach_socket(params={"stdin": 1, "stream": 1})
container.start()
keys._sock.sendall(b"typed\n")
assert next(output) == b"got typed\n"
keys.close()
pinged = client.containers.run(image, ["ping", "-c", "1", "-w", "20", name], network=network.name, remove=True)
assert b"1 packets received" in pinged, pinged
until("healthy", lambda: client.api.inspect_container(name)["State"]["Health"]["Status"] == "healthy")
container.restart(timeout=0)
container.remove(force=True)
network.remove()
until_time = int(client.containers.run(image, ["date", "+%s"], remove=True)) + 1
told = [event["Action"] for event in client.events(since=int(since), until=until_time, filters={"container": name}, decode=True)]
for action in ["create", "start", "health_status: healthy", "die", "restart", "destroy"]:
    assert action in told, (action, told)

# A registry with a password.
guarded, account = os.environ["GUARDED"], {"username": os.environ["ACCOUNT"], "password": os.environ["PASSWORD"]}
try:
    client.images.pull(guarded, tag="latest")
    sys.exit("pulled without a password")
except docker.errors.APIError:
    pass
assert client.login(registry=guarded.split("/")[0], **account)["Status"] == "Login Succeeded"
assert client.images.pull(guarded, tag="latest", auth_config=account).tags
client.images.remove(guarded + ":latest")

made = client.images.get(image)
assert made.tag(name, "1")
assert any(tag == name + ":1" for found in client.images.list(name) for tag in found.tags)
saved = b"".join(client.images.get(name + ":1").save(named=name + ":1"))
client.images.remove(name + ":1")
assert [name + ":1" in loaded.tags for loaded in client.images.load(saved)] == [True]
client.images.remove(name + ":1")
print("ok")
