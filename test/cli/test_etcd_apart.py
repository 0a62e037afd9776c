"""Coordinators over one etcd, each in a network namespace of its own, whose cables are pulled: in the end each of them
lists every living worker once, in its true state."""
import pytest
from coordinating import poll
from test_etcd import fleet_of


class Site:
    """Two coordinators; workers come by one switch, etcd is at another, and each coordinator has a cable to both."""

    def __init__(self, network, etcd, coordinators):
        front, back = network(), network()
        self.store = etcd(address=back.address)
        hosts = [front.host() for _ in range(2)]
        self.to_workers, self.to_etcd = [host.cable for host in hosts], [back.attach(host) for host in hosts]
        self.both = [coordinators(self.store, 1, "--ttl", "3s", address=host.address, wrap=host.wrap)[0] for host in hosts]
        for at in self.both:        # before that, workers would go from one to the other
            at.wait_for_status(200, lambda: at.ask("/readyz"))
            assert "etcd" not in at.child.out.text, "nothing was wrong so far"

    def wait_for(self, states):
        for at in self.both:
            at.wait_for(states)


@pytest.fixture
def site(network, etcd, coordinators):
    return Site(network, etcd, coordinators)


def go_on_without_the_first(workers, states):
    """meanwhile some change their state and some die"""
    changed, dead = {id: "draining" for id in states if id.startswith("w01")}, {"w000", "w001"}
    workers.change(changed)
    workers.silence(dead)
    states.update(changed, **dict.fromkeys(dead, "lost"))


def test_a_coordinator_cut_off_from_etcd_sends_its_workers_to_the_other_one(site, fleet):
    states = fleet_of(60)
    one, two = site.both
    workers = fleet(site.both, states, beat_s=1)
    site.wait_for(states)
    assert site.store.owners() == {"c0", "c1"}
    site.to_etcd[0].pull()
    one.wait_for_status(503, lambda: one.ask("/readyz"))
    one.child.out.wait_for("WARN etcd.*; asking again", 20)
    one.child.out.wait_for(f"WARN etcd: {site.store.url[7:]}: (no (answer|connection) in time|cannot connect: No route to host)", 20)
    assert poll(lambda: site.store.owners() == {"c1"}, 20), "its workers go elsewhere"
    go_on_without_the_first(workers, states)
    two.wait_for(states)
    site.to_etcd[0].plug()
    one.wait_for_status(200, lambda: one.ask("/readyz"))
    one.child.out.wait_for("etcd answers again", 20)
    site.wait_for(states)
    one.register("late", state="running")
    site.wait_for({**states, "late": "running"})


def test_a_coordinator_cut_off_from_everything_is_replaced_and_takes_its_place_again(site, fleet):
    states = fleet_of(60)
    one, two = site.both
    workers = fleet(site.both, states, beat_s=1, patience_s=0.5)
    site.wait_for(states)
    assert site.store.owners() == {"c0", "c1"}
    for cable in (site.to_etcd[0], site.to_workers[0]):
        cable.pull()
    assert poll(lambda: site.store.owners() == {"c1"}, 20), "its workers go elsewhere"
    go_on_without_the_first(workers, states)
    two.wait_for(states)
    assert poll(lambda: len([k for k in site.store.keys() if "/coordinators/" in k]) == 1, 20), "its lease does not run out"
    for cable in (site.to_workers[0], site.to_etcd[0]):
        cable.plug()
    one.wait_for_status(200, lambda: one.ask("/readyz"))
    site.wait_for(states)
    for id, at in (("w000", one), ("late", one)):           # it hears workers again, and the other one is told
        at.join(id, state="running")
    site.wait_for({**states, "w000": "running", "late": "running"})
