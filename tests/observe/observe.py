"""A real Prometheus beside running processors: every query of the dashboards, rules and alerts against a part of the samples, then every alert by its real cause.

The rules are those of deploy/prometheus with seconds for minutes (and minutes for hours), every second anew. What waits for days is as old as the samples are."""

import datetime
import json
import math
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True
TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "harness"), str(TESTS / "e2e"), str(TESTS / "observe")]
from asking import send  # noqa: E402
from cluster import REPOSITORY, Cluster, finish, test, wait_until  # noqa: E402
from dashboards import RULES, dashboards, panels, queries, rules  # noqa: E402
from prometheus import NotThere, Prometheus, program  # noqa: E402
from small import invoice, line, master, order, raw, write_master  # noqa: E402
from world import consume, prepare, sample  # noqa: E402
from quiescence import await_caught_up  # noqa: E402

FOLDER = REPOSITORY / "build" / "tests" / "observe"
SOURCE = "SAP-P2P"
TOPICS = ("procurement.events", "invoice.events", "payment.events", "expense.events", "journal.events")
SLICES, LOG_EVENTS = 6, 6000
# By promtool's tests of rules alone: another version would have to be built; a state that takes ten seconds to restore is not made quickly.
NOT_HERE = {"KontorVersionsDiffer", "KontorNotReady"}


# ---------------------------------------------------------------- the system

def converted():
    """A part of the real log, a small office and a company for single records, as one sample."""
    samples = REPOSITORY / "deploy" / "local" / "sample"
    office, small, whole = FOLDER / "office", FOLDER / "small", FOLDER / "sample"
    subprocess.run([samples / "office", office, "--reports", "60", "--invoices", "60", "--master-source", SOURCE], check=True, stdout=subprocess.DEVNULL)
    own = json.dumps(master()).replace('"MDM"', f'"{SOURCE}"').replace('"std"', '"small"').replace("purchase-account", "small-account")    # beside those of the samples
    write_master(small / "master", json.loads(own))
    subprocess.run([samples / "together", whole, sample(LOG_EVENTS), office, small], check=True, stdout=subprocess.DEVNULL)
    return whole


def scaled(text):
    """Seconds for minutes, minutes for hours and the quarter of an hour that a breach is new."""
    text = re.sub(r"\b(\d+)m\b", r"\1s", text)
    return re.sub(r"\b(\d+)h\b", r"\1m", text)


def start_probe(cluster):
    """Synthetic events of the office; every third of the settlements does not become what it should, so that there is a failure to show."""
    events = json.loads((REPOSITORY / "deploy" / "probe" / "sample.json").read_text())
    events["settlement"] = [events["settlement"], events["settlement"], {**events["settlement"], "outcome": "rejected"}]
    (FOLDER / "probe.json").write_text(json.dumps(events))
    return cluster.probe(FOLDER / "probe.json", "2s").start().wait_ready()


def start_prometheus(processors):
    folder = FOLDER / "prometheus"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "rules").mkdir(parents=True)
    for path in RULES.glob("*.yml"):
        (folder / "rules" / path.name).write_text(scaled(path.read_text()))
    targets = ", ".join(f'"127.0.0.1:{processor.metrics_port}"' for processor in processors)
    (folder / "prometheus.yml").write_text(f"global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [rules/*.yml]\n"
                                           f"scrape_configs: [{{job_name: kontor, static_configs: [{{targets: [{targets}]}}]}}]\n")
    return Prometheus(folder / "prometheus.yml", folder).start().wait_ready(30)


