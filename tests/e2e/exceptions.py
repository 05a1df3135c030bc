#!/usr/bin/env python3
"""kontor exceptions, dlq and replay against real processors: what is held, waits or is dead, decided, corrected, tried and replayed. Run by tests/suites/cli."""

import base64
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1] / "harness")]

from cluster import BIN, REPOSITORY, Cluster, finish, spawn, test, wait_until     # noqa: E402
from small import event, invoice, line, master, order, raw, receipt, write_master    # noqa: E402
from quiescence import await_caught_up     # noqa: E402
from world import consume      # noqa: E402

TASKS = 4
CAROL = ("--user", "carol", "--role", "ap-lead")


class World:
    def __init__(self, cluster):
        self.cluster = cluster
        cluster.kontor("topics", "apply", "--partitions", str(TASKS))
        cluster.kontor("schemas", "register")
        self.load(master())
        self.processors = [cluster.processor(name, properties={"tables.source": "MDM"}) for name in ("kontor-procurement", "kontor-invoice")]
        for processor in self.processors:
            processor.start()
        for processor in self.processors:
            processor.wait_ready()

    def load(self, tables):
        self.cluster.kontor("master", "load", write_master(self.cluster.directory / "master", tables))

    def run(self, *arguments, status=0, **options):
        result = self.cluster.kontor(*arguments, check=False, **options)
        assert status is None or result.returncode == status, f"exit {result.returncode}, expected {status}: kontor {' '.join(map(str, arguments))}\n{result.stderr}{result.stdout[-2000:]}"
        return result

    def json(self, *arguments, **options):
        return json.loads(self.run(*arguments, "--format", "json", **options).stdout)

    def send(self, topic, *lines, raw=False):
        self.cluster.kontor("produce", topic, *(["--raw"] if raw else []), input="".join(lines))

    def settled(self, count, what="acknowledgments", deadline_s=30):
        wait_until(lambda: len(consume(self.cluster, what)) >= count, deadline_s, f"{count} records on {what}")

    def exceptions(self, *arguments):
        return self.json("exceptions", "list", *arguments)


def consume_raw(world, topic):
    """Values as base64 or, where they are readable, as JSON."""
    return [json.loads(text) for text in world.cluster.kontor("consume", topic, check=False).stdout.splitlines()]


def outcomes(world, document):
    return [record["value"]["outcome"] for record in consume(world.cluster, "acknowledgments") if record["value"]["document"] == document]


def resolve(world, shown, action, by="carol"):
    """What kontor-reviewer would make of a decision."""
    record = next(r["value"] for topic in ("exceptions.held", "exceptions.parked") for r in reversed(consume(world.cluster, topic))
                  if r["value"]["origin"] == shown["origin"] and r["value"]["outcome"] != "released")
    world.send(f"resolutions.{record['processor']}", json.dumps({"key": f"{record['entity']}|{record['partner']}", "value": {
        "processor": record["processor"], "item": record["item"], "origin": record["origin"], "shown": record["shown"], "action": action, "by": by,
        "occurred_at": "2026-03-05T10:00:00Z"}}) + "\n")


def decisions(world):
    return [record["value"] for record in consume(world.cluster, "review.decisions")]


def audit(world, origin):
    return [(record["value"]["action"], record["value"]["outcome"], record["value"]["text"]) for record in consume(world.cluster, "audit") if record["value"]["origin"] == origin]


def prepare(world):
    world.send("procurement.events", line(order("PO1"), 0), line(order("PO2", supplier="S2", quantity="20", net="2000.00"), 0), line(receipt("R1", "PO1"), 5),
               line(receipt("R2", "PO2", quantity="20", supplier="S2"), 5))
    world.settled(4)
    world.send("invoice.events",
               line(invoice("I1", "PO1", net="1500.00", tax="285.00", total="1785.00", correlation_id="run-7/1"), 10),        # price: held
               line(invoice("I2", "PO9", correlation_id="run-7/2"), 11),                                                      # order unknown: waits
               line(invoice("I3", "PO2", supplier="S2", net="1000.00", tax="100.00", total="1100.00", document_date="2026-02-27"), 12),   # tax wrong: rejected
               line(invoice("I4", "PO2", supplier="S2", net="1000.00", tax="190.00", total="1191.00"), 13),                   # total: rejected
               line(invoice("I5", "PO2", supplier="S3"), 14))                                                                 # supplier unknown: waits
    world.settled(9)


