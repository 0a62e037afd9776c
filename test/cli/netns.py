"""Hosts of their own, as far as the network goes, for tests that cut them off:

    def test_a_worker_outlives_its_cable(network, hostler):
        lan = network()                         # a switch; this process is at lan.address and lan.second
        host = lan.host()                       # a network namespace with one cable to it, at host.address
        hostler.start("run", ..., wrap=host.wrap)
        host.cable.pull()                       # nothing comes through, and nobody is told
        host.cable.plug()

`other.attach(host)` lays a second cable, to another switch, and gives it.

A network has a number, in which its subnet and all names are: the first one that nobody has. Who has one holds a socket
of that name, which the kernel takes away when he dies, however he dies. So two runs at once get different ones, and what
is found of a number that nobody has is of a killed run: it is removed before the number is used, with the processes in it.
"""
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess

import pytest

NUMBERS = 200
MAC = "02:00:00:00:00:01"
LINKS, HOSTS = "/sys/class/net", "/run/netns"


def subnet(number):
    """of those that are kept for tests of networks (RFC 2544), so that it is no other network's of this machine"""
    return f"198.18.{number}"


def ip(*lines, within=None):
    """the lines as commands of ip(8), all by one process; the error is what it said"""
    if not lines:
        return
    # not `ip -netns`: that mounts a /sys of the namespace, which cannot be done where / is no mount (a chroot)
    where = ["nsenter", f"--net={HOSTS}/{within}", "--"] if within else []
    done = subprocess.run([*where, "ip", "-batch", "-"], input="\n".join(lines), capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise OSError(f"{lines}: {done.stderr.strip()}")


class Cable:
    """Between a host and a switch; its end at the switch has its name."""

    def __init__(self, name, address):
        self.name, self.address = name, address

    def pull(self):
        ip(f"link set {self.name} down")

    def plug(self):
        ip(f"link set {self.name} up")


class Host:
    """A network namespace. `wrap` starts a command within; `cable` is its first one."""

    def __init__(self, name):
        ip(f"netns add {name}")
        self.name, self.cable = name, None
        ip("link set lo up", within=name)
        self.wrap = ["nsenter", f"--net={HOSTS}/{name}", "--"]

    @property
    def address(self):
        return self.cable.address


def hold(number):
    """a socket as long as the number is this process's; None if it is another's"""
    held = socket.socket(socket.AF_UNIX)
    try:
        held.bind(f"\0hostler-test-network-{number}")
        return held
    except OSError:
        held.close()
        return None


def names(folder):
    """name -> number, of all that tests have made there"""
    there = os.listdir(folder) if os.path.isdir(folder) else []
    return {m.group(): int(m.group(1)) for m in (re.fullmatch(r"hostler(\d+)(-\d+)?", name) for name in there) if m}


def remove(number):
    """all that has the number, with the processes in its hosts; a cable goes at both ends, whoever has the other one"""
    for link in [link for link, of in names(LINKS).items() if of == number]:
        try:
            ip(f"link del {link}")
        except OSError:             # one that goes with its host does so whenever the kernel comes to it
            if link in names(LINKS):
                raise
    for host in [host for host, of in names(HOSTS).items() if of == number]:
        for pid in subprocess.run(["ip", "netns", "pids", host], capture_output=True, text=True, timeout=60).stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        ip(f"netns del {host}")


class Network:
    """A switch (a bridge), to which this process and hosts are attached."""
    apart = True

    def __init__(self):
        self.number, self.held = next((number, held) for number in range(NUMBERS) if (held := hold(number)))
        self.name = f"hostler{self.number}"
        self.address, self.second = f"{subnet(self.number)}.1", f"{subnet(self.number)}.2"
        self.cables = self.hosts = 0
        remove(self.number)
        # with no address given, a bridge takes that of the least of its ports: then each new host would make the others
        # lose their way to it
        ip(f"link add {self.name} address {MAC} type bridge", f"addr add {self.address}/24 dev {self.name}",
           f"addr add {self.second}/24 dev {self.name}", f"link set {self.name} up")

    def host(self):
        host = Host(f"{self.name}-{self.hosts}")
        self.hosts += 1
        host.cable = self.attach(host)
        return host

    def attach(self, host):
        """one more cable from the host, to this switch"""
        cable = Cable(f"{self.name}-{self.cables}", f"{subnet(self.number)}.{10 + self.cables}")
        self.cables += 1
        ip(f"link add {cable.name} type veth peer name {self.name} netns {host.name}",
           f"link set {cable.name} master {self.name} up")
        ip(f"addr add {cable.address}/24 dev {self.name}", f"link set {self.name} up", within=host.name)
        return cable

    def close(self):
        remove(self.number)
        self.held.close()


def sweep():
    """removes what killed runs have left, of every number"""
    for number in {*names(LINKS).values(), *names(HOSTS).values()}:
        if held := hold(number):
            remove(number)
            held.close()


@pytest.fixture(scope="session")
def namespaces():
    """what killed runs have left is gone; where nobody may make a namespace the test is skipped"""
    assert shutil.which("ip"), "ip is not installed (scripts/packages, group test: iproute2)"
    probe = ["unshare", "--net", "sh", "-c", "ip link add name one type bridge && ip link add name two type veth peer name three"]
    tried = subprocess.run(probe, capture_output=True, text=True, timeout=60)
    if tried.returncode != 0:
        assert re.search("not permitted|not supported|Invalid argument|Unknown device type", tried.stderr), tried.stderr
        pytest.skip(f"nobody may make network namespaces here (CAP_SYS_ADMIN, CAP_NET_ADMIN): {tried.stderr.strip()}")
    sweep()


@pytest.fixture
def network(namespaces):
    """network() is a new one, with nobody else on it"""
    running = []

    def start():
        running.append(Network())
        return running[-1]

    yield start
    for one in running:
        one.close()
