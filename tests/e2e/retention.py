"""What is kept no longer is taken out of the state and of its changelog; a state rebuilt from the changelog is the same."""

import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from world import REPOSITORY, prepare  # noqa: E402
from quiescence import await_caught_up  # noqa: E402
from cluster import Cluster, Skip, finish, test, wait_until  # noqa: E402
from asking import MDM, outcome_of, send  # noqa: E402
from small import line, master, order, receipt, write_master  # noqa: E402

FOLDER = REPOSITORY / "build" / "tests" / "retention"
DAY = 24 * 60  # minutes
ORDERS = 500


def disk_full(cluster):
    """Local state that cannot follow: it ends with exit code 3 and says why, and goes on where there is room again."""
    small = FOLDER / "small-disk"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", small], capture_output=True).returncode:
        with test("a full disk"):
            raise Skip("a small file system cannot be mounted here")
        return
    processor = cluster.processor("kontor-invoice", properties={**MDM, "state.dir": small / "state"})
    try:
        processor.start()
        send(cluster, "procurement.events", *[line(order(f"PO-disk{i}", net="1000.00"), 41 * DAY + i) for i in range(20000)])
        with test("a full disk: exit code 3 and a sentence, soon"):
            assert processor.exit_code(60) in (1, 3), processor.log_tail()
            assert "no room on the disk" in processor.log(), processor.log_tail()
    finally:
        subprocess.run(["umount", "-l", small], check=True)
    with test("room again: it goes on, nothing is lost"):
        processor.start().wait_ready()
        await_caught_up([processor])
        assert processor.alive()
        processor.stop()


def main():
    with Cluster(FOLDER) as cluster:
        write_master(FOLDER / "small" / "master", master())
        prepare(cluster, FOLDER / "small", partitions=1)
        processor = cluster.processor("kontor-procurement", properties={**MDM, "state.keep.documents": "30d"})
        processor.start().wait_ready()
        send(cluster, "procurement.events", *[line(order(f"PO{i}"), i) for i in range(ORDERS)], *[line(receipt(f"GR{i}", f"PO{i}"), ORDERS + i) for i in range(ORDERS)])
        open_order = order("PO-open")
        send(cluster, "procurement.events", line(open_order, 3 * ORDERS))
        outcome_of(cluster, open_order)
        await_caught_up([processor])
        with test("1,000 finished documents are in the state"):
            assert wait_until(lambda: processor.metric("kontor_state_entries") or 0, 10, "entries") >= 2 * ORDERS
        later = order("PO-later")
        send(cluster, "procurement.events", line(later, 40 * DAY))
        outcome_of(cluster, later)
        with test("40 days later they are taken out, the open ones stay"):
            # What is left: clock, header, layout, the two open order lines.
            wait_until(lambda: (processor.metric("kontor_state_entries") or 1000) <= 5, 10, "the finished ones are gone")
            changed = order("PO-open")
            send(cluster, "procurement.events", line(changed, 40 * DAY + 1))
            assert outcome_of(cluster, changed)["outcome"] == "rejected", "the open order is known: the same number again is refused"
        disk_full(cluster)
        await_caught_up([processor])
        left = processor.metric("kontor_state_entries")
        processor.kill()
        shutil.rmtree(processor.state)
        processor.start().wait_ready()
        with test("rebuilt from the changelog alone: the same records"):
            assert wait_until(lambda: processor.metric("kontor_state_entries") or 0, 10, "entries") == left, (left, processor.metric("kontor_state_entries"))


main()
sys.exit(finish())