def listing(world):
    with test("exceptions list: state, amount, reasons, what is waited for"):
        rows = {row["document"]: row for row in world.exceptions()}
        assert set(rows) == {"I1", "I2", "I3", "I4", "I5"}
        assert (rows["I1"]["state"], rows["I1"]["reasons"], rows["I1"]["amount"]) == ("held", "PRICE_TOLERANCE", "1785.00")
        assert (rows["I2"]["state"], rows["I2"]["reasons"], rows["I2"]["waits_for"]) == ("waiting", "ORDER_UNKNOWN", "orders ACME|PO9|1")
        assert rows["I5"]["waits_for"].startswith("suppliers S3")
        assert (rows["I3"]["state"], rows["I3"]["reasons"]) == ("rejected", "TAX_AMOUNT_WRONG") and rows["I4"]["reasons"] == "TOTAL_MISMATCH"
        assert re.fullmatch(r"invoice/\d+/\d+", rows["I1"]["id"])
    with test("exceptions list: every filter"):
        def documents(*filters):
            return sorted(row["document"] for row in world.exceptions(*filters))
        for filters, expected in {
                ("--state", "held"): "I1", ("--state", "open"): "I1 I2 I5", ("--state", "rejected"): "I3 I4", ("--entity", "ACME"): "I1 I2 I3 I4 I5", ("--entity", "BETA"): "",
                ("--supplier", "S2"): "I3 I4", ("--partner", "S3"): "I5", ("--reason", "TOTAL_MISMATCH"): "I4", ("--code", "ORDER_UNKNOWN"): "I2 I5", ("--amount-from", "1191"): "I1 I4",
                ("--amount-from", "1100", "--amount-to", "1190.00"): "I2 I3 I5", ("--older", "1d"): "", ("--newer", "1d"): "I1 I2 I3 I4 I5", ("--batch", "run-7"): "I1 I2",
                ("--batch", "ru"): "", ("--period", "2026-02"): "I3", ("--period", "2026"): "I1 I2 I3 I4 I5", ("--source", "ERP1"): "I1 I2 I3 I4 I5", ("--source", "OTHER"): "",
                ("--correlation-id", "run-7/2"): "I2", ("--document", "I4"): "I4", ("--kind", "cancelled"): "", ("--processor", "procurement"): ""}.items():
            assert documents(*filters) == expected.split(), (filters, documents(*filters))
        assert [row["document"] for row in world.exceptions("--sort", "amount", "--limit", "2")] == ["I1", "I4"]
    with test("exceptions show: reasons with what to do, the event, the next step; by id, origin, document, event id"):
        shown = world.json("exceptions", "show", "I1")[0]
        assert shown["event"]["lines"][0]["net"] == "1500.0000" and shown["reasons"][0]["approvable"] and shown["reasons"][0]["what_to_do"] and shown["origin"].startswith("invoice.events/")
        for name in (shown["id"], shown["origin"], shown["event_id"]):
            assert world.json("exceptions", "show", name)[0]["document"] == "I1"
        text = world.run("exceptions", "show", shown["id"]).stdout
        for part in ("PRICE_TOLERANCE", "a person may approve of it", f"kontor exceptions approve {shown['id']}", '"net": "1500.0000"'):
            assert part in text, text
        assert "kontor trace" in world.run("exceptions", "show", "NONE", status=1).stderr
    with test("asked wrongly: exit status 2 and what to do"):
        for arguments, part in ((("approve", "I1"), "--user"), (("approve", *CAROL), "--reason"), (("approve", *CAROL, "--reason", "x"), "--all"),
                                (("ask", "I1", *CAROL, "--reason", "x"), "--to"), (("list", "--code", "PRICE_TOLERENCE"), "PRICE_TOLERANCE"), (("correct", "I1"), "FIELD=VALUE"),
                                (("list", "--older", "soon"), "3d"), (("list", "--amount-from", "1,5"), "1234.50"), (("aprove", "I1"), "approve")):
            assert part in world.run("exceptions", *arguments, status=2).stderr, arguments


