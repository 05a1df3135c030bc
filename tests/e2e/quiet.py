"""Waiting-time limits where nothing comes any more: they end by ticks of the broker's time, also over a kill -9 and a lost state, and never too early."""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from small import FROM, invoice, line, master, order, write_master  # noqa: E402
from world import REPOSITORY, consume, prepare  # noqa: E402
from quiescence import await_caught_up  # noqa: E402
from cluster import Cluster, finish, test, wait_until  # noqa: E402
from asking import MDM, acknowledged, outcome_of, reasons, send  # noqa: E402

FOLDER = REPOSITORY / "build" / "tests" / "quiet"
PARTITIONS = 4
LIMIT_MS = 5000
PROPERTIES = {**MDM, "timers.interval": "200ms", "parking.limit": f"{LIMIT_MS}ms"}
TIMERS = "kontor.invoice.timers"


def ticks(cluster):
    return consume(cluster, TIMERS, "--raw")


def await_held(cluster, value, deadline_s):
    wait_until(lambda: acknowledged(cluster)[value["event_id"]]["outcome"] == "held", deadline_s, f"{value['document']} is held", interval_s=0.1)
    return acknowledged(cluster)[value["event_id"]]


def no_limit_left(cluster, processor):
    """A limit of no days is over with the first tick."""
    waiting = invoice("I1", "PO1", supplier="NEW1")
    send(cluster, "invoice.events", line(waiting, 1))
    with test("an invoice waits for its supplier and nothing else comes: held by a tick, with its reasons"):
        outcome_of(cluster, waiting)
        assert "SUPPLIER_UNKNOWN" in reasons(await_held(cluster, waiting, 30))
        wait_until(lambda: processor.metric("kontor_expired_total") == 1, 10, "told in the metrics")
        assert processor.metric("kontor_ticks_total") >= 1
        wait_until(lambda: processor.metric("kontor_parked_events") == 0, 10, "nothing waits any more")


def killed_in_between(cluster, processor):
    """The entity is unknown, so that nothing names a limit but the configuration."""
    waiting = dict(invoice("I2", "PO2"), entity="NEWCO")
    before = len(ticks(cluster))
    send(cluster, "invoice.events", line(waiting, 2))
    assert "ENTITY_UNKNOWN" in reasons(outcome_of(cluster, waiting))
    counted = wait_until(lambda: ticks(cluster)[before:], 30, "the first tick", interval_s=0.1)[0]
    processor.kill()
    shutil.rmtree(processor.state)
    processor.start()
    with test("killed, state lost, started again: the limit goes on from the first tick and ends"):
        await_held(cluster, waiting, 60)
    with test("... not before it is over, by the broker's time"):
        last = ticks(cluster)[-1]
        assert last["partition"] == counted["partition"] and last["timestamp"] - counted["timestamp"] >= LIMIT_MS, (counted, last)
    with test("ticks are few, and none comes where nothing waits"):
        await_caught_up([processor])
        written = len(ticks(cluster))
        assert written - before <= 8, ticks(cluster)
        after = [order(f"PO-after{i}", supplier=f"S{1 + i % 2}") for i in range(20)]
        send(cluster, "procurement.events", *[line(value, 3) for value in after])
        await_caught_up([processor])
        assert len(ticks(cluster)) == written, ticks(cluster)


def foreign_ticks(cluster, processor):
    """Whoever writes into the topic, and whatever: what counts is the broker's time."""
    waiting = dict(invoice("I3", "PO3"), entity="NEWCO")
    rubbish = '{"timestamp": 4102444800000, "key": "NEWCO|S1", "value": "%s"}\n'   # of the year 2100
    send(cluster, "invoice.events", line(waiting, 4))
    outcome_of(cluster, waiting)
    counted = ticks(cluster)[-1]
    send(cluster, TIMERS, *[rubbish % "bm90IGEgdGljaw==" for _ in range(200)], options=["--raw"])
    with test("rubbish from the year 2100 in the timers topic: ticks of now, the limit is not over for it"):
        wait_until(lambda: processor.metric("kontor_ticks_total") >= 200, 20, "taken")
        assert acknowledged(cluster)[waiting["event_id"]]["outcome"] == "parked"
        await_held(cluster, waiting, 30)
        assert ticks(cluster)[-1]["timestamp"] - counted["timestamp"] >= LIMIT_MS


def wrong_topic(cluster, processor):
    processor.stop()
    cluster.kafka_tool("kafka.admin.ConfigCommand", "--alter", "--entity-type", "topics", "--entity-name", TIMERS, "--add-config", "message.timestamp.type=CreateTime")
    with test("a timers topic without the broker's time is refused at start, with what to do"):
        assert processor.start().exit_code(20) == 1 and "LogAppendTime" in processor.log() and "kontor topics apply" in processor.log(), processor.log_tail()


def main():
    with Cluster(FOLDER) as cluster:
        tolerance = {"valid_from": FROM, "status": "active", "source": "MDM", "entity": "ACME", "price_percent": "2", "price_amount": "1", "wait_days": 0, "receipt_wait_days": 0}
        write_master(FOLDER / "small" / "master", master(tolerances=[tolerance]))
        prepare(cluster, FOLDER / "small", partitions=PARTITIONS)
        processor = cluster.processor("kontor-invoice", properties=PROPERTIES)
        processor.start().wait_ready()
        no_limit_left(cluster, processor)
        killed_in_between(cluster, processor)
        foreign_ticks(cluster, processor)
        wrong_topic(cluster, processor)


main()
sys.exit(finish())
