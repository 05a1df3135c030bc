"""What is not as it should be: each record ends with the right outcome and reason, the processors go on, the bytes are kept."""

import base64
import json
import shutil
import struct
import subprocess
import sys
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from small import invoice, line, order, raw, receipt  # noqa: E402
from world import REPOSITORY, consume  # noqa: E402
from quiescence import await_caught_up  # noqa: E402
from cluster import finish, http_get, test, wait_until  # noqa: E402
from asking import MDM, company, outcome_of, reasons, send  # noqa: E402
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "chaos"))
from network import RegistryProxy  # noqa: E402

FOLDER = REPOSITORY / "build" / "tests" / "bad-input"


def dead_letters(cluster, topic, count):
    return wait_until(lambda: (lambda found: found if len(found) >= count else None)(consume(cluster, f"dlq.{topic}")), 30, f"{count} dead letters", interval_s=0.2)


def unreadable(cluster, processors):
    schema_id = json.loads(http_get(f"{cluster.registry_url}/subjects/invoice.events-value/versions/latest")[1])["id"]
    good = invoice("I1", "PO1")
    send(cluster, "invoice.events", line(good, 5))
    stored = next(record for record in consume(cluster, "invoice.events", "--raw") if record["key"] == "ACME|S1")
    value = base64.b64decode(stored["value"])
    cases = [("not Avro", b"{\"this\": \"is JSON\"}", "DECODE_FAILED"), ("unknown schema id", b"\0" + struct.pack(">I", 987654) + value[5:], "SCHEMA_UNKNOWN"),
             ("bytes behind the record", value + b"x", "DECODE_FAILED"), ("empty", b"", "DECODE_FAILED")]
    cases += [(f"cut at {length}", value[:length], "DECODE_FAILED") for length in range(1, len(value))]
    send(cluster, "invoice.events", *[raw(data, "ACME|S1", 6, {"number": str(i)}) for i, (_, data, _) in enumerate(cases)], options=["--raw"])
    with test(f"unreadable bytes, cut at each of {len(value)} places: DLQ, bytes and headers as they came"):
        found = {letter["headers"]["number"]: letter for letter in dead_letters(cluster, "invoice.events", len(cases))}
        for i, (name, data, reason) in enumerate(cases):
            letter = found[str(i)]
            assert letter["headers"]["kontor-reason"] == reason, (name, letter["headers"])
            assert letter["key"] == "ACME|S1"
        bare = {letter["headers"]["number"]: letter for letter in consume(cluster, "dlq.invoice.events", "--raw")}
        for i, (name, data, _) in enumerate(cases):
            assert base64.b64decode(bare[str(i)]["value"] or "") == data, name
        headers = found["0"]["headers"]
        assert headers["kontor-topic"] == "invoice.events" and headers["kontor-processor"] == "invoice", headers
        for name in ("kontor-text", "kontor-version", "kontor-partition", "kontor-offset", "kontor-timestamp", "kontor-time"):
            assert headers.get(name), (name, headers)
    with test("the processor goes on behind them"):
        after = order("PO-after")
        send(cluster, "procurement.events", line(after, 7))
        assert outcome_of(cluster, after)["outcome"] == "accepted"
        assert all(processor.alive() for processor in processors)


def unknown_schema(number):
    return raw(b"\0" + struct.pack(">I", 987000 + number) + b"whatever", "ACME|S1", 35, {"number": f"unknown {number}"})


def await_letter(cluster, number):
    def found():
        return [letter for letter in consume(cluster, "dlq.invoice.events", "--raw") if letter["headers"].get("number") == f"unknown {number}"]
    letters = wait_until(found, 30, f"unknown {number} in the DLQ", interval_s=0.2)
    assert [letter["headers"]["kontor-reason"] for letter in letters] == ["SCHEMA_UNKNOWN"], letters


def unknown_schema_first(cluster, processors):
    processor = processors[1]
    await_caught_up(processors)
    processor.stop()
    send(cluster, "invoice.events", unknown_schema(1), options=["--raw"])
    processor.start()
    with test("an unknown schema id as the first record after a restart: DLQ, for the registry knows our own schemas"):
        await_letter(cluster, 1)
    with test("... and the process goes on behind it"):
        after = invoice("I-after", "PO-after")
        send(cluster, "invoice.events", line(after, 36))
        outcome_of(cluster, after)
        processor.wait_ready()


def empty_registry(cluster, processors):
    """The registry has lost its memory: it knows no id any more, ours neither."""
    processor, memory = processors[1], cluster.directory / "registry"
    await_caught_up(processors)
    processor.stop()
    cluster.registry.kill()
    memory.rename(memory.with_name("registry-put-away"))
    cluster.registry.start().wait_ready()
    send(cluster, "invoice.events", unknown_schema(2), options=["--raw"])
    processor.start()
    with test("an empty registry: an unknown schema id waits and says why, nothing goes to the DLQ"):
        wait_until(lambda: "not an empty one" in processor.http("/readyz")[1], 30, "the processor says why it waits")
        assert not [letter for letter in consume(cluster, "dlq.invoice.events", "--raw") if letter["headers"].get("number") == "unknown 2"]
    cluster.registry.kill()
    shutil.rmtree(memory)
    memory.with_name("registry-put-away").rename(memory)
    cluster.registry.start().wait_ready()
    with test("the registry has its memory back: the unknown one goes to the DLQ"):
        await_letter(cluster, 2)
        processor.wait_ready()


