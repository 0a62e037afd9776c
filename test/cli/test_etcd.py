"""Several coordinators over one etcd: whatever is killed, stopped or cut off, in the end each of them lists every
living worker once, in its true state."""
import base64
import json
import signal
import ssl

import pytest
from conftest import make_certificates
from coordinating import Coordinator, poll
from etcd import Held

WORKERS = "/hostler/v1/workers/"
STATES = ["running", "downloading", "waiting", "launching", "checking"]


def fleet_of(count):
    """id -> state, of many workers"""
    return {f"w{n:03}": STATES[n % len(STATES)] for n in range(count)}


@pytest.mark.sanitize
def test_what_is_said_at_one_is_shown_by_all(etcd, coordinators):
    store = etcd()
    one, two = coordinators(store, 2)
    assert one.register("a", state="downloading", progress={"bytes": 1, "total": 4, "bps": 0},
                        models=[{"name": "hf:org/m"}], labels={"zone": "1"})[0] == 200
    assert two.register("b/ü <i>", state="running")[0] == 200
    for at in (one, two):
        at.wait_for({"a": "downloading", "b/ü <i>": "running"})
    left, right = one.workers(), two.workers()
    for w in left + right:
        assert w.pop("last_beat_s") <= 15
        assert w["since"] > "2026"
    assert sorted(left, key=lambda w: w["id"]) == sorted(right, key=lambda w: w["id"])
    assert one.say("report", "a", state="running")[0] == 200
    assert two.say("leave", "b/ü <i>")[0] == 200
    for at in (one, two):
        at.wait_for({"a": "running", "b/ü <i>": "stopped"})
        assert all(w["since"] > old["since"] for w in at.workers() for old in left if old["id"] == w["id"])


@pytest.mark.sanitize
def test_a_beat_at_another_coordinator_moves_the_worker_to_its_lease(etcd, coordinators):
    store = etcd()
    one, two = coordinators(store, 2)
    one.register("w", state="running")
    value, lease = store.keys()[WORKERS + "w"]
    assert (value["owner"], value["instance"], f"{int(lease):x}") == ("c0", "i1", value["incarnation"])
    two.wait_for({"w": "running"})
    assert two.say("beat", "w")[0] == 200
    moved, other = store.keys()[WORKERS + "w"]
    assert (moved["owner"], f"{int(other):x}") == ("c1", moved["incarnation"])
    assert other != lease
    # and back; as long as the watch has not told of it, a beat is nothing that the others need to know
    assert poll(lambda: one.say("beat", "w")[0] == 200 and store.keys()[WORKERS + "w"][1] == lease, 20)


@pytest.mark.sanitize
def test_the_newer_instance_has_the_id_wherever_it_registered(etcd, coordinators):
    one, two = coordinators(etcd(), 2)
    one.register(instance="old", state="running")
    assert two.register(instance="new", state="running")[0] == 200
    for at in (one, two):       # at once: no watch is waited for
        status, said = at.register(instance="old")
        assert (status, said["error"]["code"]) == (409, "superseded")
    one.wait_for_status(409, lambda: one.say("beat", instance="old"))
    assert one.say("beat", instance="new")[0] == 200


@pytest.mark.sanitize
def test_who_is_silent_is_lost_for_all_and_forgotten_by_all(etcd, coordinators):
    store = etcd()
    one, = coordinators(store, 1, "--ttl", "1s")
    two, = coordinators(store, 1, "--ttl", "1s", "--keep-lost", "2s")
    one.join("w", state="running")
    two.wait_for({"w": "running"})
    for at in (one, two):
        at.wait_for({"w": "lost"})
    assert store.keys()[WORKERS + "w"][1] == "0", "what is lost must not lie on a lease"
    for at in (one, two):
        at.wait_for({})
    assert WORKERS + "w" not in store.keys()


def test_five_hundred_workers_outlive_each_of_their_coordinators(etcd, coordinators, fleet):
    store = etcd()
    states = fleet_of(500)
    one, two = coordinators(store, 2, "--ttl", "3s")
    workers = fleet((one, two), states, beat_s=1)
    for at in (one, two):
        at.wait_for(states)
    one.child.kill()
    dead = {"w000", "w001", "w002"}
    workers.silence(dead)       # they die with it
    left = {**states, **dict.fromkeys(dead, "lost")}
    two.wait_for(left)
    three, = coordinators(store, 1, "--ttl", "3s")
    three.wait_for(left)
    workers.urls[0] = three.url
    two.child.kill()
    three.wait_for(left)
    assert poll(lambda: store.owners() == {"c2"}, 20), store.owners()
    three.wait_for(left)


