"""Synthetic events on a real broker: `kontor probe` sends one of every flow, they come round, nothing is posted or kept of them; one whose processor is dead does not,
and what the alert KontorProbeFailed asks for becomes true."""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "deploy" / "local" / "sample"))
from world import REPOSITORY, consume, prepare  # noqa: E402
from cluster import Cluster, finish, test, wait_until  # noqa: E402
from scenarios import company  # noqa: E402

FOLDER = REPOSITORY / "build" / "tests" / "probe"
SAMPLE = REPOSITORY / "deploy" / "probe" / "sample.json"
ANSWERED_BY = {"procurement": "procurement", "invoice": "invoice", "payment": "payment", "expense": "expense", "journal": "journal", "settlement": "settler", "review": "reviewer"}
QUIET = ("document.steps", "exceptions.held", "exceptions.parked", "exceptions.rejected", "commitments", "payables", "audit", "settlement.entries",
         *(f"dlq.{topic}" for topic in ("procurement.events", "invoice.events", "payment.events", "expense.events", "journal.events", "settlement.events", "review.decisions")))


def rings(probe, flow):
    """What deploy/prometheus/rules/alerts.yml asks for."""
    return time.time() - probe.metric("kontor_probe_last_success_timestamp_seconds", flow=flow) > 3 * probe.metric("kontor_probe_interval_seconds")


def round_trips(probe, flow):
    return probe.metric("kontor_probe_seconds_count", flow=flow) or 0


def one_real_journal(cluster):
    value = {"event_id": "real", "kind": "submitted", "source": "OFFICE", "entity": "HOME", "partner": "CLOSE", "document": "J1", "document_date": "2019-12-16",
             "posting_date": "2019-12-16", "currency": "EUR", "lines": [{"line": "1", "side": "debit", "account": "449000", "amount": "70.00"},
                                                                      {"line": "2", "side": "credit", "account": "190000", "amount": "70.00"}]}
    cluster.kontor("produce", "journal.events", input=json.dumps(value) + "\n")
    wait_until(lambda: consume(cluster, "posting.commands.tryton"), 30, "the real journal", interval_s=0.2)


def status(cluster):
    found = json.loads(cluster.kontor("status", "--format", "json").stdout)
    balances = json.loads(cluster.kontor("status", "--format", "json", "--trial-balance").stdout)
    return {"balances": balances, **{name: value for name, value in found.items() if name not in ("seconds", "events_per_second")}}


def round_for_all(cluster, processors, probe):
    with test("probe: one of every flow comes round, --once says so"):
        found = json.loads(cluster.kontor("probe", SAMPLE, "--once", "--format", "json").stdout)
        assert {row["flow"]: row["what_became_of_it"] for row in found} == {flow: "parked" if flow == "review" else "accepted" for flow in ANSWERED_BY}, found
    one_real_journal(cluster)
    wait_until(lambda: processors["journal"].metric("kontor_events_total", outcome="accepted") == 1, 10, "counted")
    kept = wait_until(lambda: processors["journal"].metric("kontor_state_entries"), 10, "its state")
    before = status(cluster)
    probe.start().wait_ready()
    with test("probe: all flows come round again and again"):
        wait_until(lambda: all(round_trips(probe, flow) >= 4 for flow in ANSWERED_BY), 30, "four rounds", interval_s=0.1)
        assert probe.metric("kontor_probe_failures_total") == 0, probe.log_tail()
        assert not any(rings(probe, flow) for flow in ANSWERED_BY)
        # a moment is what each takes: half of them within a quarter of a second
        assert all(probe.metric("kontor_probe_seconds_bucket", flow=flow, le="0.25") * 2 >= round_trips(probe, flow) for flow in ANSWERED_BY)
    with test("probe: journals, trial balance, documents, events are what they were"):
        assert status(cluster) == before, (status(cluster), before)
        assert before["events_in"] == 1 and before["journals"] == 1
        assert len(consume(cluster, "posting.commands.tryton")) == 1
        for topic in QUIET:
            assert [record["value"]["document"] for record in consume(cluster, topic)] == (["J1"] if topic == "document.steps" else []), topic
        told = [record["value"] for record in consume(cluster, "acknowledgments")]
        assert [value["event_id"] for value in told if not value["synthetic"]] == ["real"]
        assert all(value["journals"] for value in told if value["processor"] in ("invoice", "expense", "journal"))
        one = next(value for value in told if value["synthetic"] and value["processor"] == "invoice")
        assert "synthetic: nothing else came of it" in cluster.kontor("trace", one["document"]).stdout
    with test("probe: no state, counted under a name of their own"):
        assert {name: processor.metric("kontor_state_entries") for name, processor in processors.items()} == {**dict.fromkeys(processors, 0), "journal": kept}
        for flow, name in ANSWERED_BY.items():
            assert processors[name].metric("kontor_synthetic_events_total") >= 5
            assert processors[name].metric("kontor_events_total") == (1 if flow == "journal" else 0), name


