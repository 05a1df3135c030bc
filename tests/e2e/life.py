"""The life of documents on a real broker: order, receipt, invoice and payment through all processors and kontor-acknowledger, which is killed in between; what the ERP answers is
told to the sources; a step that does not come raises an alarm; and without flow policies nothing begins."""

import datetime
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from small import FROM, RULE_LINES, event, invoice, line, master, order, receipt, write_master  # noqa: E402
from world import REPOSITORY, consume, prepare  # noqa: E402
from quiescence import await_caught_up  # noqa: E402
from cluster import Cluster, finish, test, wait_until  # noqa: E402
from asking import MDM, send  # noqa: E402

FOLDER = REPOSITORY / "build" / "tests" / "life"
PARTITIONS = 4
PROCESSORS = ("kontor-procurement", "kontor-invoice", "kontor-payment")
FLOWS = ("procurement", "invoice", "payment", "expense", "journal", "settlement", "budget", "review")
PROPERTIES = {**MDM, "timers.interval": "200ms"}
PAYMENT_RULES = {"payment_sent": [("debit", "160000", "settled"), ("credit", "transit", "paid"), ("credit", "399000", "discount_net"), ("credit", "154000", "discount_tax"),
                                  ("credit", "tax_code", "withheld"), ("debit", "399000", "fx_loss"), ("credit", "399000", "fx_gain")],
                 "payment_settled": [("debit", "transit", "paid"), ("debit", "399000", "charges"), ("credit", "bank", "bank"), ("debit", "399000", "fx_loss"),
                                     ("credit", "399000", "fx_gain")]}


def record(**fields):
    return {"valid_from": FROM, "status": "active", "source": "MDM", **fields}


def policy(flow):
    limits = {"decided": 1, "posted": 100000, "paid": 100000, "settled": 100000}
    return record(entity="*", flow=flow, control_owner=f"owner of {flow}", exception_path="desk", limits=[{"step": step, "minutes": minutes} for step, minutes in limits.items()])


def tables():
    found = master(bank_accounts=[record(entity="ACME", bank_account="MAIN", currency="EUR", account="110000", transit_account="179000")],
                   supplier_accounts=[record(supplier="S1", supplier_account="S1A", iban="NL02RABO0123456789")])
    found["source-permissions"] += [record(source_system=source, topic=topic, entities=["*"]) for source, topic in (("ERP1", "payment.events"), ("kontor-invoice", "payables"))]
    found["accounts"].append(record(chart="std", account="110000", type="asset"))
    found["posting-rules"][0]["rules"] += [{"rule": step, "step": step, "lines": [{"side": side, "account": account, "amount": amount} for side, account, amount in lines]}
                                           for step, lines in PAYMENT_RULES.items()]
    assert set(RULE_LINES) < {rule["step"] for rule in found["posting-rules"][0]["rules"]}
    return found


def load_policies(cluster, flows):
    send(cluster, "master.flow-policies", *[json.dumps(policy(flow)) + "\n" for flow in flows])


def documents(cluster):
    """The newest record of each document, by flow and number."""
    found = {}
    for entry in consume(cluster, "documents"):
        value = entry["value"]
        assert entry["key"] == "|".join((value["entity"], value["flow"], value["partner"], value["document"]))
        found[value["flow"], value["document"]] = value
    return found


def await_state(cluster, flow, document, state, deadline_s=30):
    def there():
        found = documents(cluster).get((flow, document))
        return found if found and found["state"] == state else None
    return wait_until(there, deadline_s, f"{flow} {document} {state}", interval_s=0.2)


def told(cluster, document):
    """Later steps that the source was told of the document."""
    return [entry["value"] for entry in consume(cluster, "acknowledgments") if entry["value"]["later"] and entry["value"]["document"] == document]