def test_workers_of_hostler_run_go_on_to_the_coordinator_that_is_left(etcd, coordinators, hostler, volume, tmp_path):
    store = etcd()
    one, two = coordinators(store, 2, "--ttl", "3s")
    config = tmp_path / "hostler.yaml"
    config.write_text(json.dumps({"workers": {"mine": {"models": [], "engine": "none", "gpu": "none"}}}))
    running = {}
    for id in ("a", "b", "c", "late"):
        (tmp_path / id).mkdir()
        ready = "true" if id != "late" else f"test -e '{tmp_path / 'ready'}'"
        running[id] = hostler.start(
            "run", "--config", config, "--volume", volume, "--worker", "mine", "--ready-cmd", ready, "--", "sleep", "1000",
            env={"COORDINATOR_URL": f"{one.url},{two.url}", "WORKER_ID": id, "HOSTLER_RUNTIME_DIR": tmp_path / id})
    states = {**dict.fromkeys(running, "running"), "late": "launching"}
    for at in (one, two):
        at.wait_for(states)
    assert store.owners() == {"c0"}, "all of them should beat at the first of their coordinators"
    # The other one hears none of them, and that is no reason for it to call them lost.
    assert not poll(lambda: any(at.states() != states for at in (one, two)), 4)
    one.child.kill()
    assert poll(lambda: store.owners() == {"c1"}, 20), store.owners()
    (tmp_path / "ready").touch()    # what changes from now on is said to the one that is left
    running["a"].kill()             # its beats end with it
    running["b"].signal(signal.SIGTERM)
    states = {"a": "lost", "b": "stopped", "c": "running", "late": "running"}
    two.wait_for(states)
    # and one that comes now learns the same, the lost and the ended too
    three, = coordinators(store, 1, "--ttl", "3s")
    three.wait_for(states)
    assert store.owners() == {"c1"}


def test_a_coordinator_that_was_stopped_for_longer_than_its_lease_takes_its_place_again(etcd, coordinators, fleet):
    store = etcd()
    states = fleet_of(60)
    both = coordinators(store, 2, "--ttl", "2s")
    workers = fleet(both, states, beat_s=0.66, patience_s=0.5)
    for at in both:
        at.wait_for(states)
    for stopped, other, changed in ((*both, "w01"), (*both[::-1], "w02")):
        leases = {k for k in store.keys() if k.startswith("/hostler/v1/coordinators/")}
        stopped.child.signal(signal.SIGSTOP)
        states.update((id, "draining") for id in states if id.startswith(changed))
        workers.change({id: "draining" for id in states if id.startswith(changed)})
        assert poll(lambda: len(leases & set(store.keys())) == 1, 20), "its lease does not run out"
        other.wait_for(states)
        stopped.child.signal(signal.SIGCONT)
        for at in both:
            at.wait_for(states)
    dead = {"w000", "w007"}
    workers.silence(dead)
    for at in both:
        at.wait_for({**states, **dict.fromkeys(dead, "lost")})


def test_a_coordinator_that_hears_nobody_keeps_no_lease(etcd, coordinators):
    store = etcd()
    one, two = coordinators(store, 2, "--ttl", "2s")
    one.join("w", state="running")
    two.wait_for({"w": "running"})
    with Held(one.child.pid):       # its other threads go on
        two.wait_for({"w": "lost"})
    one.wait_for({"w": "lost"})
    one.wait_for_status(200, lambda: one.say("beat", "w"))
    for at in (one, two):
        at.wait_for({"w": "running"})


@pytest.mark.sanitize
def test_how_far_a_worker_is_goes_to_the_other_coordinators(etcd, coordinators):
    one, two = coordinators(etcd(), 2, "--ttl", "2s")
    one.join("w", state="downloading", progress={"bytes": 1, "total": 100, "bps": 5})

    def look():
        look.bytes += 1
        one.say("beat", "w", progress={"bytes": look.bytes})
        return any(w["progress"]["bytes"] > 1 for w in two.workers())

    look.bytes = 1
    assert poll(look, 20)
    seen = two.workers()[0]
    assert (seen["state"], seen["progress"]["total"]) == ("downloading", 100)