def deciding(world):
    shown = world.json("exceptions", "show", "I1")[0]
    with test("approve --dry-run: decided in memory as the processor stands, nothing is sent"):
        tried = world.json("exceptions", "approve", "I1", "--dry-run")
        assert [(row["document"], row["would_be"], row["journals"]) for row in tried] == [("I1", "accepted", 1)], tried
        assert "PRICE_TOLERANCE" in tried[0]["reasons_then"] and "approved by" in tried[0]["reasons_then"]
        assert decisions(world) == []
    with test("retry --dry-run over a filter: today's master data decide"):
        tried = {row["document"]: row["would_be"] for row in world.json("exceptions", "retry", "--state", "all", "--entity", "ACME", "--dry-run")}
        assert tried == {"I1": "still held", "I2": "waits", "I3": "rejected", "I4": "rejected", "I5": "waits"}, tried
        world.cluster.kontor("master", "load", write_master(world.cluster.directory / "rate", {"tax-codes": [{"entity": "ACME", "tax_code": "V19", "rate": "10", "valid_from": "1990-01-01", "status": "active", "source": "MDM"}]}))
        tried = {row["document"]: row["would_be"] for row in world.json("exceptions", "retry", "--state", "rejected", "--supplier", "S2", "--dry-run")}
        assert tried == {"I3": "accepted", "I4": "rejected"}, tried
        world.load(master())
    with test("approve: one decision, however often it is said; show and list tell it"):
        for turn in range(2):
            rows = world.json("exceptions", "approve", shown["id"], *CAROL, "--reason", "agreed by phone")
            assert rows[0]["decision"] == ("none" if turn else "approve") and ("already" in rows[0]["note"]) == bool(turn), rows
        found = decisions(world)
        assert len(found) == 1
        for name, value in {"action": "approve", "entity": "ACME", "partner": "S1", "processor": "invoice", "origin": shown["origin"], "item": shown["item"], "user": "carol", "role": "ap-lead",
                            "reason": "agreed by phone", "source": "kontor-cli", "document": "I1"}.items():
            assert found[0][name] == value, (name, found[0])
        assert [record["key"] for record in consume(world.cluster, "review.decisions")] == ["ACME|S1"]
        record = next(r["value"] for r in consume(world.cluster, "exceptions.held") if r["value"]["origin"] == shown["origin"])
        assert found[0]["shown"] == record["shown"] and found[0]["shown_at"] > "2026"
        assert any(entry["what"] == "approve" and entry["by"] == "carol" for entry in world.json("exceptions", "show", "I1")[0]["history"])
    with test("the outcome is what the dry run said"):
        resolve(world, shown, "approve")
        wait_until(lambda: outcomes(world, "I1")[-1] == "accepted", 20, "I1 accepted")
        assert "I1" not in [row["document"] for row in world.exceptions()]
        after = world.json("exceptions", "show", shown["id"])[0]
        assert after["state"] == "released" and any(entry["what"] == "approve" and entry["outcome"] == "done" for entry in after["history"]), after["history"]
    with test("nobody can approve of what waits; many are shown first and need --yes"):
        assert "nothing was decided" in world.run("exceptions", "approve", "I2", *CAROL, "--reason", "x", status=1).stderr
        result = world.run("exceptions", "reassign", "--entity", "ACME", "--to", "dora", *CAROL, "--reason", "her supplier", status=1)
        assert "--yes" in result.stderr and "I2" in result.stderr and len(decisions(world)) == 1
        rows = world.json("exceptions", "reassign", "--entity", "ACME", "--to", "dora", *CAROL, "--reason", "her supplier", "--yes", "--rate", "1000")
        assert sorted(row["document"] for row in rows) == ["I2", "I5"] and [value["assignee"] for value in decisions(world) if value["action"] == "reassign"] == ["dora", "dora"]
        assert {row["document"]: row["to_decide"] for row in world.exceptions("--state", "open")} == {"I2": "dora", "I5": "dora"}
    with test("retry: counted when it was made; what fails the same way three times is left alone"):
        waiting = world.json("exceptions", "show", "I2")[0]
        for turn in range(3):
            assert world.json("exceptions", "retry", "I2", *CAROL, "--reason", "again")[0]["decision"] == "retry"
            assert world.json("exceptions", "retry", "I2", *CAROL, "--reason", "again")[0]["decision"] == "none"      # on its way
            resolve(world, waiting, "retry")
            wait_until(lambda: len([entry for entry in audit(world, waiting["origin"]) if entry[0] == "retry"]) > turn, 20, "the retry")
        result = world.run("exceptions", "retry", "I2", *CAROL, "--reason", "again", status=1)
        assert "REPLAY_LOOP" in result.stdout
        assert len({value["event_id"] for value in decisions(world) if value["action"] == "retry"}) == 3


