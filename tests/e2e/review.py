"""People's decisions on a real broker: held invoices approved, refused and corrected through review.decisions while the reviewer and the invoice processor are killed
at random; every decision takes effect once and is on the topic audit once. SEED=... repeats the moments of the kills."""

import base64
import json
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from small import FROM, RULE_LINES, event, line, master, write_master  # noqa: E402
from world import REPOSITORY, consume, prepare  # noqa: E402
from quiescence import await_caught_up  # noqa: E402
from cluster import Cluster, finish, test, wait_until  # noqa: E402
from asking import MDM, acknowledged, reasons, send  # noqa: E402

FOLDER = REPOSITORY / "build" / "tests" / "review"
ONE, TWO, REFUSED, CORRECTED = range(4)      # what becomes of a document: one approval, two, refused, corrected
DOCUMENTS = 48


def company():
    def record(**fields):
        return {"valid_from": FROM, "status": "active", "source": "MDM", **fields}
    rules = {**RULE_LINES, "invoice_without_order": [("debit", "line", "net"), ("debit", "154000", "tax_deductible"), ("debit", "line", "tax_not_deductible"),
                                                      ("credit", "160000", "gross")]}
    permissions = [("ERP1", "procurement.events"), ("ERP1", "invoice.events"), ("console", "review.decisions")]
    return master(
        posting_rules=[record(rule_set="std", rules=[{"rule": step, "step": step, "lines": [{"side": side, "account": account, "amount": amount} for side, account, amount in lines]}
                                                     for step, lines in rules.items()])],
        source_permissions=[record(source_system=source, topic=topic, entities=["*"]) for source, topic in permissions],
        review_policies=[record(entity="ACME", amount="1000", second_amount="5000", expiry_hours=48, deciders=[{"reason": "*", "role": "manager"}])],
        approvers=[record(entity="ACME", user=user, roles=["manager"]) for user in ("ann", "bob", "carol")])


def invoice(number, fate):
    net, tax, total = ("6000.00", "1140.00", "7140.00") if fate == TWO else ("1000.00", "190.00", "1190.00")
    return event("received", f"I{number}", supplier=f"S{number % 2 + 1}", number=f"N-{number}", user="ann", total=total,
                 lines=[{"line": "1", "net": net, "tax_code": "V19", "tax": tax, "account": "400000"}])


def held(cluster):
    """The newest exception of each document that is held."""
    return {record["value"]["document"]: record["value"] for record in consume(cluster, "exceptions.held") if record["value"]["outcome"] == "held"}


def decision(identifier, action, shown, user, **fields):
    now_ms = int(time.time() * 1000)
    value = {"event_id": identifier, "source": "console", "action": action, "entity": shown["entity"], "partner": shown["partner"], "processor": shown["processor"],
             "item": shown["item"], "origin": shown["origin"], "shown": shown["shown"], "shown_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now_ms / 1000 - 1)),
             "document": shown["document"], "user": user, "role": "manager", "reason": "looked at it", **fields}
    return json.dumps({"key": f"{shown['entity']}|{shown['partner']}", "value": value}) + "\n"


def corrected_bytes(cluster, shown):
    """The held event with another event id of the same length, so that its bytes need no codec."""
    old = base64.b64decode(shown["value"])
    identifier = shown["event_id"].encode()
    new = b"C" + identifier[1:]
    assert old.count(bytes([2 * len(identifier)]) + identifier) == 1, old
    return old.replace(bytes([2 * len(identifier)]) + identifier, bytes([2 * len(identifier)]) + new), new.decode()


def decisions_of(cluster, shown, fate):
    number = shown["document"]
    if fate == REFUSED:
        return [(f"{number}-refuse", "refuse", "bob", {})]
    if fate == CORRECTED:
        value, identifier = corrected_bytes(cluster, shown)
        return [(f"{number}-correct", "correct", "bob", {"topic": "invoice.events", "value": base64.b64encode(value).decode(), "corrected_event_id": identifier})]
    return [(f"{number}-{user}", "approve", user, {}) for user in ("bob", "carol")[:2 if fate == TWO else 1]]


