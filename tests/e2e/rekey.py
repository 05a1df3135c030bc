"""kontor rekey: from 4 partitions to 6 in the middle of a load, with documents open, posted, waiting, behind others, held, deferred, known and not taken yet, killed at every
step and at random moments and run again: outcomes, journals, balances, audit and documents are those of a run that had 6 partitions from the start.
Then one supplier becomes another: what was ordered of the one, and waits of it, is received, invoiced and released under the other.
SEED=... repeats the moments of the kills; REKEY=1000 for a larger load."""

import itertools
import json
import os
import queue
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from people import FLOWS, permission, record, rules  # noqa: E402
from small import event, line, master, write_master  # noqa: E402
from world import REPOSITORY, consume, prepare  # noqa: E402
from quiescence import await_caught_up  # noqa: E402
from cluster import Cluster, finish, seed, spawn, test, wait_until  # noqa: E402
from asking import MDM, send  # noqa: E402

FOLDER = REPOSITORY / "build" / "tests" / "rekey"
DOCUMENTS = int(os.environ.get("REKEY") or 90)
SUPPLIERS, LATE = 23, 7
POSTED, OPEN, EARLY, BEHIND, HELD, KNOWN, UNREAD, REVERSED, REFUSED = range(9)     # what a document is when the partitions change, by its number
PROCESSORS = ("procurement", "invoice", "reviewer", "acknowledger")
FROM, TO = 4, 6


def company():
    return master(
        posting_rules=[record(rule_set="std", rules=rules())],
        suppliers=[record(supplier=f"S{number}") for number in range(SUPPLIERS)],
        source_permissions=[permission("ERP1", "invoice.events"), permission("ERP1", "procurement.events"), permission("console", "review.decisions"),
                            permission("kontor-invoice", "payables")],
        tolerances=[record(entity="ACME", price_percent="2", price_amount="1", wait_days=2000)],
        review_policies=[record(entity="ACME", amount="5000", second_amount="50000", expiry_hours=48, deciders=[{"reason": "*", "role": "manager"}])],
        approvers=[record(entity="ACME", user=user, roles=["manager"]) for user in ("bob", "carol")],
        flow_policies=[record(entity="*", flow=flow, limits=[{"step": "decided", "minutes": 100000000}], control_owner="AP", exception_path="desk") for flow in FLOWS])


def fate_of(number):
    return number % 9


def supplier_of(number):
    return f"L{number // 9 % LATE}" if fate_of(number) == BEHIND else f"S{number % SUPPLIERS}"


def told(kind, document, of, letter, **fields):
    return event(kind, document, supplier_of(of), **{"event_id": f"{letter}{of:05}", **fields})


def order(number):
    return told("order_created", f"PO{number}", number, "O", order=f"PO{number}", lines=[{"line": "1", "quantity": "10", "net": "1000.00", "category": "goods"}])


def changed(number):
    return told("order_changed", f"PO{number}", number, "X", order=f"PO{number}", lines=[{"line": "1", "quantity": "10", "net": "1000.00"}])


def receipt(number):
    return told("goods_received", f"GR{number}", number, "R", order=f"PO{number}", lines=[{"line": "1", "quantity": "10"}])


def undone(number):
    """A receipt of too much, and its cancellation, of which nothing is kept but that it was seen."""
    return [told("goods_received", f"GX{number}", number, "G", order=f"PO{number}", lines=[{"line": "1", "quantity": "1"}]),
            told("goods_receipt_cancelled", f"GC{number}", number, "C", order=f"PO{number}", reverses=f"GX{number}")]


def invoice(number):
    net, tax, total = ("6000.00", "1140.00", "7140.00") if fate_of(number) in (HELD, REFUSED) else ("1000.00", "190.00", "1190.00")
    of_order = {} if fate_of(number) in (HELD, REFUSED) else {"order": f"PO{number}", "order_line": "1", "quantity": "10"}
    account = {"account": "400000"} if not of_order else {}
    return told("received", f"I{number}", number, "I", number=f"N-{number}", user="ann", total=total,
                lines=[{"line": "1", "net": net, "tax_code": "V19", "tax": tax, **of_order, **account}])


