"""Invoices of every fate – held, waiting, rejected, dead –, what people decide of them, and what each must come to by its number alone."""

import base64
import json
import time
from collections import Counter

from people import FLOWS, permission, record, rules
from small import event, master
from world import consume

ONE, TWO, REFUSED, CORRECTED, WAITING, REJECTED, DEAD = range(7)    # what becomes of a document, by its number
SUPPLIERS, LATE = 40, 20        # known; those that arrive late, a master record each
PROCESSORS = ("invoice", "reviewer", "acknowledger")


def company():
    return master(
        posting_rules=[record(rule_set="std", rules=rules())],
        suppliers=[record(supplier=f"S{number}") for number in range(SUPPLIERS)],
        source_permissions=[permission("ERP1", "invoice.events"), permission("ERP1", "procurement.events"), permission("console", "review.decisions")],
        tolerances=[record(entity="ACME", price_percent="2", price_amount="1", wait_days=2000)],     # a corrected event is of today: nothing is to wait too long for that
        review_policies=[record(entity="ACME", amount="1000", second_amount="5000", expiry_hours=48, deciders=[{"reason": "*", "role": "manager"}])],
        approvers=[record(entity="ACME", user=user, roles=["manager"]) for user in ("bob", "carol", "dora")],
        flow_policies=[record(entity="*", flow=flow, limits=[{"step": "decided", "minutes": 100000000}], control_owner="AP", exception_path="desk") for flow in FLOWS])


def invoice(number):
    fate = number % 7
    net, tax, total = {TWO: ("6000.00", "1140.00", "7140.00"), WAITING: ("100.00", "19.00", "119.00"), DEAD: ("100.00", "19.00", "119.00")}.get(fate, ("1000.00", "190.00", "1190.00"))
    supplier = f"L{number % LATE}" if fate == WAITING else f"S{number % SUPPLIERS}"
    fields = {"source": "ERP9"} if fate == DEAD else {}
    return event("received", f"I{number}", supplier=supplier, number=f"N-{number}", user="ann", total="1191.00" if fate == REJECTED else total,
                 lines=[{"line": "1", "net": net, "tax_code": "V19", "tax": tax, "account": "400000"}], **{**fields, "event_id": f"E{number:06}"})


# ---------------------------------------------------------------- decisions

def decision(identifier, action, shown, user, **fields):
    value = {"event_id": identifier, "source": "console", "action": action, "entity": shown["entity"], "partner": shown["partner"], "processor": shown["processor"],
             "item": shown["item"], "origin": shown["origin"], "shown": shown["shown"], "shown_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 1)),
             "document": shown["document"], "user": user, "role": "manager", "reason": "looked at it", **fields}
    return json.dumps({"key": f"{shown['entity']}|{shown['partner']}", "value": value}) + "\n"


def avro_bytes(bytes_):
    return bytes([2 * len(bytes_)]) + bytes_


def decimal_bytes(amount_e4):
    return avro_bytes(amount_e4.to_bytes((amount_e4.bit_length() + 8) // 8, "big"))


def corrected(shown, total=None):
    """The event with another event id of the same length, and total: of the same length as well, so that its bytes need no codec."""
    value, old, new = base64.b64decode(shown["value"]), shown["event_id"].encode(), b"C" + shown["event_id"].encode()[1:]
    for before, after in [(avro_bytes(old), avro_bytes(new))] + ([(decimal_bytes(11910000), decimal_bytes(total))] if total else []):
        assert value.count(before) == 1 and len(before) == len(after), (before, value)
        value = value.replace(before, after)
    return {"topic": "invoice.events", "value": base64.b64encode(value).decode(), "corrected_event_id": new.decode()}


def decisions_of(shown):
    document = shown["document"]
    fate = int(document[1:]) % 7
    if shown["event_id"].startswith("C"):
        return [decision(f"{document}-C-dora", "approve", shown, "dora")]
    if fate == REFUSED:
        return [decision(f"{document}-refuse", "refuse", shown, "bob")]
    if fate in (CORRECTED, REJECTED):
        return [decision(f"{document}-correct", "correct", shown, "bob", **corrected(shown, 11900000 if fate == REJECTED else None))]
    return [decision(f"{document}-{user}", "approve", shown, user) for user in ("bob", "carol")[:2 if fate == TWO else 1]]


def exceptions(cluster, topic, outcome):
    return {found["value"]["event_id"]: found["value"] for found in consume(cluster, topic) if found["value"]["outcome"] == outcome and found["value"]["processor"] == "invoice"}


# ---------------------------------------------------------------- what it came to

def ends(read):
    """read(topic): its records. What it came to: final outcomes, journals, what is on audit, documents; without places and times."""
    outcomes = {}
    for found in read("acknowledgments"):
        value = found["value"]
        if not value.get("later"):
            outcomes[value["event_id"]] = (value["outcome"], tuple(sorted(reason["code"] for reason in value["reasons"])))
    journals = Counter(json.dumps([found["value"][name] for name in ("idempotency_key", "posting_date", "lines")]) for found in read("posting.commands.tryton"))
    audit = Counter((entry["processor"], entry["action"], entry["outcome"], entry["by"], entry["document"], tuple(sorted(entry["decisions"])))
                    for entry in (found["value"] for found in read("audit")))
    documents = {found["key"]: (found["value"]["state"], tuple(sorted(journal["key"] for journal in found["value"]["journals"]))) for found in read("documents")}
    sent = Counter(found["value"]["event_id"] for found in read("invoice.events"))
    return {"outcomes": outcomes, "journals": journals, "audit": audit, "documents": documents, "events": sent}


def check(result, documents):
    """By the documents' numbers alone."""
    expected = {}
    for number in range(documents):
        fate, identifier = number % 7, f"{number:06}"
        expected[f"E{identifier}"] = {ONE: "accepted", TWO: "accepted", REFUSED: "rejected", CORRECTED: "rejected", WAITING: "accepted", REJECTED: "rejected", DEAD: "accepted"}[fate]
        if fate in (CORRECTED, REJECTED):
            expected[f"C{identifier}"] = "accepted"
    found = {identifier: outcome for identifier, (outcome, _) in result["outcomes"].items() if identifier[1:].isdigit()}
    wrong = [(identifier, expected.get(identifier), found.get(identifier)) for identifier in sorted({*expected, *found}) if expected.get(identifier) != found.get(identifier)]
    assert not wrong, f"{len(wrong)} end otherwise: {wrong[:5]}"
    posted = Counter(json.loads(text)[0].split("/")[1] for text in result["journals"].elements())
    assert posted == Counter(f"I{number}" for number in range(documents) if number % 7 != REFUSED), (posted - Counter()).most_common(3)
    assert all(count == 1 + (number % 7 == DEAD and identifier.startswith("E")) for identifier, count in result["events"].items() for number in [int(identifier[1:])]), "an event went out twice"
