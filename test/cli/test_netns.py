"""The networks of the tests themselves: netns.py."""
import os
import socket
import sys

import netns
import pytest
from conftest import ROOT, Running
from volume import wait_until

HEARS = "import socket; s = socket.create_server(('', 7)); print('listening', flush=True); s.accept(); print('heard', flush=True)"
KILLED = """
import signal, subprocess, netns
one = netns.Network()
host = one.host()
sleeper = subprocess.Popen([*host.wrap, "sleep", "1000"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(one.number, sleeper.pid, flush=True)
signal.pause()
"""


def hears(host):
    """someone there who says when a connection comes"""
    child = Running([*host.wrap, sys.executable, "-c", HEARS], dict(os.environ))
    child.out.wait_for("listening", 20)
    return child


def is_in(pid, namespace):
    try:
        return os.readlink(f"/proc/{pid}/ns/net") == namespace
    except OSError:         # it has ended
        return False


def call(host, timeout=20):
    socket.create_connection((host.address, 7), timeout=timeout).close()


def test_a_host_is_reached_by_its_cable_and_not_without(network):
    host = network().host()
    child = hears(host)
    host.cable.pull()
    with pytest.raises(OSError):
        call(host, timeout=0.3)
    host.cable.plug()
    call(host)
    child.out.wait_for("heard", 20)


def test_two_networks_are_apart_and_a_host_may_be_in_both(network):
    one, two = network(), network()
    host = one.host()
    second = two.attach(host)
    assert one.number != two.number and host.address != second.address
    child = hears(host)
    host.cable.pull()
    socket.create_connection((second.address, 7), timeout=20).close()
    child.out.wait_for("heard", 20)


def test_what_a_killed_run_has_left_is_removed_and_what_a_living_one_has_is_not(network):
    living = network()
    host = living.host()
    child = hears(host)
    killed = Running([sys.executable, "-c", KILLED], dict(os.environ), cwd=ROOT / "test/cli")
    number, sleeper = map(int, killed.out.wait_for(r"^(\d+) (\d+)$", 20).groups())
    of = os.readlink(f"/proc/{sleeper}/ns/net")
    try:
        netns.sweep()
        assert {living.number, number} <= set(netns.names(netns.HOSTS).values()), "what is in use stays"
    finally:
        killed.kill()
    netns.sweep()
    assert number not in {*netns.names(netns.HOSTS).values(), *netns.names(netns.LINKS).values()}
    wait_until(lambda: not is_in(sleeper, of))
    call(host)
    child.out.wait_for("heard", 20)