def cancelled(number):
    return told("cancelled", f"I{number}", number, "Z", reverses=f"I{number}")


def load():
    """(before, while it is stopped, after): events by topic, in the order in which they happen."""
    parts = tuple({"procurement.events": [], "invoice.events": []} for _ in range(3))
    minutes = itertools.count()

    def add(part, *events):
        for value in events:
            parts[part]["invoice.events" if value["event_id"][0] in "IZ" else "procurement.events"].append((next(minutes), value))
    for number in range(DOCUMENTS):
        fate = fate_of(number)
        if fate in (POSTED, REVERSED, KNOWN):
            add(0, order(number), *(undone(number) if fate == KNOWN else []), receipt(number), invoice(number))
        elif fate == OPEN:
            add(0, order(number))
        elif fate in (EARLY, HELD, REFUSED):
            add(0, invoice(number))
        elif fate == BEHIND:
            add(0, order(number), changed(number))
    for number in range(DOCUMENTS):
        if fate_of(number) == UNREAD:
            add(1, order(number), receipt(number), invoice(number))
        elif fate_of(number) == OPEN:
            add(1, changed(number))
    for number in range(DOCUMENTS):
        fate = fate_of(number)
        if fate == OPEN:
            add(2, receipt(number), invoice(number))
        elif fate == EARLY:
            add(2, order(number), receipt(number))
        elif fate == BEHIND:
            add(2, receipt(number), invoice(number))
        elif fate == REVERSED:
            add(2, cancelled(number))
        elif fate == KNOWN:     # all of it once more: it was seen
            add(2, order(number), *undone(number), receipt(number), invoice(number))
    return parts


def expected():
    """The newest outcome by event, from the documents' numbers alone."""
    outcomes = {}
    for number in range(DOCUMENTS):
        fate = fate_of(number)
        identifiers = {HELD: "I", REFUSED: "I", KNOWN: "ORGCI", OPEN: "OXRI", BEHIND: "OXRI", REVERSED: "ORIZ"}.get(fate, "ORI")
        outcome = {REFUSED: "rejected", KNOWN: "duplicate"}.get(fate, "accepted")
        outcomes.update({f"{identifier}{number:05}": outcome for identifier in identifiers})
    return outcomes


# ---------------------------------------------------------------- what happens

def send_part(cluster, part):
    for topic, events in part.items():
        send(cluster, topic, *[line(value, minute) for minute, value in events])


def decision(identifier, action, shown, user):
    value = {"event_id": identifier, "source": "console", "action": action, "entity": shown["entity"], "partner": shown["partner"], "processor": shown["processor"],
             "item": shown["item"], "origin": shown["origin"], "shown": shown["shown"], "shown_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 1)),
             "document": shown["document"], "user": user, "role": "manager", "reason": "looked at it"}
    return json.dumps({"key": f"{shown['entity']}|{shown['partner']}", "value": value}) + "\n"


def held(cluster):
    return [found["value"] for found in consume(cluster, "exceptions.held") if found["value"]["outcome"] == "held" and found["value"]["processor"] == "invoice"]


def start(cluster, processors):
    for processor in processors:
        processor.start()
    for processor in processors:
        processor.wait_ready()
    await_caught_up(processors)