def main():
    seed = int(os.environ.get("SEED", time.time_ns() % 1000000))
    print(f"# SEED={seed}", flush=True)
    chance = random.Random(seed)
    with Cluster(FOLDER) as cluster:
        write_master(FOLDER / "small" / "master", company())
        prepare(cluster, FOLDER / "small", partitions=4)
        processors = {name: cluster.processor(f"kontor-{name}", properties=MDM) for name in ("invoice", "reviewer")}
        for processor in processors.values():
            processor.start().wait_ready()
        fates = {f"I{number}": number % 4 for number in range(DOCUMENTS)}
        events = [invoice(number, number % 4) for number in range(DOCUMENTS)]
        send(cluster, "invoice.events", *(line(value, minute) for minute, value in enumerate(events)))
        with test("what the policy wants a person for is held, with its reason"):
            wait_until(lambda: len(held(cluster)) == DOCUMENTS, 20, "all held", interval_s=0.2)
            found = acknowledged(cluster)
            assert all(reasons(found[value["event_id"]]) == ["REVIEW_NEEDED"] for value in events)
        shown = held(cluster)
        asked = [(shown[document], taken) for document, fate in fates.items() for taken in decisions_of(cluster, shown[document], fate)]
        asked += [(shown["I0"], ("I0-ann", "approve", "ann", {}))]
        chance.shuffle(asked)
        lines = [decision(identifier, action, item, user, **fields) for item, (identifier, action, user, fields) in asked]
        pieces = [lines[at:at + 14] for at in range(0, len(lines), 14)]
        for piece in pieces:
            again = chance.sample([text for text in piece if "I0-ann" not in text], 4)      # a decision that is refused would be judged again
            send(cluster, "review.decisions", *piece, *again)
            time.sleep(chance.uniform(0, 0.4))      # a moment at random
            for name in chance.sample(sorted(processors), chance.choice((1, 1, 2))):
                processors[name].kill()
                processors[name].start()
        for processor in processors.values():
            processor.wait_ready()
        check(cluster, processors, events, fates, asked)
        for processor in processors.values():
            processor.stop()


def check(cluster, processors, events, fates, asked):
    final = {ONE: "accepted", TWO: "accepted", REFUSED: "rejected", CORRECTED: "rejected"}

    def settled():
        found = acknowledged(cluster)
        return all(found[value["event_id"]]["outcome"] == final[fates[value["document"]]] for value in events)
    with test("each document became what people decided, and its source was told"):
        wait_until(settled, 30, "all decided", interval_s=0.3)
        await_caught_up(list(processors.values()))
        found = acknowledged(cluster)
        for value in events:
            expected = {ONE: ["REVIEW_NEEDED"], TWO: ["REVIEW_NEEDED"], REFUSED: ["REFUSED"], CORRECTED: ["REPLACED"]}[fates[value["document"]]]
            assert reasons(found[value["event_id"]]) == expected, found[value["event_id"]]
    with test("one journal for each that was approved, none for the others"):
        journals = Counter(record["value"]["document"] for record in consume(cluster, "posting.commands.tryton"))
        assert journals == {document: 1 for document, fate in fates.items() if fate in (ONE, TWO)}, journals
    with test("a corrected event went out once, names what it corrects, and is held in its turn"):
        all_events = consume(cluster, "invoice.events")
        sent = Counter(record["value"]["event_id"] for record in all_events)
        corrections = {f"C{value['event_id'][1:]}" for value in events if fates[value["document"]] == CORRECTED}
        assert all(sent[identifier] == 1 for identifier in corrections) and sum(sent.values()) == len(events) + len(corrections), sent
        assert all(reasons(found[identifier]) == ["REVIEW_NEEDED"] for identifier in corrections)
        links = {record["value"]["event_id"]: record["headers"]["kontor-corrects"] for record in all_events if record["value"]["event_id"] in corrections}
        assert links == {f"C{shown['event_id'][1:]}": shown["origin"] for shown, (_, action, *_) in asked if action == "correct"}, links
    audit = [record["value"] for record in consume(cluster, "audit")]
    with test("every decision is on audit once, done, pending or refused"):
        of_reviewer = Counter(identifier for entry in audit if entry["processor"] == "reviewer" for identifier in entry["decisions"])
        assert of_reviewer == Counter(identifier for _, (identifier, *_) in asked), of_reviewer
        outcomes = Counter(entry["outcome"] for entry in audit if entry["processor"] == "reviewer")
        quarter = DOCUMENTS // 4
        assert outcomes == {"done": 4 * quarter, "pending": quarter, "refused": 1}, outcomes
    with test("... and what its processor did about it, once; of two people both"):
        done = Counter((entry["document"], entry["action"], entry["outcome"], len(entry["decisions"])) for entry in audit if entry["processor"] == "invoice")
        words = {ONE: ("approve", "done", 1), TWO: ("approve", "done", 2), REFUSED: ("refuse", "done", 1), CORRECTED: ("replace", "done", 1)}
        assert done == {(document, *words[fate]): 1 for document, fate in fates.items()}, done


main()
sys.exit(finish())