def correcting(world):
    shown = world.json("exceptions", "show", "I3")[0]
    with test("correct --dry-run: the difference, and what would become of it"):
        tried = world.json("exceptions", "correct", "I3", "lines[0].tax=190.00", "total=1190", "--dry-run")
        assert tried["difference"] == {"lines[0].tax": ["100.0000", "190.0000"], "total": ["1100.0000", "1190.0000"]} and not tried["sent"]
        assert (tried["would_be"], tried["journals"], tried["event_id"]) == ("accepted", 1, shown["event_id"] + "~c1"), tried
        assert world.json("exceptions", "correct", "I3", "total=1190", "--dry-run")["would_be"] == "rejected"
        assert world.json("exceptions", "correct", "I5", "supplier=S2", "--dry-run")["would_be"] == "accepted"     # another key, another partition
    with test("correct: what is no field, no value, no difference"):
        for field, part in (("lines[0].tax_cod=V19", "tax_code"), ("lines[3].net=1", "there are 1 items"), ("total=much", "total"), ("totl=1", "total"), ("event_id=x", "~c1"),
                            ("total=1100.00", "nothing differs"), ("total.net=1", "no parts"), ("document_date=2026-02-30", "document_date"), ("kind=recieved", "received")):
            assert part in world.run("exceptions", "correct", "I3", field, "--dry-run", status=1).stderr, field
        assert not [value for value in decisions(world) if value["action"] == "correct"]
    with test("correct: a decision with the event's bytes; said again it is the same, said otherwise the next"):
        for fields in (("lines[0].tax=190.00", "total=1190.00"), ("total=1190.00", "lines[0].tax=190.00"), ("lines[0].tax=190.00", "total=1190.00", "text=as agreed")):
            world.run("exceptions", "correct", shown["id"], *fields, *CAROL, "--reason", "typed wrongly")
        found = [value for value in decisions(world) if value["action"] == "correct"]
        assert [value["corrected_event_id"] for value in found] == [shown["event_id"] + suffix for suffix in ("~c1", "~c2")], found
        assert found[0]["event_id"] != found[1]["event_id"] and found[0]["topic"] == "invoice.events"
        assert json.loads(found[0]["difference"]) == {"lines[0].tax": ["100.0000", "190.0000"], "total": ["1100.0000", "1190.0000"]}
    with test("the corrected event is what was tried: it is accepted, and the old one stays as it was"):
        before = consume(world.cluster, "invoice.events")
        world.send("invoice.events", raw(base64.b64decode(found[0]["value"]), "ACME|S2", 30), raw=True)
        wait_until(lambda: outcomes(world, "I3")[-1] == "accepted", 20, "I3 accepted")
        after = consume(world.cluster, "invoice.events")
        new = [record for record in after if record["value"]["event_id"] == shown["event_id"] + "~c1"]
        assert [record for record in after if record not in new] == before
        assert len(new) == 1 and new[0]["value"] == {**shown["event"], "event_id": shown["event_id"] + "~c1", "total": "1190.0000", "lines": [{**shown["event"]["lines"][0], "tax": "190.0000"}]}