def run(name, partitions, change, afterwards=lambda cluster, processors: None):
    """change(cluster): called in the middle, when everything is stopped. afterwards(cluster, processors): at the end, when what it came to has been read."""
    before, between, after = load()
    with Cluster(FOLDER / name, broker_properties={"broker.session.timeout.ms": 60000}) as cluster:   # nothing kills the broker here, and a busy machine is not to be taken for that
        write_master(FOLDER / name / "small" / "master", company())
        prepare(cluster, FOLDER / name / "small", partitions=partitions)
        processors = [cluster.processor(f"kontor-{name}", properties={**MDM, "leave.on.stop": "true", "timers.interval": "500ms"}) for name in PROCESSORS]
        send_part(cluster, before)
        start(cluster, processors)
        fates = Counter(fate_of(number) for number in range(DOCUMENTS))
        wait_until(lambda: len(held(cluster)) == fates[HELD] + fates[REFUSED], 60, "held", interval_s=0.3)
        await_caught_up(processors)
        shown = held(cluster)       # with the numbers that they have there
        for processor in processors:
            processor.stop()
        send_part(cluster, between)
        change(cluster)
        start(cluster, processors)
        send_part(cluster, after)
        send(cluster, "master.suppliers", *[json.dumps(record(supplier=f"L{number}")) + "\n" for number in range(LATE)])
        send(cluster, "review.decisions", *[decision(f"D-{item['document']}-{user}", action, item, user) for item in shown
                                             for action, users in [("approve", ("bob",)) if fate_of(int(item["document"][1:])) == HELD else ("refuse", ("bob",))] for user in users])

        def all_told():
            found = {value["value"]["event_id"]: value["value"]["outcome"] for value in consume(cluster, "acknowledgments")}
            return all(found.get(identifier) == outcome for identifier, outcome in expected().items())
        try:
            wait_until(all_told, 60, "every event has its outcome", interval_s=0.5)
        except TimeoutError:
            pass        # what is otherwise is said by check()
        await_caught_up(processors)
        result = ends(cluster)
        afterwards(cluster, processors)
        return result


def ends(cluster):
    """What it came to, without places and times."""
    outcomes, journals, balances = {}, Counter(), Counter()
    for found in consume(cluster, "acknowledgments"):
        value = found["value"]
        if not value.get("later"):
            outcomes[value["event_id"]] = (value["outcome"], tuple(sorted(reason["code"] for reason in value["reasons"])))
    for found in consume(cluster, "posting.commands.tryton"):
        journal = found["value"]
        journals[json.dumps([journal[name] for name in ("idempotency_key", "posting_date", "lines")])] += 1
        for entry in journal["lines"]:
            balances[entry["account"]] += Decimal(entry["functional"]) * (1 if entry["side"] == "debit" else -1)
    audit = Counter((entry["processor"], entry["action"], entry["outcome"], entry["by"], entry["document"], tuple(sorted(entry["decisions"])))
                    for entry in (found["value"] for found in consume(cluster, "audit")))
    documents = {found["key"]: (found["value"]["state"], tuple(sorted(journal["key"] for journal in found["value"]["journals"]))) for found in consume(cluster, "documents")}
    released = Counter((found["value"]["event_id"], found["value"]["outcome"]) for found in consume(cluster, "exceptions.held"))
    return {"outcomes": outcomes, "journals": journals, "balances": balances, "audit": audit, "documents": documents, "held": released,
            "dead": Counter(json.dumps(found) for topic in ("dlq.procurement.events", "dlq.invoice.events") for found in consume(cluster, topic))}


# ---------------------------------------------------------------- the rekey

STEPS = ("reading kontor.acknowledger", "writing kontor.invoice", "reading kontor.acknowledger.changelog.", "giving", "sending", "committing")


