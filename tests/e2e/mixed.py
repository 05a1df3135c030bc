"""Exceptions of every kind at once – held, waiting, rejected, dead – with decisions of one and of two people, refusals, corrections and a replay, while every process is killed
at random: it ends as the undisturbed run does. MIXED=10000 for the long run, SEED=... repeats the moments of the kills."""

import base64
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from people import FLOWS, permission, record, rules  # noqa: E402
from small import event, line, master, write_master  # noqa: E402
from world import REPOSITORY, await_caught_up, consume, prepare  # noqa: E402
from cluster import Cluster, finish, seed, spawn, test, wait_until  # noqa: E402
from asking import MDM, send  # noqa: E402

FOLDER = REPOSITORY / "build" / "tests" / "mixed"
SHORT = os.environ.get("TESTS_SHORT") == "yes"
DOCUMENTS = int(os.environ.get("MIXED") or (420 if SHORT else 10000))
PIECES = 8 if SHORT else 25     # in which events and decisions are sent: after each something may be killed
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


# ---------------------------------------------------------------- a run

class Killing:
    """Kills what runs now and then; without chance nothing."""

    def __init__(self, chance, processors):
        self.chance, self.processors, self.kills = chance, processors, 0

    def perhaps(self):
        if not self.chance:
            return
        time.sleep(self.chance.uniform(0, 0.3))     # a moment at random
        for name in self.chance.sample(PROCESSORS, self.chance.choice((1, 1, 2, 3))):
            self.processors[name].kill()
            self.processors[name].start()
            self.kills += 1