def dlq_ids(world, *filters):
    return {row["id"]: row for row in world.json("dlq", "list", "--index", world.index, *filters)}


def dead_letters(world):
    world.index = world.cluster.directory / "index"
    foreign = [event("received", f"D{i}", supplier="S1", source="ERP9", total="1.00") for i in range(6)]
    world.send("invoice.events", *(line(value, 60 + i, headers={"trace": f"t{i}"}) for i, value in enumerate(foreign)))
    world.send("invoice.events", raw(b"\x07nonsense", "ACME|S1", 70), raw(b"more nonsense", "BETA|S9", 71), raw=True)
    wait_until(lambda: len(consume_raw(world, "dlq.invoice.events")) == 8, 30, "eight dead letters")
    with test("dlq list: reason, entity, source, key, text, in an index that goes forward"):
        rows = dlq_ids(world)
        assert len(rows) == 8 and {row["state"] for row in rows.values()} == {"open"} and {row["replays"] for row in rows.values()} == {0}
        assert sorted(row["reason"] for row in rows.values()) == ["DECODE_FAILED"] * 2 + ["SOURCE_NOT_AUTHORISED"] * 6
        for filters, count in {("--code", "DECODE_FAILED"): 2, ("--reason", "DECODE_FAILED"): 2, ("--entity", "BETA"): 1, ("--source", "ERP9"): 6, ("--key", "ACME|S1"): 7, ("--text", "wire format"): 2,
                               ("--topic", "invoice.events"): 8, ("--topic", "dlq.invoice.events"): 8, ("--topic", "payment.events"): 0, ("--older", "1d"): 0, ("--newer", "1d"): 8,
                               ("--replays", "1"): 0, ("--state", "replayed"): 0, ("--state", "open", "--source", "ERP9"): 6, ("--limit", "3"): 3}.items():
            assert len(dlq_ids(world, *filters)) == count, filters
        assert "replays" in world.run("dlq", "list", "--index", world.index).stdout
    with test("dlq show: what came, what we know, what to do"):
        name, row = next(item for item in rows.items() if item[1]["source"] == "ERP9")
        shown = world.json("dlq", "show", name)
        assert shown["value"]["source"] == "ERP9" and shown["headers"]["trace"].startswith("t") and shown["kontor"]["kontor-topic"] == "invoice.events" and shown["what_to_do"]
        assert "add the permission" in world.run("dlq", "show", name).stdout
        nonsense = next(name for name, row in rows.items() if row["entity"] == "BETA")
        assert world.json("dlq", "show", nonsense)["value"] == "more nonsense"
        assert "dlq list" in world.run("dlq", "show", "dlq.invoice.events/0/999", status=1).stderr
    with test("dlq replay --dry-run: by today's master data"):
        tried = world.json("dlq", "replay", "--index", world.index, "--source", "ERP9", "--dry-run")
        assert [row["would_be"] for row in tried] == ["poison"] * 6 and tried[0]["reasons"].startswith("SOURCE_NOT_AUTHORISED: ERP9"), tried
        permissions = master()["source-permissions"]
        world.load(master(source_permissions=permissions + [{**permissions[1], "source_system": "ERP9"}]))
        tried = world.json("dlq", "replay", "--index", world.index, "--all", "--dry-run")
        assert sorted(row["would_be"] for row in tried) == ["accepted"] * 6 + ["poison"] * 2, tried
        assert len(consume_raw(world, "dlq.invoice.events")) == 8
    with test("dlq replay: many need --yes; in order, with the headers they came with; audit has each; once"):
        arguments = ("dlq", "replay", "--index", world.index, "--source", "ERP9", "--user", "olga", "--reason", "permission added")
        assert "--yes" in world.run(*arguments, status=1).stderr
        for turn in range(2):
            result = world.json(*arguments, "--yes")[0]
            assert (result["replayed"], result["replayed_before"]) == ((0, 6) if turn else (6, 0)), result
        again = [record for record in consume_raw(world, "invoice.events") if "kontor-replay-of" in (record.get("headers") or {})]
        assert [record["headers"]["trace"] for record in again] == [f"t{i}" for i in range(6)]
        assert all(set(record["headers"]) == {"trace", "kontor-replay-of", "kontor-replays", "kontor-replay-reason", "kontor-replay-repeats"} for record in again)
        assert {record["headers"]["kontor-replays"] for record in again} == {"1"} and {record["key"] for record in again} == {"ACME|S1"}
        first = [record for record in consume_raw(world, "invoice.events") if record["headers"] and record["headers"].get("trace") and record not in again]
        assert [record["value"] for record in first] == [record["value"] for record in again] and [r["timestamp"] for r in first] == [r["timestamp"] for r in again]
        entries = [record["value"] for record in consume(world.cluster, "audit") if record["value"]["action"] == "replay"]
        assert sorted(entry["origin"] for entry in entries) == sorted(record["headers"]["kontor-replay-of"] for record in again) and {entry["by"] for entry in entries} == {"olga"}
    with test("a replay of what was accepted meanwhile is a duplicate; show says what became of each"):
        wait_until(lambda: len(outcomes(world, "D5")) == 1, 20, "D5 decided")
        assert [outcomes(world, f"D{i}") for i in range(6)] == [["accepted"]] * 6
        world.send("invoice.events", line({**foreign[0], "supplier": "S1"}, 80))
        wait_until(lambda: len(outcomes(world, "D0")) == 2, 20, "D0 again")
        assert outcomes(world, "D0") == ["accepted", "duplicate"]
        shown = world.json("dlq", "show", again[0]["headers"]["kontor-replay-of"])
        assert shown["replays"][0]["by"] == "olga" and shown["came_back_as"][0]["outcome"] == "accepted"
        assert len(dlq_ids(world, "--state", "replayed")) == 6
    with test("what dies for the same reason again and again is left alone: REPLAY_LOOP"):
        arguments = ("dlq", "replay", "--index", world.index, "--entity", "BETA", "--user", "olga", "--reason", "try")
        for turn in range(1, 4):
            assert world.json(*arguments)[0]["replayed"] == 1
            wait_until(lambda: len(dlq_ids(world, "--entity", "BETA")) == turn + 1, 20, "dead again")
        result = world.json(*arguments)[0]
        assert (result["replayed"], result["left_as_REPLAY_LOOP"]) == (0, 1), result
        looping = [row for row in dlq_ids(world, "--entity", "BETA").values() if row["state"] == "REPLAY_LOOP"]
        assert len(looping) == 1 and looping[0]["replays"] == 3 and list(dlq_ids(world, "--state", "loop")) == [looping[0]["id"]]
        assert world.json(*arguments, "--attempts", "4")[0]["replayed"] == 1
    with test("a replay that is killed goes on where it was: each once, in order of its key"):
        count, keys = 1500, 7
        world.send("dlq.payment.events", *(raw(b"dead", f"GAMMA|S{i % keys}", headers={"n": str(i), "kontor-reason": "SCHEMA_UNKNOWN", "kontor-text": "late schema", "kontor-topic": "payment.events",
                                                                                     "kontor-timestamp": str(1772445600000 + i)}) for i in range(count)), raw=True)
        def back():
            found = {}
            for record in (json.loads(text) for text in world.cluster.kontor("consume", "payment.events", "--raw").stdout.splitlines()):
                if record["key"].startswith("GAMMA|"):
                    found.setdefault(record["key"], []).append(int(record["headers"]["n"]))
            return found
        command = ("dlq", "replay", "--index", world.index, "--text", "late", "--user", "olga", "--reason", "schema registered", "--yes", "--format", "json")
        process = spawn([world.cluster.binaries / "kontor", *command, "--rate", "400"], cwd=REPOSITORY, env={**os.environ, **world.cluster.environment}, stdout=subprocess.DEVNULL)
        wait_until(lambda: back(), 30, "the first transaction")
        process.kill()
        process.wait()
        before = sum(map(len, back().values()))
        assert 0 < before < count, before
        result = json.loads(world.run(*command).stdout)[0]
        assert result["replayed"] + result["replayed_before"] == count and result["replayed_before"] >= before, result
        assert back() == {f"GAMMA|S{k}": list(range(k, count, keys)) for k in range(keys)}
    with test("an index that is gone, damaged or of before the topic was made anew is made again"):
        before = dlq_ids(world)
        for name in ("entries", "strings", "state"):
            path = next(world.index.glob(f"*/{name}"))
            path.write_bytes(path.read_bytes()[:20])
            assert dlq_ids(world) == before, name
        subprocess.run(["rm", "-rf", world.index], check=True)
        assert dlq_ids(world) == before