def misplaced(cluster):
    wrong_key, wrong_partition, stranger = order("PO2"), order("PO3", supplier="S2"), order("PO4")
    stranger["source"] = "SHADOW-IT"
    before = len(consume(cluster, "dlq.procurement.events"))
    send(cluster, "procurement.events", line(wrong_key, 8, key="ACME|S2"), line(stranger, 8))
    place = next(record["partition"] for record in consume(cluster, "procurement.events") if record["value"]["event_id"] == wrong_key["event_id"])
    send(cluster, "procurement.events", line(wrong_partition, 8), options=["--partition", str((place + 1) % 4)])
    with test("wrong key, wrong partition, unauthorised source: DLQ with that reason"):
        found = {letter["value"]["event_id"]: letter["headers"]["kontor-reason"] for letter in dead_letters(cluster, "procurement.events", before + 3)}
        assert found[wrong_key["event_id"]] == "KEY_MISMATCH", found
        assert found[stranger["event_id"]] == "SOURCE_NOT_AUTHORISED", found
        assert found[wrong_partition["event_id"]] == "WRONG_PARTITION", found


def refused(cluster):
    base = order("PO5")
    received = receipt("GR5", "PO5")
    send(cluster, "procurement.events", line(base, 10), line(received, 11), line(base, 12))
    first = invoice("I5", "PO5")
    again = dict(invoice("I5b", "PO5"), number="n--i5")
    overflow = invoice("I6", "PO5", net="99999999999999.00", tax="0", total="99999999999999.00")
    digits = invoice("I7", "PO5", net="1000.005", tax="190.00", total="1190.005")
    tax = invoice("I8", "PO5", tax="100.00", total="1100.00")
    unknown = invoice("I9", "PO-none")
    send(cluster, "invoice.events", *[line(value, 13 + i) for i, value in enumerate([first, again, overflow, digits, tax, unknown])])
    expected = [(first, "accepted", None), (again, "rejected", "DUPLICATE_DOCUMENT"), (overflow, "rejected", "AMOUNT_OVERFLOW"), (digits, "rejected", "CURRENCY_PRECISION"),
                (tax, "rejected", "TAX_AMOUNT_WRONG"), (unknown, "parked", "ORDER_UNKNOWN")]
    for value, outcome, reason in expected:
        with test(f"{value['document']}: {outcome} {reason or ''}".rstrip()):
            found = outcome_of(cluster, value)
            assert found["outcome"] == outcome and (reason is None or reason in reasons(found)), found
    with test("a repeated event id is a duplicate"):
        def repeated():
            found = [record["value"]["outcome"] for record in consume(cluster, "acknowledgments") if record["value"]["event_id"] == base["event_id"]]
            return found if len(found) == 2 else None
        assert wait_until(repeated, 20, "both acknowledgments", interval_s=0.2) == ["accepted", "duplicate"]


def incompatible_writer(cluster):
    other = json.loads(http_get(f"{cluster.registry_url}/subjects/commitments-value/versions/latest")[1])["id"]
    before = len(consume(cluster, "dlq.invoice.events"))
    send(cluster, "invoice.events", raw(b"\0" + struct.pack(">I", other) + b"whatever", "ACME|S1", 30), options=["--raw"])
    with test("a writer whose schema cannot be read as ours: DLQ, saying which field"):
        letter = dead_letters(cluster, "invoice.events", before + 1)[-1]
        assert letter["headers"]["kontor-reason"] == "DECODE_FAILED" and "InvoiceEvent" in letter["headers"]["kontor-text"], letter["headers"]


def new_schema_while_registry_is_down(cluster, processors):
    """A writer with a newer schema, whose id nobody has asked for yet: nothing goes to the DLQ for want of the registry."""
    schema = json.loads((REPOSITORY / "schemas" / "procurement-event.avsc").read_text())
    schema["fields"].insert(0, {"name": "added_by_the_writer", "type": "string", "default": "x"})
    schema_id = register(cluster, "writers-of-tests", schema)
    known = json.loads(http_get(f"{cluster.registry_url}/subjects/procurement.events-value/versions/latest")[1])["id"]
    value = order("PO-new-schema", supplier="S2")
    send(cluster, "procurement.events", line(value, 41))
    outcome_of(cluster, value)
    place = next((record["partition"], record["offset"]) for record in consume(cluster, "procurement.events")
                 if isinstance(record["value"], dict) and record["value"]["event_id"] == value["event_id"])
    stored = next(base64.b64decode(record["value"]) for record in consume(cluster, "procurement.events", "--raw") if (record["partition"], record["offset"]) == place)
    assert stored[1:5] == struct.pack(">I", known)
    before = len(consume(cluster, "dlq.procurement.events"))
    cluster.registry.kill()
    # The same order by the newer writer (its own field first) and, as another event id would be, behind the first: a duplicate when it can be read.
    send(cluster, "procurement.events", raw(b"\0" + struct.pack(">I", schema_id) + b"\2y" + stored[5:], "ACME|S2", 42), options=["--raw"])
    with test("registry down and a schema id never seen: waits, says so, nothing goes to the DLQ"):
        wait_until(lambda: any("schema" in processor.http("/readyz")[1] or "registry" in processor.http("/readyz")[1] for processor in processors), 30, "a processor says why it waits")
        assert len(consume_without_registry(cluster, "dlq.procurement.events")) == before
    cluster.registry.start().wait_ready()
    with test("registry back: read by the newer writer's schema"):
        wait_until(lambda: [record["value"]["outcome"] for record in consume(cluster, "acknowledgments") if record["value"]["event_id"] == value["event_id"]] == ["accepted", "duplicate"],
                   60, "the second one is read and a duplicate", interval_s=0.3)