def erp_posts(cluster, number):
    """What a poster would write: every command that is not answered yet is posted."""
    answered = {entry["value"]["idempotency_key"] for entry in consume(cluster, "posting.acks")}
    lines = []
    for entry in consume(cluster, "posting.commands.tryton"):
        command = entry["value"]
        if command["idempotency_key"] in answered:
            continue
        number += 1
        lines.append(json.dumps({"timestamp": int(datetime.datetime.fromisoformat(command["occurred_at"]).timestamp() * 1000), "value": {
            "idempotency_key": command["idempotency_key"], "outcome": "posted", "erp": "tryton", "number": str(number), "year": 2026, "period": command["period"],
            "posting_date": command["posting_date"], "entity": command["origin_entity"], "flow": command["flow"], "partner": command["origin_partner"],
            "document": command["origin_document"], "source": command["source"], "event_id": command["event_id"], "origin": command["origin"],
            "occurred_at": command["occurred_at"]}}) + "\n")
    send(cluster, "posting.acks", *lines)
    return number


def payment(kind, document, **fields):
    return event(kind, document, **fields)


def without_policies(cluster):
    """A system that has just been made, and one that lacks a flow."""
    acknowledger = cluster.processor("kontor-acknowledger", properties=PROPERTIES)
    acknowledger.start()
    with test("no policy at all: it waits, is not ready and says what is missing"):
        wait_until(lambda: "master data: master.flow-policies" in acknowledger.http("/readyz")[1], 30, "its reason", interval_s=0.1)
        load_policies(cluster, ["invoice"])
        wait_until(lambda: "for procurement, payment, expense, journal, settlement, budget, review: " in acknowledger.http("/readyz")[1], 30, "the rest", interval_s=0.1)
        assert acknowledger.alive()
    acknowledger.stop()
    with test("started with policies that lack a flow: it ends with exit code 1 and names it"):
        acknowledger.start()
        assert acknowledger.exit_code(30) == 1
        assert "no active policy of entity * for procurement, payment, expense, journal" in acknowledger.log(), acknowledger.log_tail()
    load_policies(cluster, FLOWS)
    acknowledger.start().wait_ready()
    return acknowledger


def order_to_payment(cluster, acknowledger):
    send(cluster, "procurement.events", line(order("PO1"), 1), line(receipt("R1", "PO1"), 2))
    send(cluster, "invoice.events", line(invoice("I1", "PO1"), 3))
    with test("an order, its receipt and its invoice: where each is, and what belongs together"):
        found = await_state(cluster, "invoice", "I1", "command sent")
        assert (found["owner"], found["awaited"], found["links"][0]["document"]) == ("owner of invoice", "posted", "PO1"), found
        wait_until(lambda: {(link["relation"], link["document"]) for link in documents(cluster).get(("procurement", "PO1"), {}).get("linked_by", [])} == {("receipt", "R1"), ("invoice", "I1")},
                   30, "the order has heard of both", interval_s=0.2)
    acknowledger.kill()
    number = erp_posts(cluster, 5000)
    send(cluster, "payment.events", line(payment("instructed", "P1", amount="1190.00", bank_account="MAIN", supplier_account="S1A", user="ann",
                                                 items=[{"document": "I1", "amount": "1190.00"}]), 4))
    acknowledger.start()
    with test("killed, and the ERP posts meanwhile: posted, told once with the ERP's number"):
        posted = await_state(cluster, "invoice", "I1", "posted")
        assert posted["journals"][0]["number"] and posted["awaited"] == "paid", posted
        await_state(cluster, "procurement", "R1", "posted")
        assert [(later["step"], later["postings"][0]["number"], later["postings"][0]["period"], later["outcome"]) for later in told(cluster, "I1")] == \
            [("posted", posted["journals"][0]["number"], "2026-03", "accepted")]
    send(cluster, "payment.events", line(payment("sent", "P1", reference="BANK77"), 5))
    acknowledger.kill()
    acknowledger.start()
    with test("paid, and its source is told by what and what remains"):
        paid = await_state(cluster, "invoice", "I1", "paid")
        assert (paid["paid"], paid["remaining"], paid["payments"][0]["document"]) == ("1190.0000", "0.0000", "P1"), paid
        later = told(cluster, "I1")[-1]
        assert (later["step"], later["payment"], later["amount"], later["remaining"], later["reference"]) == ("paid", "P1", "1190.0000", "0.0000", "BANK77"), later
    send(cluster, "payment.events", line(payment("settled", "P1", amount="1190.00"), 6))
    erp_posts(cluster, number)
    with test("on the statement: settled, and each state was told once"):
        await_state(cluster, "invoice", "I1", "settled")
        await_state(cluster, "payment", "P1", "settled")
        wait_until(lambda: [later["step"] for later in told(cluster, "I1")] == ["posted", "paid", "settled"], 30, "told of all three", interval_s=0.2)