def test_etcd_killed_and_started_again_is_gone_on_with(etcd, coordinators, fleet):
    store = etcd()
    states = fleet_of(60)
    both = coordinators(store, 2, "--ttl", "2s")
    workers = fleet(both, states, beat_s=0.66)
    for at in both:
        at.wait_for(states)
    store.kill()
    for at in both:
        at.wait_for_status(503, lambda: at.register("late"))
        at.wait_for_status(503, lambda: at.ask("/readyz"))
        assert at.states() == states, "what was known is still shown, and nobody is blamed"
    states.update(dict.fromkeys(["w000", "w010", "w020"], "failed"))
    workers.change({id: states[id] for id in ("w000", "w010", "w020")})
    store.start()
    for at in both:
        at.wait_for(states)
        at.wait_for_status(200, lambda: at.ask("/readyz"))
        at.child.out.wait_for("etcd answers again", 20)
    both[0].wait_for_status(200, lambda: both[0].register("late", state="running"))
    both[1].wait_for({**states, "late": "running"})


def test_an_etcd_that_lost_everything_is_told_anew(etcd, coordinators, fleet):
    store = etcd()
    states = fleet_of(60)
    both = coordinators(store, 2, "--ttl", "2s")
    both[0].join("gone", state="running")
    both[0].wait_for_status(200, lambda: both[0].say("leave", "gone"))
    fleet(both, states, beat_s=0.66)
    everyone = {**states, "gone": "stopped"}
    for at in both:
        at.wait_for(everyone)
    store.wipe()
    store.start()
    assert poll(lambda: {k for k in store.keys() if k.startswith(WORKERS)} == {WORKERS + id for id in everyone}, 20)
    for at in both:
        at.wait_for(everyone)


def test_cut_off_for_half_its_lease_a_coordinator_sends_the_workers_elsewhere(etcd, relay, coordinators):
    store = etcd()
    way = relay(store)
    one, = coordinators(way, 1, "--ttl", "4s")
    two, = coordinators(store, 1, "--ttl", "4s")
    one.join("w", state="running")
    two.wait_for({"w": "running"})
    one.wait_for_status(200, lambda: one.say("beat", "w"))
    way.silent = True
    said = one.wait_for_status(503, lambda: one.say("beat", "w"))
    assert said["error"]["code"] == "unavailable"
    assert two.states() == {"w": "running"}, "its lease has not run out"
    two.wait_for_status(200, lambda: two.say("beat", "w"))      # which is what the worker does now
    assert one.register("x")[0] == 503
    way.silent = False
    one.wait_for_status(200, lambda: one.ask("/readyz"))
    assert poll(lambda: two.say("beat", "w")[0] == 200 and one.states() == two.states() == {"w": "running"}, 20)
    assert store.keys()[WORKERS + "w"][0]["owner"] == "c1"


def test_what_etcd_has_compacted_meanwhile_is_listed_anew(etcd, relay, coordinators):
    store = etcd()
    way = relay(store)
    one, = coordinators(way, 1, "--ttl", "60s")     # so that its lease outlives this
    two, = coordinators(store, 1, "--ttl", "60s")
    two.join("stays", state="running")
    two.join("ends", state="running")
    one.wait_for({"stays": "running", "ends": "running"})
    way.shut = True
    one.wait_for_status(503, lambda: one.ask("/readyz"))
    two.join("comes", state="running")
    two.say("leave", "ends")
    store.delete(WORKERS + "stays")
    two.wait_for({"stays": "lost", "ends": "stopped", "comes": "running"})
    two.say("beat", "stays")
    for n in range(5):
        store.put("other", b"%d" % n)
    store.ask("kv/compaction", revision=str(store.revision()), physical=True)
    way.shut = False
    for at in (one, two):
        at.wait_for({"stays": "running", "ends": "stopped", "comes": "running"})


def test_rubbish_in_etcd_is_passed_over_and_said(etcd, coordinators):
    store = etcd()
    record = b'{"id":"other","instance":"i","host":"h","since_ms":1}'
    for key, value in ((b"a", b""), (b"b", b"{"), (b"c", b"[]"), (b"d", record), (b"", record), (b"\xff", record),
                       (b"e", b'{"id":"e"}'), (b"f", b"x" * 300_000)):
        store.ask("kv/put", key=base64.b64encode(WORKERS.encode() + key).decode(), value=base64.b64encode(value).decode())
    one, = coordinators(store, 1)
    assert one.states() == {}
    one.child.out.wait_for("WARN.*passed over", 20)
    store.put(WORKERS + "other", record)
    one.wait_for({"other": "starting"})
    store.put(WORKERS + "other", b"rubbish")
    assert one.register("w", state="running")[0] == 200
    one.wait_for({"other": "starting", "w": "running"})


@pytest.mark.sanitize
def test_an_etcd_that_is_not_there_yet_is_waited_for(etcd, coordinators, hostler):
    store = etcd()
    store.kill()
    one, = coordinators(store, 1)
    one.child.out.wait_for("WARN.*cannot connect", 20)
    assert one.ask("/readyz")[0] == one.register()[0] == 503
    assert one.ask("/healthz")[0] == 200
    store.start()
    one.wait_for_status(200, one.register)