def register(cluster, subject, schema):
    request = urllib.request.Request(f"{cluster.registry_url}/subjects/{subject}/versions", json.dumps({"schema": json.dumps(schema)}).encode(),
                                     {"Content-Type": "application/vnd.schemaregistry.v1+json"})
    return json.loads(urllib.request.urlopen(request, timeout=10).read())["id"]


def consume_without_registry(cluster, topic):
    return consume(cluster, topic, "--raw")


def registry_down(cluster, processors):
    waiting = order("PO-registry")
    cluster.registry.kill()
    with test("registry down: what is known goes on, processors stay up and start without it"):
        for processor in processors:
            processor.restart()
        assert all(processor.alive() for processor in processors)
    cluster.registry.start().wait_ready()
    send(cluster, "procurement.events", line(waiting, 40))
    with test("registry back: goes on"):
        assert outcome_of(cluster, waiting)["outcome"] == "accepted"


def confused_registry(cluster, processors):
    """A registry that gives another text under every id, asked by a processor that knows none: one that has lost its memory and gives the ids anew."""
    proxy, config = RegistryProxy("127.0.0.1", cluster.registry.port), processors[1].config.read_text()
    processor = cluster.processor("kontor-invoice", "invoice-0", {**MDM, "registry.url": f"http://127.0.0.1:{proxy.port}/apis/ccompat/v7"})
    await_caught_up(processors)
    processors[1].stop()
    shutil.rmtree(processor.state / "schemas")
    before = len(consume(cluster, "dlq.invoice.events"))
    good = invoice("I-confused", "PO-confused")
    proxy.mode = "wrong"
    processor.start()
    send(cluster, "invoice.events", line(good, 60))
    with test("a registry that gives other schemas under the ids, and a processor that knows none: it waits and says why, nothing goes to the DLQ"):
        wait_until(lambda: "under our own id" in processor.http("/readyz")[1], 30, "readyz says so")
        assert len(consume(cluster, "dlq.invoice.events")) == before
    proxy.mode = None
    with test("... and goes on by itself when the registry is right again"):
        assert outcome_of(cluster, good)["outcome"] == "parked"
        assert processor.alive() and len(consume(cluster, "dlq.invoice.events")) == before
    processor.stop()
    proxy.close()
    processors[1].config.write_text(config)     # both have one name
    processors[1].start().wait_ready()


def too_large(cluster, processors):
    """Where somebody has raised a topic's limit: ten times what other topics take, which no dead letter could hold."""
    cluster.kafka_tool("kafka.admin.ConfigCommand", "--alter", "--entity-type", "topics", "--entity-name", "invoice.events", "--add-config", "max.message.bytes=16777216")
    subprocess.run([REPOSITORY / "build" / "tests" / "chaos_tool", "large", cluster.bootstrap, "invoice.events", "ACME|LARGE", str(10 << 20), "1772445600000"], check=True, timeout=60)
    with test("a record of 10 MiB: DLQ with its beginning and how long it was, and the processor goes on behind it"):
        found = wait_until(lambda: [letter for letter in consume(cluster, "dlq.invoice.events", "--raw") if letter["key"] == "ACME|LARGE"], 30, "the dead letter", interval_s=0.2)
        assert len(found) == 1 and found[0]["headers"]["kontor-cut-from"] == str(10 << 20) and len(base64.b64decode(found[0]["value"])) == 1 << 20, found[0]["headers"]
        await_caught_up(processors)


def main():
    with company(FOLDER) as (cluster, processors):
        unreadable(cluster, processors)
        unknown_schema_first(cluster, processors)
        empty_registry(cluster, processors)
        misplaced(cluster)
        refused(cluster)
        incompatible_writer(cluster)
        new_schema_while_registry_is_down(cluster, processors)
        registry_down(cluster, processors)
        confused_registry(cluster, processors)
        too_large(cluster, processors)
        with test("nothing was lost: every event has one outcome"):
            await_caught_up(processors)
            summary = json.loads(cluster.kontor("status", "--format", "json").stdout)
            assert summary["events_in"] == sum(summary[name] for name in ("accepted", "duplicate", "rejected", "held", "parked", "poison")), summary


main()
sys.exit(finish())
