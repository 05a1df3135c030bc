"""A hundred thousand documents that wait for a thousand suppliers: one that arrives releases exactly its own, in order, within a second."""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from small import FROM, event, line, master, order, write_master  # noqa: E402
from world import REPOSITORY, consume, prepare  # noqa: E402
from cluster import Cluster, finish, test, wait_until  # noqa: E402
from asking import MDM, send  # noqa: E402

FOLDER = REPOSITORY / "build" / "tests" / "parked"
SUPPLIERS, DOCUMENTS = 1000, 100
FIRST_MS = 1772445600000     # of the oldest: line() of small.py, minute 0
ARRIVING = ("W0100", "W0500", "W0900")     # the quickest counts: others work on this machine beside the test


def waiting_events():
    """Each supplier's orders; those of the suppliers that will arrive are changed once more, which waits behind."""
    for number in range(DOCUMENTS):
        for supplier in (f"W{index:04}" for index in range(SUPPLIERS)):
            document = f"{supplier}-{number}"
            yield line(order(document, supplier=supplier), number)
            if supplier in ARRIVING:
                yield line(event("order_changed", document, supplier, order=document, lines=[{"line": "1", "quantity": "10", "net": "2000.00"}]), number + DOCUMENTS)


def arrive(cluster, supplier):
    """Seconds from the supplier's record to the last of its orders' acknowledgments, by the broker's and the processor's clocks (the same machine's)."""
    before = time.time() * 1000
    send(cluster, "master.suppliers", json.dumps({"valid_from": FROM, "status": "active", "source": "MDM", "supplier": supplier}) + "\n")

    def told():
        found = [record for record in consume(cluster, "acknowledgments", "--key", f"ACME|{supplier}") if record["value"]["outcome"] == "accepted"]
        return found if len(found) >= 2 * DOCUMENTS else None
    accepted = wait_until(told, 60, f"the documents of {supplier}", interval_s=0.2)
    came = max(record["timestamp"] for record in consume(cluster, "master.suppliers") if record["value"]["supplier"] == supplier)
    assert came >= before - 1000
    return (max(record["timestamp"] for record in accepted) - came) / 1000, accepted


def main():
    with Cluster(FOLDER) as cluster:
        write_master(FOLDER / "small" / "master", master())
        prepare(cluster, FOLDER / "small", partitions=8)
        send(cluster, "procurement.events", *waiting_events())
        processor = cluster.processor("kontor-procurement", properties=MDM).start()
        behind = len(ARRIVING) * DOCUMENTS
        with test(f"{SUPPLIERS * DOCUMENTS:,} documents wait for {SUPPLIERS:,} suppliers"):
            wait_until(lambda: processor.metric("kontor_parked_events") == SUPPLIERS * DOCUMENTS, 120, "all wait", interval_s=0.2)
            assert processor.metric("kontor_behind_events") == behind
            assert processor.metric("kontor_waiting_events", outcome="parked", reason="SUPPLIER_UNKNOWN") == SUPPLIERS * DOCUMENTS
            assert processor.metric("kontor_waiting_for_events", table="suppliers") == SUPPLIERS * DOCUMENTS
            age = time.time() - FIRST_MS / 1000
            assert abs(processor.metric("kontor_waiting_oldest_seconds") - age) < 5, (processor.metric("kontor_waiting_oldest_seconds"), age)
        seconds = []
        with test("a supplier arrives: exactly its documents are released, each in the order of its events"):
            for number, supplier in enumerate(ARRIVING, 1):
                took, accepted = arrive(cluster, supplier)
                seconds.append(took)
                kinds = {}
                for record in accepted:
                    kinds.setdefault(record["value"]["document"], []).append(record["value"]["kind"])
                assert len(kinds) == DOCUMENTS and all(kind == ["order_created", "order_changed"] for kind in kinds.values())
                left = {"kontor_parked_events": (SUPPLIERS - number) * DOCUMENTS, "kontor_behind_events": behind - number * DOCUMENTS, "kontor_released_total": 2 * number * DOCUMENTS}
                wait_until(lambda: all(processor.metric(name) == value for name, value in left.items()), 10, f"{left}: nothing else was released")
        with test("... within a second"):
            print(f"  released within {', '.join(f'{took:.2f}' for took in seconds)} s", flush=True)
            assert min(seconds) < 1, seconds
        with test("killed and started again: all the others still wait"):
            processor.kill()
            processor.start().wait_ready()
            wait_until(lambda: processor.metric("kontor_parked_events") == (SUPPLIERS - len(ARRIVING)) * DOCUMENTS, 30, "the others wait")


main()
sys.exit(finish())