def rekey_killed(cluster, when, chance):
    """Starts it and kills it at a step (a text that it says) or after so many seconds. True: it was killed before its end."""
    process = spawn([cluster.binaries / "kontor", "rekey", "--partitions", TO, "--yes"], cwd=REPOSITORY, env={**os.environ, **cluster.environment}, text=True,
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    lines = queue.Queue()
    threading.Thread(target=lambda: [lines.put(text) for text in process.stderr] + [lines.put(None)], daemon=True).start()
    deadline = time.monotonic() + (60 if isinstance(when, str) else when)
    said = []
    while time.monotonic() < deadline:
        try:
            text = lines.get(timeout=max(0.001, deadline - time.monotonic()))
        except queue.Empty:
            break
        if text is None:
            break
        said.append(text)
        if isinstance(when, str) and text.startswith(when):
            time.sleep(chance.uniform(0, 0.03))     # a moment at random within the step
            break
    process.kill()
    return process.wait() < 0, said


def plan_of(cluster):
    return json.loads(cluster.kontor("rekey", "--partitions", TO, "--format", "json").stdout)


def change_partitions(cluster, chance):
    with test("while a processor runs, nothing is touched; nor while one does that only writes there"):
        for name, why in [("acknowledger", "stop every kontor-acknowledger."), ("reviewer", "kontor-reviewer, which writes to topics that grow")]:
            processor = cluster.processors[PROCESSORS.index(name)].start().wait_ready()
            refused = cluster.kontor("rekey", "--partitions", TO, "--yes", check=False)
            assert refused.returncode == 1 and f"kontor.{name} has 1 member ({name}-0)" in refused.stderr and why in refused.stderr, refused.stderr
            processor.stop()
        topics = cluster.kontor("topics", "check", "--partitions", FROM)
        assert topics.returncode == 0
    with test("without --yes it says what would move, and nothing has changed"):
        plan = plan_of(cluster)
        rows = {(row["processor"], row["what"]): row for row in plan if row["processor"]}
        fates = Counter(fate_of(number) for number in range(DOCUMENTS))
        waits = rows["invoice", "what waits"]
        assert waits["records"] == fates[EARLY] + fates[HELD] + fates[REFUSED] + 2 * fates[BEHIND] and 0 < waits["moved"] < waits["records"], waits
        assert rows["procurement", "what waits"]["note"].startswith(f"{fates[BEHIND]} waiting, 0 held, {fates[BEHIND]} behind them"), rows["procurement", "what waits"]
        assert rows["acknowledger", "what waits"]["records"] > 0, "nothing is deferred"
        assert 0 < rows["invoice", "state"]["moved"] < rows["invoice", "state"]["records"]
        unread = {row["topic"]: row for row in plan if row["what"] == "unread"}
        assert unread["invoice.events"]["records"] == fates[UNREAD] and unread["invoice.events"]["moved"] > 0, unread["invoice.events"]
        assert unread["procurement.events"]["records"] == 2 * fates[UNREAD] + fates[OPEN]
        assert cluster.kontor("topics", "check", "--partitions", FROM).returncode == 0
    with test("killed at each step and at random, and run again"):
        killed = []
        for when in [*STEPS, *(chance.uniform(0.05, 2.5) for _ in range(2))]:
            begun = time.monotonic()
            was_killed, said = rekey_killed(cluster, when, chance)
            print(f"  {when}: {'killed' if was_killed else 'ended'} after {time.monotonic() - begun:.2f} s", flush=True)
            if was_killed:
                killed.append(when)
        assert set(killed) >= set(STEPS[:-1]), f"killed at {killed} only"
        done = cluster.kontor("rekey", "--partitions", TO, "--yes")
        assert "nothing to do" in done.stderr or "done:" in done.stderr, done.stderr
    with test("then there is nothing left to do; the old changelogs go when it is said"):
        again = cluster.kontor("rekey", "--partitions", TO, "--yes")
        assert "nothing to do" in again.stderr and not again.stdout, again
        dropped = {row["processor"]: row for row in json.loads(cluster.kontor("rekey", "--drop-old", "--format", "json").stdout)}
        assert dropped["invoice"]["deleted"] >= 1 and dropped["invoice"]["live"].startswith("kontor.invoice.changelog."), dropped


# ---------------------------------------------------------------- one supplier becomes another

A, B, MINUTE = "S3", "S4", 5000     # MINUTE: later than the load


def of(supplier, kind, document, identifier, **fields):
    return event(kind, document, supplier, event_id=identifier, **fields)


def merge_invoice(supplier, document, identifier, order_number):
    return of(supplier, "received", document, identifier, number=f"N-{document}", user="ann", total="1190.00",
              lines=[{"line": "1", "order": order_number, "order_line": "1", "quantity": "10", "net": "1000.00", "tax_code": "V19", "tax": "190.00"}])


def merge_order(supplier, number, identifier):
    return of(supplier, "order_created", number, identifier, order=number, lines=[{"line": "1", "quantity": "10", "net": "1000.00", "category": "goods"}])


def merge_receipt(supplier, document, identifier, order_number):
    return of(supplier, "goods_received", document, identifier, order=order_number, lines=[{"line": "1", "quantity": "10"}])


def merge(cluster, *options):
    return cluster.kontor("rekey", "--entity", "ACME", "--partner", A, "--becomes", B, *options, check=False)


def outcome(cluster, identifier, wanted):
    def told():
        found = [value["value"] for value in consume(cluster, "acknowledgments") if value["value"]["event_id"] == identifier and not value["value"].get("later")]
        return found[-1] if found and found[-1]["outcome"] == wanted else None
    return wait_until(told, 60, f"{identifier} {wanted}", interval_s=0.3)


def merge_suppliers(cluster, processors):
    early, seen = merge_invoice(A, "IM2", "M4", "POM2"), merge_order(A, "POM1", "M1")
    payment = cluster.processor("kontor-payment", properties={**MDM, "leave.on.stop": "true"})
    with test("a processor that had taken nothing before the partitions changed finds all of it where it belongs"):
        posted = [found["value"]["event_id"] for found in consume(cluster, "payables")]
        start(cluster, [payment])
        assert len(posted) > len(set(posted)) > 0, "nothing was unread"
        assert payment.metric("kontor_state_entries") >= len({found["key"] + found["value"]["document"] for found in consume(cluster, "payables")})
        processors = [*processors, payment]
    with test("an order of one supplier, received under it; an invoice of it that waits"):
        send(cluster, "procurement.events", line(seen, MINUTE), line(merge_receipt(A, "GRM1", "M2", "POM1"), MINUTE + 1))
        send(cluster, "invoice.events", line(early, MINUTE + 2))
        outcome(cluster, "M2", "accepted")
        outcome(cluster, "M4", "parked")
        await_caught_up(processors)
        for processor in processors:
            processor.stop()
    with test("what is unread of it is not left behind"):
        send(cluster, "invoice.events", line(merge_invoice(A, "IM9", "M9", "POM1"), MINUTE + 3))
        refused = merge(cluster, "--yes")
        assert refused.returncode == 1 and f"is unread and of {A}" in refused.stderr, refused.stderr
        start(cluster, processors)      # the only invoice under A: it is posted there
        outcome(cluster, "M9", "accepted")
        send(cluster, "invoice.events", line(of(A, "cancelled", "IM9", "M10", reverses="IM9"), MINUTE + 4))
        outcome(cluster, "M10", "accepted")
        await_caught_up(processors)
        for processor in processors:
            processor.stop()
    with test("one supplier becomes another, whatever it is killed at; then there is nothing left of it"):
        planned = merge(cluster, "--format", "json")
        assert planned.returncode == 0, planned.stderr
        plan = {(row["processor"], row["what"]): row for row in json.loads(planned.stdout)}
        assert plan["invoice", "partner"]["records"] > 0 and "1 that wait with them" in plan["invoice", "partner"]["note"], plan["invoice", "partner"]
        process = spawn([cluster.binaries / "kontor", "rekey", "--entity", "ACME", "--partner", A, "--becomes", B, "--yes"], cwd=REPOSITORY, env={**os.environ, **cluster.environment},
                        text=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for said in process.stderr:
            if said.startswith("reading kontor.payment.changelog.") and said.rstrip().endswith("back"):
                break
        process.kill()
        process.wait()
        done = merge(cluster, "--yes")
        assert done.returncode == 0 and "done:" in done.stderr, done.stderr
        again = merge(cluster, "--yes")
        assert again.returncode == 0 and f"nothing of {A} is there" in again.stderr, again.stderr
    with test("the order's invoice comes under the other; what waited is released there; what was seen is known there"):
        start(cluster, processors)
        send(cluster, "invoice.events", line(merge_invoice(B, "IM1", "M3", "POM1"), MINUTE + 5))
        send(cluster, "procurement.events", line(merge_order(B, "POM2", "M5"), MINUTE + 6), line(merge_receipt(B, "GRM2", "M6", "POM2"), MINUTE + 7), line({**seen, "supplier": B}, MINUTE + 8))
        assert outcome(cluster, "M3", "accepted")["partner"] == B
        assert outcome(cluster, "M4", "accepted")["partner"] == B
        outcome(cluster, "M1", "duplicate")
        await_caught_up(processors)
        journals = [found["value"] for found in consume(cluster, "posting.commands.tryton")]
        accruals = sum(Decimal(entry["functional"]) * (1 if entry["side"] == "debit" else -1)
                       for journal in journals if any(name in journal["idempotency_key"] for name in ("GRM1", "GRM2", "/IM1/", "/IM2/", "/IM9/")) for entry in journal["lines"] if entry["account"] == "191100")
        assert accruals == 0, accruals
        partners = {journal["idempotency_key"].split("/")[1]: journal["partner"] for journal in journals}
        assert partners["IM1"] == partners["IM2"] == B and partners["IM9"] == A, partners
    with test("two suppliers with one document number: named, and nothing is changed"):
        send(cluster, "invoice.events", *[line(merge_invoice(supplier, "ISAME", f"MS{supplier}", "PONONE"), MINUTE + 10) for supplier in ("S5", "S6")])
        send(cluster, "procurement.events", line(merge_order("S5", "POS", "M11"), MINUTE + 11), line(merge_receipt("S5", "GRS", "M12", "POS"), MINUTE + 12))
        send(cluster, "invoice.events", *[line(of(supplier, "received", "IBOTH", f"MB{supplier}", number="N-BOTH", user="ann", total="119.00",
                                                  lines=[{"line": "1", "net": "100.00", "tax_code": "V19", "tax": "19.00", "account": "400000"}]), MINUTE + 13) for supplier in ("S5", "S6")])
        for supplier in ("S5", "S6"):
            outcome(cluster, f"MB{supplier}", "accepted")
        await_caught_up(processors)
        for processor in processors:
            processor.stop()
        refused = cluster.kontor("rekey", "--entity", "ACME", "--partner", "S5", "--becomes", "S6", "--yes", check=False)
        assert refused.returncode == 1 and "IBOTH is there under both partners" in refused.stdout + refused.stderr, refused


def main():
    chance = random.Random(seed())
    with ThreadPoolExecutor(2) as pool:
        undisturbed = pool.submit(run, "undisturbed", TO, lambda cluster: None)
        changed_run = pool.submit(run, "changed", FROM, lambda cluster: change_partitions(cluster, chance), merge_suppliers)
        with test(f"{DOCUMENTS} documents on {TO} partitions: each event has the outcome that its number says"):
            wrong = {identifier: (outcome, undisturbed.result()["outcomes"].get(identifier)) for identifier, outcome in expected().items()
                     if undisturbed.result()["outcomes"].get(identifier, (None,))[0] != outcome}
            assert not wrong, f"{len(wrong)} are otherwise: {dict(list(wrong.items())[:4])}"
            assert not undisturbed.result()["dead"]
        with test(f"from {FROM} to {TO} in the middle: the same outcomes, journals, balances, audit and documents"):
            result = changed_run.result()
            for name, wanted in undisturbed.result().items():
                different = [key for key in {*wanted, *result[name]} if wanted.get(key) != result[name].get(key)]
                assert not different, f"{name}: {len(different)} differ, for example {[(key, wanted.get(key), result[name].get(key)) for key in sorted(different, key=str)[:3]]}"


main()
sys.exit(finish())