def compared(answers):
    """By topic: same, other, only on the topic, only in the replay, over all processors."""
    sums = {}
    for answer in answers:
        for topic in answer["topics"]:
            counts = [topic[name] for name in ("same", "other", "only_on_topic", "only_in_replay")]
            sums[topic["topic"]] = [a + b for a, b in zip(sums.get(topic["topic"], [0] * 4), counts)]
    return sums


def delete_before(world, topic, offset):
    """What compaction would leave of a table's topic."""
    tool, file = world.cluster.kafka_tool, world.cluster.directory / "delete.json"
    tool("kafka.admin.ConfigCommand", "--alter", "--entity-type", "topics", "--entity-name", topic, "--add-config", "cleanup.policy=[compact,delete]")
    file.write_text(json.dumps({"version": 1, "partitions": [{"topic": topic, "partition": 0, "offset": offset}]}))
    tool("org.apache.kafka.tools.DeleteRecordsCommand", "--offset-json-file", file)


def replaying(world):
    await_caught_up([world.processors[1]])
    first = consume(world.cluster, "master.code-mappings")[0]["offset"]
    with test("master.log has every version of every table, in order, with its offset"):
        for table in ("code-mappings", "tax-codes", "source-permissions"):
            logged = [record for record in consume(world.cluster, "master.log") if record["key"].startswith(table + "|")]
            there = consume(world.cluster, f"master.{table}")
            assert [(record["key"], int(record["headers"]["kontor-offset"]), record["value"]) for record in logged] == [(f"{table}|{r['key']}", r["offset"], r["value"]) for r in there]
        assert {float(record["value"]["rate"]) for record in consume(world.cluster, "master.log") if record["key"].startswith("tax-codes")} == {19, 10}
    with test("replay --dry-run: the same bytes, over decisions, retries, dead letters and master data that changed meanwhile"):
        sums = compared(world.json("replay", "--dry-run"))
        for topic in ("acknowledgments", "posting.commands.tryton", "payables", "commitments", "exceptions.held", "exceptions.parked", "exceptions.rejected", "document.steps", "dlq.invoice.events"):    # payment.events: read by nobody here
            assert sums[topic] == [len([r for r in consume_raw(world, topic)]), 0, 0, 0], (topic, sums)
        assert sums["audit"][0] == len([r for r in consume(world.cluster, "audit") if r["value"]["processor"] in ("invoice", "procurement")]) and sums["audit"][1:] == [0, 0, 0]
        result = world.run("replay", "--dry-run")
        assert "same bytes" in result.stdout and "kontor-payment has not decided 1,500 events" in result.stderr
    with test("replay of a time range, of one processor"):
        answers = world.json("replay", "--processor", "invoice", "--from", "2026-03-02T10:10:00Z", "--to", "2026-03-02T10:13:00Z", "--dry-run")
        assert [(answer["processor"], answer["events"]) for answer in answers] == [("invoice", 3)]
        assert compared(answers)["exceptions.rejected"] == [1, 0, 0, 0]    # I3; of I4, which came a minute later, nothing
    mapping = {**master()["code-mappings"][0], "target": "179000"}
    world.load({"code-mappings": [mapping]})
    now = consume(world.cluster, "master.code-mappings")[-1]["offset"]
    receipts = [record["value"] for record in consume(world.cluster, "posting.commands.tryton") if record["value"]["step"] == "goods_receipt"]
    with test("--tables now: each difference names the master record that has been superseded"):
        result = world.run("replay", "--processor", "procurement", "--tables", "now", "--dry-run", "--format", "json", status=1)
        answer = json.loads(result.stdout)[0]
        assert answer["difference_count"] == 2 and {d["document"] for d in answer["differences"]} == {"R1", "R2"}, answer["differences"]
        for difference in answer["differences"]:
            assert difference["superseded"] == f"code-mappings purchase-account|*|1990-01-01 at offset {first}, superseded by offset {now}", difference
            assert difference["difference"] == "other bytes" and ["400000", "179000"] in difference["fields"].values()
        assert "2 records differ, each for a master record that has been superseded" in result.stderr
    with test("the table's topic is compacted: master.log still has what was used, the bytes are the same"):
        delete_before(world, "master.code-mappings", now)
        assert [record["offset"] for record in consume(world.cluster, "master.code-mappings")] == [now]
        assert compared(world.json("replay", "--dry-run"))["posting.commands.tryton"][1:] == [0, 0, 0]
    with test("--to-prefix: the same bytes in topics of their own, which must be empty"):
        rows = {row["topic"]: row["records"] for row in world.json("replay", "--processor", "procurement", "--to-prefix", "rebuild.")}
        assert rows["rebuild.posting.commands.tryton"] == 2 and rows["rebuild.commitments"] == len(consume(world.cluster, "commitments"))
        def plain(topic):
            return sorted((r["key"], r["value"]) for r in (json.loads(text) for text in world.cluster.kontor("consume", topic, "--raw").stdout.splitlines()))
        assert plain("rebuild.commitments") == plain("commitments")
        assert [value for value in plain("rebuild.posting.commands.tryton") if value not in plain("posting.commands.tryton")] == []
        assert "not empty" in world.run("replay", "--processor", "procurement", "--to-prefix", "rebuild.", status=1).stderr
    with test("what was used is gone from the log as well: the difference names it all the same"):
        delete_before(world, "master.log", consume(world.cluster, "master.log")[-1]["offset"])
        result = world.run("replay", "--processor", "procurement", "--dry-run", "--format", "json", status=1)
        differences = [d for d in json.loads(result.stdout)[0]["differences"] if d["topic"] == "posting.commands.tryton"]
        assert {d["superseded"] for d in differences} == {f"code-mappings purchase-account|*|1990-01-01: what was at offset {first} is gone, superseded by offset {now}"}, differences
        assert len(receipts) == 2
    with test("replay asked wrongly: exit status 2 and what to do"):
        for arguments, part in ((("--from", "2026-01-01"), "--dry-run"), (("--dry-run", "--to-prefix", "x."), "--to-prefix"), (("--dry-run", "--processor", "invoce"), "invoice"),
                                (("--to-prefix", ""), "empty"), (("--dry-run", "--tables", "later"), "then")):
            assert part in world.run("replay", *arguments, status=2).stderr, arguments


def main():
    binaries = Path(os.environ.get("BINARIES", BIN))
    os.environ["KONTOR_TABLES_SOURCE"] = "MDM"
    with Cluster(REPOSITORY / "build" / "tests" / "exceptions", binaries=binaries) as cluster:
        world = World(cluster)
        prepare(world)
        for part in (listing, deciding, correcting, dead_letters, replaying):
            try:
                part(world)
            except Exception as error:     # what a part prepares for its tests
                with test(f"{part.__name__} can go on"):
                    raise error
    return finish()


if __name__ == "__main__":
    sys.exit(main())
