"""What waits is released by what arrives, also when processes die, move or lose their broker in between; what cannot go on says why."""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from small import FROM, event, invoice, line, order, raw, receipt  # noqa: E402
from world import PROCESSORS, REPOSITORY, consume  # noqa: E402
from quiescence import await_caught_up  # noqa: E402
from cluster import finish, test, wait_until  # noqa: E402
from asking import MDM, acknowledged, company, outcome_of, reasons, send  # noqa: E402

FOLDER = REPOSITORY / "build" / "tests" / "healing"


def put_master(cluster, table, **fields):
    send(cluster, f"master.{table}", json.dumps({"valid_from": FROM, "status": "active", "source": "MDM", **fields}) + "\n")


def waiting_for_supplier(supplier, number):
    """An order, its receipt, its invoice and the clearing, of a supplier that nobody knows yet."""
    return [("procurement.events", order(f"PO{number}", supplier=supplier)), ("procurement.events", receipt(f"GR{number}", f"PO{number}", supplier=supplier)),
            ("invoice.events", invoice(f"I{number}", f"PO{number}", supplier=supplier)), ("invoice.events", event("blocked", f"I{number}", supplier=supplier)),
            ("invoice.events", event("unblocked", f"I{number}", supplier=supplier)), ("invoice.events", event("cleared", f"I{number}", supplier=supplier))]


def send_all(cluster, events, minute):
    for i, (topic, value) in enumerate(events):
        send(cluster, topic, line(value, minute + i))


def journals_of(cluster, document):
    return [record["value"]["step"] for record in consume(cluster, "posting.commands.tryton") if record["value"]["document"] == document]


def supplier_arrives(cluster, processors):
    events = waiting_for_supplier("NEW1", 101)
    send_all(cluster, events, 100)
    with test("supplier missing: the order waits, and all later events of its documents behind"):
        for _, value in events:
            assert outcome_of(cluster, value)["outcome"] == "parked", value
        assert reasons(outcome_of(cluster, events[0][1])) == ["SUPPLIER_UNKNOWN"]
        assert reasons(outcome_of(cluster, events[-1][1])) == ["OUT_OF_ORDER"]
    put_master(cluster, "suppliers", supplier="NEW1")
    with test("supplier arrives: all are released, in order"):
        for _, value in events:
            wait_until(lambda: acknowledged(cluster)[value["event_id"]]["outcome"] == "accepted", 30, f"{value['document']} accepted", interval_s=0.2)
        assert journals_of(cluster, "I101") == ["invoice_with_order", "clearing"], journals_of(cluster, "I101")


def arrives_while_down(cluster, processors):
    """The key arrives while nobody runs: nothing depends on having seen it go by."""
    events = waiting_for_supplier("NEW2", 102)
    send_all(cluster, events, 120)
    for _, value in events:
        outcome_of(cluster, value)
    for processor in processors:
        processor.kill()
    put_master(cluster, "suppliers", supplier="NEW2")
    with test("released after kill -9, by another instance with nothing but the changelog"):
        taken_over = [cluster.processor(binary, f"{binary.removeprefix('kontor-')}-1", MDM) for binary in PROCESSORS]
        for processor in taken_over:
            processor.start()
        for _, value in events:
            wait_until(lambda: acknowledged(cluster)[value["event_id"]]["outcome"] == "accepted", 60, f"{value['document']} accepted", interval_s=0.2)
        assert journals_of(cluster, "GR102") == ["goods_receipt"]
    for processor in processors:
        processor.start().wait_ready()
    for processor in taken_over:
        processor.stop()


def receipt_arrives(cluster):
    before, early, late = order("PO103"), invoice("I103", "PO103"), receipt("GR103", "PO103")
    send_all(cluster, [("procurement.events", before), ("invoice.events", early)], 140)
    with test("invoice before its receipt waits for it"):
        found = outcome_of(cluster, early)
        assert (found["outcome"], reasons(found)) == ("parked", ["GOODS_RECEIPT_MISSING"]), found
    send(cluster, "procurement.events", line(late, 150))
    with test("receipt arrives: posted"):
        wait_until(lambda: acknowledged(cluster)[early["event_id"]]["outcome"] == "accepted", 30, "I103 accepted", interval_s=0.2)