def test_of_several_members_one_that_answers_is_enough(etcd, hostler):
    store = etcd()
    one = Coordinator(hostler, "--registry", f"etcd:http://127.0.0.1:1/,{store.url}/")
    assert one.register("w", state="running")[0] == 200
    one.wait_for({"w": "running"})
    one.stop()


@pytest.mark.parametrize("text,said", [
    ("etcd", "--registry"), ("etcd:", "--registry"), ("etcd://127.0.0.1:2379", "etcd:http://"),
    ("etcd:127.0.0.1:2379", "etcd:http://"), ("redis:x", "etcd:URL"), ("sqlite:x", "no address")])
def test_an_address_that_is_none_is_told_with_the_way_out(hostler, tmp_path, text, said):
    got = hostler("coordinator", "--listen", "127.0.0.1:0", "--data-dir", tmp_path / "d", "--registry", text)
    assert got.rc == 2
    assert said in got.stdout + got.stderr


def enable_authentication(store):
    for path, body in (("auth/user/add", {"name": "root", "password": "secret"}), ("auth/role/add", {"name": "root"}),
                       ("auth/user/grant", {"user": "root", "role": "root"}),
                       ("auth/user/add", {"name": "fleet", "password": "of workers"}),
                       ("auth/role/add", {"name": "books"}),
                       ("auth/role/grant", {"name": "books", "perm": {
                           "permType": "READWRITE", "key": base64.b64encode(b"/hostler/v1/").decode(),
                           "range_end": base64.b64encode(b"/hostler/v10").decode()}}),
                       ("auth/user/grant", {"user": "fleet", "role": "books"}), ("auth/enable", {})):
        store.ask(path, **body)
    store.token = store.ask("auth/authenticate", name="root", password="secret")["token"]


@pytest.mark.sanitize
def test_a_user_of_etcd_with_a_right_to_the_prefix_is_enough(etcd, hostler, tmp_path):
    store = etcd("--bcrypt-cost", "4")
    enable_authentication(store)
    (tmp_path / "password").write_text("of workers\n")
    (tmp_path / "wrong").write_text("of worker\n")
    flags = ("--registry", f"etcd:{store.url}", "--ttl", "2s")
    for more in ((), ("--etcd-user", "fleet", "--etcd-password-file", tmp_path / "wrong")):
        got = hostler("coordinator", "--listen", "127.0.0.1:0", *flags, *more)
        assert got.rc == 4, got.stdout
        assert "--etcd-user" in got.stdout + got.stderr
    assert hostler("coordinator", *flags, "--etcd-user", "fleet").rc == 2
    one = Coordinator(hostler, *flags, "--etcd-user", "fleet", "--etcd-password-file", tmp_path / "password")
    one.join("w", state="running")
    one.wait_for({"w": "running"})
    store.kill()        # etcd keeps no tokens: the one that we have is worth nothing afterwards
    store.token = None
    store.start()
    one.wait_for_status(200, lambda: one.register("x", state="running"))
    one.wait_for_status(200, lambda: one.ask("/readyz"))
    one.stop()
    assert "of workers" not in one.child.out.text + one.child.err.text


def test_etcd_is_asked_over_tls_with_a_certificate_of_our_own(etcd, hostler, tmp_path):
    certificates = make_certificates(tmp_path)
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    pair = certificates / "server.pem", certificates / "server.key"
    store = etcd("--cert-file", pair[0], "--key-file", pair[1], "--trusted-ca-file", certificates / "ca.pem",
                 "--client-cert-auth", scheme="https", context=context)
    flags = ("--registry", f"etcd:{store.url}")
    trust = {"HOSTLER_EXTRA_CA": certificates / "ca.pem"}
    one = Coordinator(hostler, *flags, "--etcd-cert", pair[0], "--etcd-key", pair[1], env=trust)
    assert one.register("w", state="running")[0] == 200
    assert store.keys()[WORKERS + "w"][0]["state"] == "running"
    for more, env, said in ((("--etcd-cert", pair[0], "--etcd-key", pair[1]), {}, "issued by"), ((), trust, "TLS|certificate|reset|closed")):
        other = Coordinator(hostler, *flags, *more, env=env)
        other.child.out.wait_for(f"WARN.*({said})", 20)
        assert other.register()[0] == 503
        other.stop()
    assert hostler("coordinator", *flags, "--etcd-cert", pair[0]).rc == 2