def in_pieces(cluster, topic, lines, killing):
    size = max(1, len(lines) // PIECES)
    for at in range(0, len(lines), size):
        send(cluster, topic, *lines[at:at + size])
        killing.perhaps()


def replay_dead_letters(cluster, killing):
    """`kontor dlq replay`, killed under way as well: what it has sent is not sent again."""
    arguments = ["dlq", "replay", "--index", cluster.directory / "index", "--source", "ERP9", "--user", "olga", "--reason", "permitted now", "--yes", "--format", "json"]
    for _ in range(3 if killing.chance else 0):
        process = spawn([cluster.binaries / "kontor", *arguments, "--rate", "500"], cwd=REPOSITORY, env={**os.environ, **cluster.environment},
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(killing.chance.uniform(0.1, 0.8))    # a moment at random
        process.kill()
        process.wait()
        killing.perhaps()
    cluster.kontor(*arguments)


def run(name, chance=None):
    with Cluster(FOLDER / name) as cluster:
        write_master(FOLDER / name / "small" / "master", company())
        prepare(cluster, FOLDER / name / "small", partitions=8)
        processors = {name: cluster.processor(f"kontor-{name}", properties=MDM) for name in PROCESSORS}
        for processor in processors.values():
            processor.start().wait_ready()
        killing = Killing(chance, processors)
        numbers = range(DOCUMENTS)
        in_pieces(cluster, "invoice.events", [line(invoice(number), number % 600) for number in numbers], killing)
        of_fate = Counter(number % 7 for number in numbers)
        held = of_fate[ONE] + of_fate[TWO] + of_fate[REFUSED] + of_fate[CORRECTED]
        wait_until(lambda: len(exceptions(cluster, "exceptions.held", "held")) == held and len(exceptions(cluster, "exceptions.rejected", "rejected")) == of_fate[REJECTED], 120,
                   "held and rejected", interval_s=0.5)
        shown = [*exceptions(cluster, "exceptions.held", "held").values(), *exceptions(cluster, "exceptions.rejected", "rejected").values()]
        shown.sort(key=lambda item: item["event_id"])
        in_pieces(cluster, "review.decisions", [text for item in shown for text in decisions_of(item)], killing)
        send(cluster, "master.suppliers", *[json.dumps(record(supplier=f"L{number}")) + "\n" for number in range(LATE)])
        send(cluster, "master.source-permissions", json.dumps(permission("ERP9", "invoice.events")) + "\n")
        killing.perhaps()
        wait_until(lambda: processors["invoice"].caught_up(), 60, "the permission is known")
        replay_dead_letters(cluster, killing)

        def corrections():
            return [item for identifier, item in exceptions(cluster, "exceptions.held", "held").items() if identifier.startswith("C")]
        wait_until(lambda: len(corrections()) == of_fate[CORRECTED] + of_fate[REJECTED], 120, "the corrected ones are held in their turn", interval_s=0.5)
        in_pieces(cluster, "review.decisions", [text for item in sorted(corrections(), key=lambda item: item["event_id"]) for text in decisions_of(item)], killing)
        for processor in processors.values():
            processor.wait_ready()
        await_caught_up(list(processors.values()))
        print(f"  {name}: {killing.kills} kills of processors", flush=True)
        return ends(cluster)


def ends(cluster):
    """What it came to: final outcomes, journals, what is on audit, documents; without places and times."""
    outcomes = {}
    for found in consume(cluster, "acknowledgments"):
        value = found["value"]
        if not value.get("later"):
            outcomes[value["event_id"]] = (value["outcome"], tuple(sorted(reason["code"] for reason in value["reasons"])))
    journals = Counter(json.dumps([found["value"][name] for name in ("idempotency_key", "posting_date", "lines")]) for found in consume(cluster, "posting.commands.tryton"))
    audit = Counter((entry["processor"], entry["action"], entry["outcome"], entry["by"], entry["document"], tuple(sorted(entry["decisions"])))
                    for entry in (found["value"] for found in consume(cluster, "audit")))
    documents = {found["key"]: (found["value"]["state"], tuple(sorted(journal["key"] for journal in found["value"]["journals"]))) for found in consume(cluster, "documents")}
    sent = Counter(found["value"]["event_id"] for found in consume(cluster, "invoice.events"))
    listed = {state: Counter(row["document"] for row in json.loads(cluster.kontor("exceptions", "list", "--format", "json", *options).stdout))
              for state, options in {"now": (), "corrected": ("--state", "corrected")}.items()}
    return {"outcomes": outcomes, "journals": journals, "audit": audit, "documents": documents, "events": sent, "listed": listed}


def check(result):
    """By the documents' numbers alone."""
    expected = {}
    for number in range(DOCUMENTS):
        fate, identifier = number % 7, f"{number:06}"
        expected[f"E{identifier}"] = {ONE: "accepted", TWO: "accepted", REFUSED: "rejected", CORRECTED: "rejected", WAITING: "accepted", REJECTED: "rejected", DEAD: "accepted"}[fate]
        if fate in (CORRECTED, REJECTED):
            expected[f"C{identifier}"] = "accepted"
    found = {identifier: outcome for identifier, (outcome, _) in result["outcomes"].items() if identifier[1:].isdigit()}
    wrong = [(identifier, expected.get(identifier), found.get(identifier)) for identifier in sorted({*expected, *found}) if expected.get(identifier) != found.get(identifier)]
    assert not wrong, f"{len(wrong)} end otherwise: {wrong[:5]}"
    posted = Counter(json.loads(text)[0].split("/")[1] for text in result["journals"].elements())
    assert posted == Counter(f"I{number}" for number in range(DOCUMENTS) if number % 7 != REFUSED), (posted - Counter()).most_common(3)
    assert all(count == 1 + (number % 7 == DEAD and identifier.startswith("E")) for identifier, count in result["events"].items() for number in [int(identifier[1:])]), "an event went out twice"
    of_fates = {fates: Counter(f"I{number}" for number in range(DOCUMENTS) if number % 7 in fates) for fates in ((REFUSED,), (CORRECTED, REJECTED))}
    assert result["listed"] == {"now": of_fates[REFUSED,], "corrected": of_fates[CORRECTED, REJECTED]}, "kontor exceptions list: what was corrected is no exception any more"


def main():
    chance = random.Random(seed())
    undisturbed = run("undisturbed")
    with test(f"{DOCUMENTS:,} exceptions: each document is what its people made of it, one journal each"):
        check(undisturbed)
    disturbed = run("killed", chance)
    with test("... with every process killed at random: the same outcomes, journals, audit and documents"):
        check(disturbed)
        for name, wanted in undisturbed.items():
            got = disturbed[name]
            different = [key for key in {*wanted, *got} if wanted.get(key) != got.get(key)]
            assert not different, f"{name}: {len(different)} differ, for example {[(key, wanted.get(key), got.get(key)) for key in sorted(different, key=str)[:3]]}"


main()
sys.exit(finish())