def period_opens(cluster):
    period = {"entity": "ACME", "ledger": "GL", "period": "2026-07", "valid_from": "2026-07-01", "last_day": "2026-07-31"}
    put_master(cluster, "periods", **{**period, "status": "closed"})
    july = dict(receipt("GR104", "PO104"), posting_date="2026-07-15")
    first = order("PO104")
    send_all(cluster, [("procurement.events", first), ("procurement.events", july)], 160)
    with test("period closed: waits"):
        found = outcome_of(cluster, july)
        assert (found["outcome"], reasons(found)) == ("parked", ["PERIOD_CLOSED"]), found
    put_master(cluster, "periods", **{**period, "status": "open"})
    with test("period opened: posted"):
        wait_until(lambda: acknowledged(cluster)[july["event_id"]]["outcome"] == "accepted", 30, "GR104 accepted", interval_s=0.2)


def nonsense_master(cluster):
    send(cluster, "master.suppliers", raw(b"\0\0\0\0\1nonsense", f"S2|{FROM}"), options=["--raw"])
    doubtful = order("PO105", supplier="S2")
    with test("master record that is nonsense: documents of its key wait, others go on"):
        def stale():
            """The table is followed in the background: the order that comes after it has been read waits."""
            nonlocal doubtful
            doubtful = order(doubtful["order"] + "x", supplier="S2")
            send(cluster, "procurement.events", line(doubtful, 170))
            return outcome_of(cluster, doubtful)["outcome"] == "parked"
        wait_until(stale, 30, "S2 is stale", interval_s=0.2)
        assert reasons(outcome_of(cluster, doubtful)) == ["MASTER_STALE"]
        logged = [line for processor in cluster.processors for line in processor.log().splitlines() if "master_record_bad" in line]
        assert any("master.suppliers" in line and "cannot be decoded" in line for line in logged), logged
        other = order("PO106")
        send(cluster, "procurement.events", line(other, 171))
        assert outcome_of(cluster, other)["outcome"] == "accepted"
    send(cluster, "master.suppliers", json.dumps({"supplier": "S2", "valid_from": FROM, "status": "active", "source": "SHADOW"}) + "\n")
    put_master(cluster, "suppliers", supplier="S2")
    with test("a good record from the authoritative source heals it"):
        wait_until(lambda: acknowledged(cluster)[doubtful["event_id"]]["outcome"] == "accepted", 30, "accepted", interval_s=0.2)


def broker_away(cluster, processors):
    ids = [processor.process.pid for processor in processors]
    cluster.broker.kill()
    time.sleep(20)  # the outage itself
    with test("SIGTERM while the broker is away: under 2 s"):
        assert processors[0].stop() < 2
    processors[0].start()
    ids[0] = processors[0].process.pid
    cluster.broker.start().wait_ready()
    after = order("PO107")
    send(cluster, "procurement.events", line(after, 180))
    with test("broker back: work goes on in the same processes"):
        assert outcome_of(cluster, after, 60)["outcome"] == "accepted"
        assert [processor.process.pid for processor in processors] == ids and all(processor.alive() for processor in processors)


def flood(cluster, processors):
    send(cluster, "procurement.events", *[raw(b"rubbish", "ACME|S1", 190) for _ in range(3000)], options=["--raw"])
    with test("a flood of poison pauses the processor and says so, the topic is not drained into the DLQ"):
        wait_until(lambda: processors[0].ready() is False and "poison" in processors[0].http("/readyz")[1], 60, "paused", interval_s=0.2)
        assert len(consume(cluster, "dlq.procurement.events")) < 1500
        assert processors[0].alive()


def main():
    with company(FOLDER, controller=True) as (cluster, processors):
        supplier_arrives(cluster, processors)
        receipt_arrives(cluster)
        period_opens(cluster)
        nonsense_master(cluster)
        arrives_while_down(cluster, processors)
        broker_away(cluster, processors)
        await_caught_up(processors)
        flood(cluster, processors)


main()
sys.exit(finish())