def silence(cluster, acknowledger, processors):
    """A minute to decide: 55 s of it are over by the time of the partition's events, the rest by the broker's."""
    begin = json.loads(line(event("status", "X"), 60))["timestamp"]
    send(cluster, "invoice.events", line(event("status", "OTHER"), 60, timestamp=begin + 55000))
    send(cluster, "invoice.events", line(invoice("I2", "PO2"), 60, timestamp=begin))
    with test("an invoice waits for its order"):
        waiting = await_state(cluster, "invoice", "I2", "waiting")
        assert (waiting["awaited"], waiting["overdue"], waiting["reasons"][0]["code"]) == ("decided", "", "ORDER_UNKNOWN"), waiting
    with test("nothing comes for a minute: overdue by a tick, whose it is, counted once"):
        late = wait_until(lambda: (found := documents(cluster).get(("invoice", "I2"))) and found["overdue"] and found, 30, "overdue", interval_s=0.2)
        assert (late["overdue"], late["owner"], late["overdue_since"], late["state"]) == ("decided", "owner of invoice", waiting["due_at"], "waiting"), late
        wait_until(lambda: acknowledger.metric("kontor_sla_breaches_total", entity="ACME", step="decided") == 1, 10, "counted")
    with test("kontor documents: which are overdue, how many in each state; kontor trace says where they are"):
        rows = json.loads(cluster.kontor("documents", "--overdue", "--format", "json").stdout)
        assert [(row["document"], row["state"], row["overdue"], row["owner"], row["reasons"]) for row in rows] == \
            [("I2", "waiting", "decided", "owner of invoice", "ORDER_UNKNOWN")], rows
        counted = {(row["flow"], row["state"]): (row["documents"], row["overdue"]) for row in json.loads(cluster.kontor("documents", "--format", "json").stdout)}
        assert counted["invoice", "settled"] == (1, 0) and counted["invoice", "waiting"] == (1, 1), counted
        assert "invoice I1: settled since 2026-03-02T10:06:00Z (owner of invoice)" in cluster.kontor("trace", "I1").stdout
        assert "invoice I2: waiting since 2026-03-02T11:00:00Z for ORDER_UNKNOWN, OVERDUE: decided since 2026-03-02T11:01:00Z" in cluster.kontor("trace", "I2").stdout
    send(cluster, "procurement.events", line(order("PO2"), 70), line(receipt("R2", "PO2"), 71))
    with test("the step comes: the alarm is taken back"):
        back = await_state(cluster, "invoice", "I2", "command sent")
        assert (back["overdue"], len(back["breaches"])) == ("", 1) and back["breaches"][0]["ended_at"], back
        wait_until(lambda: acknowledger.metric("kontor_sla_breaches_ended_total", entity="ACME", step="decided") == 1, 10, "counted")
    with test("counts of outcomes are of events alone, and nothing of kontor's own is dead-lettered"):
        await_caught_up([*processors, acknowledger])
        summary = json.loads(cluster.kontor("status", "--format", "json").stdout)
        assert summary["events_in"] == summary["accepted"] == 10 and "problems" not in summary, summary
        assert not consume(cluster, "dlq.document.steps") and not consume(cluster, "dlq.posting.acks")


def main():
    with Cluster(FOLDER) as cluster:
        write_master(FOLDER / "small" / "master", tables())
        prepare(cluster, FOLDER / "small", partitions=PARTITIONS)
        processors = [cluster.processor(binary, properties=PROPERTIES) for binary in PROCESSORS]
        for processor in processors:
            processor.start()
        acknowledger = without_policies(cluster)
        for processor in processors:
            processor.wait_ready()
        order_to_payment(cluster, acknowledger)
        silence(cluster, acknowledger, processors)


main()
sys.exit(finish())