def dead_processor(processors, probe):
    with test("probe: a dead processor's flow fails, and only that"):
        processors["invoice"].kill()
        killed = time.monotonic()
        wait_until(lambda: rings(probe, "invoice"), 15, "the alert's condition", interval_s=0.1)
        print(f"  {time.monotonic() - killed:.1f} s after the kill, at an event a second", flush=True)
        assert probe.metric("kontor_probe_failures_total", flow="invoice", reached="produced") > 0
        assert not any(rings(probe, flow) for flow in ANSWERED_BY if flow != "invoice")
        assert "no acknowledgment within 1 s" in probe.log()
    with test("probe: it comes back, so does its flow"):
        processors["invoice"].start().wait_ready()
        wait_until(lambda: not rings(probe, "invoice"), 15, "the alert's condition gone", interval_s=0.1)
        assert "synthetic events go round again" in probe.log()


def without_permission(cluster, probe):
    with test("probe: without a permission nothing is sent, and it says so"):
        line = {"source_system": "PROBE", "topic": "payment.events", "entities": ["HOME"], "valid_from": "1990-01-01", "status": "ended", "source": "MDM"}
        cluster.kontor("produce", "master.source-permissions", input=json.dumps(line) + "\n")
        wait_until(lambda: probe.metric("kontor_probe_failures_total", flow="payment", reached="nothing"), 15, "it fails", interval_s=0.1)
        assert "PROBE may not send synthetic events of HOME to payment.events" in probe.log()
        letters = consume(cluster, "dlq.payment.events")
        assert len(letters) <= 1, letters    # the one that was on its way
    with test("probe: a file that is wrong is refused at once"):
        wrong = FOLDER / "wrong.json"
        for value, expected in (({"invoice": {"value": {"kind": "approved", "source": "P", "entity": "E", "suplier": "S"}}}, "invoice: supplier: the field is missing"),
                                ({"invoice": {"value": {"source": "P", "entity": "E", "document": "{Id}"}}}, "{id}, {today} or {now}"),
                                ({"invoce": {"value": {"source": "P", "entity": "E"}}}, "invoce.events")):
            wrong.write_text(json.dumps(value))
            found = cluster.kontor("probe", wrong, check=False)
            assert found.returncode == 1 and expected in found.stderr and found.stderr.count("\n") == 1, found.stderr
    with test("probe: it stops at once"):
        assert probe.stop() < 2 and probe.process.returncode == 0


def main():
    (FOLDER / "world" / "master").mkdir(parents=True, exist_ok=True)
    company.write(FOLDER / "world" / "master", "MDM")
    with Cluster(FOLDER / "cluster") as cluster:
        prepare(cluster, FOLDER / "world", partitions=4)
        processors = {name: cluster.processor(f"kontor-{name}", properties={"tables.source": "MDM"}).start() for name in ANSWERED_BY.values()}
        for processor in processors.values():
            processor.wait_ready()
        probe = cluster.probe(SAMPLE)
        round_for_all(cluster, processors, probe)
        dead_processor(processors, probe)
        without_permission(cluster, probe)


main()
sys.exit(finish())
