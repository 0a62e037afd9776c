"""What is learned of an engine, on a disk that fails: apart from test_learn.py, since sanitized builds have no faulty disk."""
import shutil
import signal

from test_learn import LOG, SETTINGS, engine, planned, port, worker  # noqa: F401 (fixtures)


def test_a_disk_that_is_full_costs_what_was_learned_and_nothing_else(worker, port, faulty, volume):     # noqa: F811
    learned = volume / ".hostler/receipts/learned"

    def run(**fault):
        child = worker(engine(port), "--ready-tcp", port, words=["--port", port, *SETTINGS], env=faulty.env(kinds=("create", "write", "sync", "name"), **fault))
        child.out.wait_for("launching -> running", 30)
        child.signal(signal.SIGTERM)
        said = child.finish()
        assert said.rc == 143 and LOG in said.stdout
        return said.stdout

    worker.prepared()
    run(nth=0)
    shutil.rmtree(learned)                  # so that each run makes it anew
    assert "later plans go by that" in run(nth=0)
    calls = [nth for nth, call in enumerate(faulty.calls(), 1) if "learned" in call]
    assert len(calls) >= 3
    for nth in calls:
        shutil.rmtree(learned, ignore_errors=True)
        assert "later plans go by that" not in run(nth=nth, error="ENOSPC", after=True)
        left = [path.name for path in learned.iterdir()] if learned.exists() else []
        # It has its name before the last of the calls, which only sees to it that a power cut leaves it there.
        assert nth == calls[-1] or left == [], left
    shutil.rmtree(learned)
    assert "learned" not in [r["code"] for r in planned(worker, "net")["reasons"]]
    assert "later plans go by that" in run(nth=0)