def feed_slices(cluster, alerts, folder, slices):
    """The events of all topics, a part of each after the other, while all run."""
    lines = {topic: open(folder / f"{topic}.jsonl").readlines() for topic in TOPICS}
    for k in slices:
        for topic, all_lines in lines.items():
            part = all_lines[len(all_lines) * k // SLICES:len(all_lines) * (k + 1) // SLICES]
            if part:
                send(cluster, topic, *part)
            alerts.look()


def erp_posts(cluster):
    """What a poster would write: every command is posted, a minute after it was sent."""
    lines = []
    for number, entry in enumerate(consume(cluster, "posting.commands.tryton")):
        command = entry["value"]
        when = datetime.datetime.fromisoformat(command["occurred_at"])
        lines.append(json.dumps({"timestamp": int(when.timestamp() * 1000), "value": {
            "idempotency_key": command["idempotency_key"], "outcome": "posted", "erp": "tryton", "number": str(number), "year": 2026, "period": command["period"],
            "posting_date": command["posting_date"], "entity": command["origin_entity"], "flow": command["flow"], "partner": command["origin_partner"],
            "document": command["origin_document"], "source": command["source"], "event_id": command["event_id"], "origin": command["origin"],
            "occurred_at": (when + datetime.timedelta(minutes=1)).isoformat()}}) + "\n")
    send(cluster, "posting.acks", *lines)


# ---------------------------------------------------------------- queries

def answers(prometheus, expression, legend):
    """Finite values, each with the labels that the legend names."""
    wanted = re.findall(r"\{\{(\w+)\}\}", legend)
    return [value for labels, value in prometheus.query(expression) if math.isfinite(value) and all(name in labels for name in wanted)]


def every_query(prometheus):
    by_dashboard = {}
    for (where, expression), legend in zip(queries(), legends_in_order()):
        by_dashboard.setdefault(where.split(",")[0], []).append((where, expression, legend))
    for name, asked in by_dashboard.items():
        with test(f"dashboard {name}: each of its {len(asked)} queries returns something while the samples run"):
            def empty():
                return [where for where, expression, legend in asked if not answers(prometheus, expression, legend)]
            try:
                wait_until(lambda: not empty(), 20, "all queries", interval_s=1)
            except TimeoutError:
                raise AssertionError("nothing comes of: " + "; ".join(empty())) from None
    with test("every recording rule returns something"):
        recorded = [name for name, _ in rules() if ":" in name]
        wait_until(lambda: all(prometheus.query(name) for name in recorded), 20, "all of them", interval_s=1)


def legends_in_order():
    return [target["legendFormat"] for dashboard in dashboards().values() for panel in panels(dashboard) for target in panel["targets"]]


def counted_as_told(cluster, prometheus):
    """By source and by entity: what the metrics count is what the sources were told, acknowledgment by acknowledgment."""
    told = [entry["value"] for entry in consume(cluster, "acknowledgments") if not entry["value"]["later"] and not entry["value"]["synthetic"]]
    for label in ("source", "entity"):
        expected = Counter((value[label], value["outcome"]) for value in told)
        found = {(labels[label], labels["outcome"]): int(value) for labels, value in prometheus.query(f"sum by ({label}, outcome) (kontor_{label}_events_total) > 0")}
        assert found == expected, {key: (expected.get(key), found.get(key)) for key in {*expected, *found} if expected.get(key) != found.get(key)}


def took_as_long(cluster, prometheus):
    """By what each document says of when it came to its states."""
    newest = {tuple(value[name] for name in ("entity", "flow", "partner", "document")): value for value in (entry["value"] for entry in consume(cluster, "documents"))}
    count, seconds = Counter(), Counter()
    for value in newest.values():
        reached = {each["state"]: datetime.datetime.fromisoformat(each["at"]) for each in value["reached"]}
        for step, begin, end in (("confirmed", "command sent", "posted"), ("invoice posted", "received", "posted"), ("invoice paid", "received", "paid")):
            if begin in reached and end in reached and (step == "confirmed" or value["flow"] == "invoice"):
                count[step] += 1
                seconds[step] += max(0, int((reached[end] - reached[begin]).total_seconds()))
    assert set(count) == {"confirmed", "invoice posted", "invoice paid"}, count
    del seconds["invoice paid"]     # counted when first paid; a payment that is heard of later, or returned, still moves that time
    for name, expected in (("kontor_document_durations_total", count), ('kontor_document_duration_seconds_total{step!="invoice paid"}', seconds)):
        found = Counter({labels["step"]: int(value) for labels, value in prometheus.query(f"sum by (step) ({name})")})
        assert found == expected, (name, found, expected)


# ---------------------------------------------------------------- alerts

class Alerts:
    def __init__(self, prometheus):
        self.prometheus, self.fired = prometheus, set()

    def look(self):
        self.fired |= self.prometheus.firing()
        return self.fired

    def fires(self, name, cause, deadline_s=30, again=None):
        """A test: by its cause the alert fires. again: what goes on meanwhile."""
        with test(f"{name}: {cause}"):
            def there():
                if again:
                    again()
                return name in self.look()
            wait_until(there, deadline_s, f"{name} fires", interval_s=0.3)

    def ends(self, name, deadline_s=60):
        with test(f"... {name} ends"):
            wait_until(lambda: name not in self.prometheus.firing(), deadline_s, f"{name} ends", interval_s=0.3)


def without_order(document, **fields):
    value = invoice(document, "")
    value["lines"][0].update(order="", order_line="", category="goods", **fields)
    return value


def by_business(cluster, alerts):
    """What old and wrong documents do."""
    alerts.fires("KontorHeldTooOld", "the office's events are years old")
    alerts.fires("KontorWaitingTooOld", "... and others wait for data")
    alerts.fires("KontorSlaBreach", "what waits is overdue by its flow policy")
    alerts.fires("KontorPeriodMissing", "the office posts into a closed period", 90)
    alerts.fires("KontorMappingDefects", "an invoice without order, for which there is no posting rule", 60)
    alerts.fires("KontorIntercompanyUnpaired", "an entity bears a line without an agreement", 120)
    wrong, number = [], iter(range(100000))

    def wrong_tax():
        wrong.append(f"W{next(number)}")
        send(cluster, "invoice.events", line(invoice(wrong[-1], f"PO-{wrong[-1]}", tax="100.00", total="1100.00"), 3))
    alerts.fires("KontorSourceRefused", "a source sends wrong tax all the time", 90, again=wrong_tax)
    alerts.fires("KontorSlow", "... of months ago", 60, again=wrong_tax)
    send(cluster, "invoice.events", raw(b"rubbish", "ACME|S1", 4), options=["--raw"])
    alerts.fires("KontorDeadLetters", "a record that is no Avro")
    send(cluster, "master.suppliers", raw(b"rubbish", "S2|1990-01-01"), options=["--raw"])
    alerts.fires("KontorTableKeysUnusable", "rubbish under a supplier's key")


def by_flood(cluster, alerts, invoices):
    """A paused processor takes nothing more."""
    send(cluster, "invoice.events", *[raw(b"rubbish %d" % k, "ACME|S1", 5) for k in range(200)], options=["--raw"])
    alerts.fires("KontorPaused", "a flood of poison")
    count = iter(range(10 ** 6))
    alerts.fires("KontorStuck", "records are there, nobody takes them", 60, again=lambda: send(cluster, "procurement.events", line(order(f"L{next(count)}"), 6)))
    invoices.restart()
    alerts.ends("KontorPaused")
    alerts.ends("KontorStuck")


def by_load(cluster, alerts, folder, expenses):
    """A record at a time, twice a second; what comes are repeats."""
    configured, repeats = expenses.config.read_text(), open(folder / "expense.events.jsonl").readlines() * 20
    expenses.config.write_text(configured + "batch.max.records=1\ncommit.gap.ms=500\n")
    expenses.restart()
    send(cluster, "expense.events", *repeats)
    alerts.fires("KontorBehind", "thousands of records are there, more come, and it takes two a second", 120, again=lambda: send(cluster, "expense.events", *repeats))
    expenses.config.write_text(configured)
    expenses.restart()
    alerts.ends("KontorBehind")


def by_processes(alerts, victim):
    victim.kill()
    alerts.fires("KontorProcessorDown", "killed")
    alerts.fires("KontorProbeFailed", "... so that its flow's synthetic events do not come round")
    alerts.fires("KontorProcessorGone", "... and it was the only one")
    for _ in range(4):
        victim.start().wait_ready()
        started = victim.metric("kontor_start_time_seconds")
        wait_until(lambda: any(value == started for _, value in alerts.prometheus.query("kontor_start_time_seconds")), 10, "the start is seen", interval_s=0.1)
        victim.kill()
    victim.start().wait_ready()
    alerts.fires("KontorRestarts", "killed and started, again and again", again=lambda: None)
    alerts.ends("KontorProcessorDown")
    alerts.ends("KontorProbeFailed")


class Stream:
    """Orders and invoices, hundreds a second, until it ends: so that a fault comes upon transactions under way."""

    def __init__(self, cluster):
        self.cluster, self.stopping = cluster, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        number = 0
        while not self.stopping.is_set():
            names = [f"H{number + k}" for k in range(500)]
            number += len(names)
            try:
                send(self.cluster, "procurement.events", *[line(order(name, supplier=f"S{1 + k % 2}"), 7) for k, name in enumerate(names)])
                send(self.cluster, "invoice.events", *[line(invoice(name, f"PO-{name}", supplier=f"S{1 + k % 2}"), 7) for k, name in enumerate(names)])
            except RuntimeError as error:       # the broker stood still for too long
                print(f"  {error}".splitlines()[0], flush=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()


def by_broker(cluster, alerts):
    """A broker that hesitates, then one that is gone."""
    def hesitate(rest_s):
        cluster.broker.pause()
        time.sleep(1.3)     # this and the next: the fault itself, not a wait for something
        cluster.broker.resume()
        time.sleep(rest_s)
    with Stream(cluster):
        alerts.fires("KontorProducerRenewals", "the broker stands still for longer than a call may take", 120, again=lambda: hesitate(0.9))
        alerts.fires("KontorTransactionsAborted", "... so that transactions are given up", 120, again=lambda: hesitate(0.9))
        alerts.fires("KontorCommitSlow", "... and where a call may take longer, commits do", 120, again=lambda: hesitate(0.3))
    cluster.broker.kill()
    alerts.fires("KontorBrokersUnreachable", "the broker is gone", 60)
    alerts.fires("KontorTableStale", "... for more than a minute", 150)
    cluster.broker.start().wait_ready()
    alerts.ends("KontorBrokersUnreachable")
    alerts.ends("KontorTableStale")


def run(folder):
    with Cluster(FOLDER / "cluster", controller=True) as cluster:
        prepare(cluster, folder, partitions=4)
        special = {"kontor-procurement": {"transaction.call.timeout.ms": "1000"}, "kontor-invoice": {"poison.flood.window": "100"}}
        names = [name for name in (row.split("#")[0].strip() for row in open(REPOSITORY / "deploy" / "local" / "processors")) if name]
        processors = {name: cluster.processor(name, properties={"tables.source": SOURCE, "timers.interval": "500ms", **special.get(name, {})}) for name in names}
        processors["another"] = cluster.processor("kontor-procurement", "procurement-1", properties={"tables.source": SOURCE, **special["kontor-procurement"]})
        for processor in processors.values():
            processor.start()
        for processor in processors.values():
            processor.wait_ready()
        probe = start_probe(cluster)
        prometheus = start_prometheus([*processors.values(), probe])
        cluster.processors.append(prometheus)       # ended with them
        alerts = Alerts(prometheus)
        with test(f"all {len(names)} processors, one of them twice, and the probe are scraped, and nothing fires in a quiet system"):
            wait_until(lambda: prometheus.query("sum(up)") == [({}, len(processors) + 1)], 20, "all up", interval_s=0.2)
            wait_until(lambda: len(prometheus.query("processor:kontor_records:rate5m")) == len(names), 20, "rules are evaluated", interval_s=0.2)
            assert not prometheus.firing(), prometheus.firing()
        send(cluster, "invoice.events", line(without_order("M1"), 1), line(without_order("M2", bearer="ZETA"), 2))
        feed_slices(cluster, alerts, folder, range(SLICES - 1))
        await_caught_up(processors.values())
        erp_posts(cluster)
        await_caught_up(processors.values())
        with test("how long documents took is what each says of itself"):
            wait_until(lambda: prometheus.query("sum(kontor_lag_records)") == [({}, 0)], 20, "scraped", interval_s=0.5)
            took_as_long(cluster, prometheus)
        feed_slices(cluster, alerts, folder, [SLICES - 1])
        every_query(prometheus)
        await_caught_up(processors.values())
        with test("events by source and by entity are counted as the sources were told"):
            counted_as_told(cluster, prometheus)
        by_business(cluster, alerts)
        by_flood(cluster, alerts, processors["kontor-invoice"])
        by_load(cluster, alerts, folder, processors["kontor-expense"])
        by_processes(alerts, processors["kontor-expense"])
        by_broker(cluster, alerts)
        with test("every alert has fired by its cause, but for what promtool alone can test quickly"):
            every = {name for name, _ in rules() if ":" not in name}
            assert every - alerts.look() == NOT_HERE, (every - alerts.fired, NOT_HERE)


def main():
    try:
        program("prometheus")
    except NotThere as why:
        print(f"skip observe: {why}")
        sys.exit(0)
    FOLDER.mkdir(parents=True, exist_ok=True)
    run(converted())


main()
sys.exit(finish())
