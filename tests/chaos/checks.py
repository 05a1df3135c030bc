"""The checkers. Each takes what a run has come to (found) and says in words what is wrong; an empty list: nothing.

A  the outputs, read_committed, are those of the undisturbed run; each event has one outcome; the order of each document; two readers agree
B  live state = fold of the changelog = state recomputed from the input, which is that of the undisturbed run
C  every journal balances, the sum over all is zero, and the office's books are what its generator says
D  no transaction hangs; work went on in time after each healing
E  what stopped did so with the exit code and the words that the docs promise

Found is plain data, so that errors can be planted in it (checks_test.py)."""

import json
import re
import sys
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
import books  # noqa: E402
from world import consume  # noqa: E402

OUTPUTS = ("posting.commands.tryton", "acknowledgments", "documents", "document.steps", "commitments", "exceptions.rejected", "exceptions.held", "exceptions.parked", "audit")
ON_THE_WAY = ("waiting", "needs decision")
FINAL = ("accepted", "rejected", "duplicate")
OF_AN_ORIGIN = re.compile(r"^[a-z.]+/[0-9]+/[0-9]+/")      # what the id of a budget movement begins with: where its event lies
RUNTIME_STORES = ("00", "01")       # header, clock; what waits, numbered as it came: who waits in the end is in the acknowledgments


def gather(cluster, load, instances):
    """Everything the checkers look at. The processors have been stopped."""
    topics = [*OUTPUTS, *(f"dlq.{topic}" for topic in load.topics), *load.inputs_too]
    found = {"records": {topic: [placeless(record) for record in consume(cluster, topic)] for topic in topics}, "readers": {}, "states": {}, "folds": {},
             "of_the_order": load.of_the_order,
             "placed": [*load.keys_are_places]}
    for topic in topics:
        found["readers"][topic] = [sorted(cluster.tool("read", cluster.bootstrap, topic, size).splitlines()) for size in (1048576, 4096)]
    found["ends"] = [line.split() for line in cluster.tool("ends", cluster.bootstrap).splitlines()]
    for processor in load.processors:
        found["folds"][processor] = fold(cluster.tool("fold", cluster.bootstrap, f"kontor.{processor}.changelog").splitlines())
        found["states"][processor] = {}
        for instance in instances:
            folder = Path(instance.state) / "tasks"
            if instance.kind == processor and folder.is_dir():
                found["states"][processor][instance.name] = dumped(cluster.tool("dump", folder).splitlines())
    return found


def placeless(record):
    if isinstance(record["value"], dict) and "event_id" in record["value"]:
        record["value"]["event_id"] = OF_AN_ORIGIN.sub("", record["value"]["event_id"])
    return record


def fold(lines):
    """partition -> key -> newest value, in hex."""
    result = defaultdict(dict)
    for line in lines:
        partition, key, value = line.split()
        if value == "-":
            result[partition].pop(key, None)
        else:
            result[partition][key] = value
    return dict(result)


def dumped(lines):
    """partition -> (position, records)."""
    result = {}
    for line in lines:
        if line.startswith("about "):
            _, partition, about = line.split()
            result[partition] = (position_of(bytes.fromhex(about)), {})
        else:
            partition, key, value = line.split()
            result[partition][1][key] = value
    return result


def position_of(about):
    """struct about of common/state/state.c behind its seal: three 32-bit numbers, four bytes that fill up, the position."""
    return int.from_bytes(about[5 + 16:5 + 24], "little", signed=True)


# ---------------------------------------------------------------- A

def said(value, *without):
    return json.dumps({name: item for name, item in value.items() if name not in without}, sort_keys=True)


def in_order_of_content(value):
    """A summary's lines, and the entries that it lists, lie as its entries came."""
    if not value.get("entries"):
        return value
    return {**value, **{name: sorted(({**item, "origin": ""} for item in value[name]), key=said) for name in ("entries", "lines") if name in value}}


def codes(value):
    return tuple(sorted(reason["code"] for reason in value["reasons"]))


def finals(found):
    """event id -> the newest (outcome, reason codes) of each time that it was sent."""
    newest = {}
    for record in found["records"]["acknowledgments"]:
        if not record["value"]["later"]:
            newest[record["value"]["origin"]] = record["value"]
    result = defaultdict(list)
    for value in newest.values():
        result[value["event_id"]].append((value["outcome"], codes(value)))
    return {identifier: sorted(outcomes) for identifier, outcomes in result.items()}


def comparable(found):
    """Multisets of what must be equal, whatever happened on the way: nothing of time, of offsets, of what waited meanwhile."""
    records = found["records"]
    place = ("occurred_at", "decided_at", "master_offsets", "origin")
    result = {
        "journals": Counter(said({"key": record["key"], **in_order_of_content(record["value"])}, *place) for record in records["posting.commands.tryton"]),
        "acknowledgments": Counter(f"{identifier} {outcome}" for identifier, outcomes in finals(found).items() for outcome in outcomes),
        "commitments": Counter(said(record["value"], *place) for record in records["commitments"]),
        "documents": Counter(f"{key} {value['state']} {value['standing']} {value['paid']} {value['remaining']} {sorted((journal['key'], journal['state']) for journal in value['journals'])}"
                             for key, value in {record["key"]: record["value"] for record in records["documents"] if record["value"]}.items()),
        "steps": Counter(said(in_order_of_content(record["value"]), *place, "awaited", "due_at", "missing", "links") for record in records["document.steps"]
                         if record["value"]["step"] not in ON_THE_WAY and record["value"]["processor"] != "acknowledger"),
        "audit": Counter(said(record["value"], *place, "item", "shown", "at") for record in records["audit"]),
    }
    for topic in ("exceptions.rejected", "exceptions.held"):       # the newest of each event: what was held and why, while something else waited, may differ
        newest = {record["value"]["origin"]: record["value"] for record in records[topic]}
        result[topic] = Counter(f"{value['event_id']} {value['document']} {value['outcome']} {codes(value)}" for value in newest.values() if value["outcome"] in ("held", "rejected"))
    for topic, letters in records.items():
        if topic.startswith("dlq."):
            result[topic] = Counter(letter_said(record) for record in letters)
    return result


def letter_said(record):
    headers = {name: value for name, value in record["headers"].items() if name in ("kontor-reason", "kontor-processor")}
    return json.dumps([record["key"], record["value"], headers], sort_keys=True)


def differences(wanted, got, planted):
    """planted: topic -> keys of records that were sent to be dead letters, beside the load."""
    wrong = []
    for what in wanted:
        lost, extra = wanted[what] - got[what], got[what] - wanted[what]
        if what.startswith("dlq."):
            letters = Counter(json.loads(text)[0] for text in extra.elements())
            expected = Counter(planted.get(what[4:], {}))
            if letters != expected:
                wrong.append(f"{what}: {sum((expected - letters).values())} planted records are not there, {sum((letters - expected).values())} are there too often")
            extra = Counter()
        if lost or extra:
            wrong.append(f"{what}: {sum(lost.values())} lost, {sum(extra.values())} too many; " + "; ".join(
                [f"lost {text[:300]}" for text in list(lost)[:2]] + [f"too many {text[:300]}" for text in list(extra)[:2]]))
    return wrong


def one_outcome(found):
    """Of each event: waits and is held as often as it may be, one final outcome, nothing after it."""
    outcomes = defaultdict(list)
    for record in found["records"]["acknowledgments"]:
        if not record["value"]["later"]:
            outcomes[record["value"]["origin"]].append(record["value"]["outcome"])
    wrong = [f"{origin}: {came}" for origin, came in outcomes.items() if sum(outcome in FINAL for outcome in came) > 1 or any(outcome in FINAL for outcome in came[:-1])]
    return [f"{len(wrong)} events have more than one outcome, {', '.join(wrong[:3])}"] if wrong else []


def orders(found):
    """document -> its journals in the order of their partition; (processor, document) -> the events with a final outcome in theirs."""
    journals, events = defaultdict(list), defaultdict(list)
    for record in found["records"]["posting.commands.tryton"]:
        value = record["value"]
        journals[value["entity"], value["document"], record["partition"]].append(value["idempotency_key"])
    for record in found["records"]["acknowledgments"]:
        value = record["value"]
        if not value["later"] and value["outcome"] in FINAL:
            events[value["processor"], value["entity"], value["partner"], value["document"]].append(value["event_id"])
    return {**journals, **events}


def check_a(found, undisturbed, planted):
    wrong = differences(comparable(undisturbed), comparable(found), planted) + one_outcome(found)
    wanted, got = orders(undisturbed), orders(found)
    otherwise = [f"{' '.join(map(str, name))}: {got.get(name)} instead of {wanted.get(name)}" for name in wanted if got.get(name) != wanted[name]]
    if otherwise:
        wrong.append(f"{len(otherwise)} documents in another order, {'; '.join(otherwise[:3])}")
    for topic, (first, second) in found["readers"].items():
        if first != second:
            wrong.append(f"{topic}: two readers differ")
        if len(first) != len(found["records"][topic]):
            wrong.append(f"{topic}: kontor consume read {len(found['records'][topic])} records, the other reader {len(first)}")
    return wrong


# ---------------------------------------------------------------- B

def body(value):
    """What the processor itself keeps of a record: behind the seal and the runtime's day and seen event ids."""
    record = bytes.fromhex(value)[5:]
    return record[6 + 12 * int.from_bytes(record[4:6], "little"):]


def own(state):
    return {(partition, key): body(value) for partition, records in state.items() for key, value in records.items() if key[:2] not in RUNTIME_STORES}


def moved_on(planted):
    """Processors in whose states places of events stand that garbage beside the load has moved on: of those keys are compared, not values."""
    flows = {topic.split(".")[0] for topic, keys in planted.items() if keys}
    return flows | ({"settler", "budget"} if flows & {"procurement", "expense"} else set()) | ({"invoice"} if "procurement" in flows else set()) | ({"payment"} if flows & {"procurement", "invoice"} else set())


def without_places(state):
    """How many records of each kind a partition has, for keys that name where an event is."""
    return Counter((partition, re.sub(rb"/[0-9]+/[0-9]+$", b"", bytes.fromhex(key))) for partition, key in state)


def check_b(found, undisturbed, planted):
    wrong, inexact = [], moved_on(planted)
    for processor, folded in found["folds"].items():
        live = {}
        for name, partitions in found["states"][processor].items():
            for partition, (position, records) in partitions.items():
                if partition not in live or position > live[partition][0]:
                    live[partition] = (position, name, records)
        for partition, records in folded.items():
            _, name, state = live.get(partition, (0, "nobody", {}))
            different = [key for key in {*records, *state} if records.get(key) != state.get(key)]
            if different:
                wrong.append(f"{processor} partition {partition}: {len(different)} records of the state of {name} are not the changelog's, for example {bytes.fromhex(different[0])}")
        wanted, got = own(undisturbed["folds"][processor]), own(folded)
        if processor in found["placed"]:
            if without_places(wanted) != without_places(got):
                wrong.append(f"{processor}: the records of the state are of other numbers than those that the input makes: {without_places(got) - without_places(wanted)} too many, {without_places(wanted) - without_places(got)} lost")
            continue
        of_the_order = ("",) if processor in inexact else found["of_the_order"].get(processor, ())
        different = [key for key in {*wanted, *got} if (key in wanted) != (key in got) or (wanted[key] != got[key] and not key[1].startswith(of_the_order))]
        if different:
            wrong.append(f"{processor}: {len(different)} records of the state are not those that the input makes, for example partition {different[0][0]} {bytes.fromhex(different[0][1])}")
    return wrong


# ---------------------------------------------------------------- C

def check_c(found, load):
    wrong, total, keys = [], defaultdict(Decimal), Counter()
    for record in found["records"]["posting.commands.tryton"]:
        journal = record["value"]
        keys[journal["idempotency_key"]] += 1
        for amount, currency in (("amount", journal["currency"]), ("functional", journal["functional_currency"])):
            sums = {"debit": Decimal(0), "credit": Decimal(0)}
            for line in journal["lines"]:
                sums[line["side"]] += Decimal(line[amount])
            total[amount, currency] += sums["debit"] - sums["credit"]
            if sums["debit"] != sums["credit"]:
                wrong.append(f"{journal['idempotency_key']}: {amount} debit {sums['debit']}, credit {sums['credit']}")
    wrong += [f"the sum over all is {value} {amount} {currency}" for (amount, currency), value in total.items() if value]
    wrong += [f"{key} {times} times" for key, times in keys.items() if times > 1]
    return wrong + load.disagreements(found)


# ---------------------------------------------------------------- D

def check_d(found, trouble):
    open_ = [f"{topic}-{partition} (stable until {stable} of {end})" for topic, partition, stable, end in found["ends"] if stable != end and not topic.startswith("__transaction")]
    return ([f"transactions hang in {len(open_)} partitions: {', '.join(open_[:4])}"] if open_ else []) + list(trouble)


# ---------------------------------------------------------------- E

def check_e(exits, stops):
    wrong = [f"{ended.instance} {ended.wrong()}" for ended in exits if ended.wrong()]
    return wrong + [f"{name} was stopped with SIGTERM and ended after {seconds:.1f} s with {code}" for name, seconds, code in stops if code != 0 or seconds > 3]


def office_disagreements(found, expected):
    """The office's books, by its generator: outcomes of events, journals by entity, every document's balance on each account."""
    outcomes = defaultdict(list)
    newest = {record["value"]["origin"]: record["value"] for record in found["records"]["acknowledgments"] if not record["value"]["later"]}
    for value in newest.values():
        outcomes[value["event_id"]].append((value["outcome"], {reason["code"] for reason in value["reasons"]}))
    wrong = books.disagreements(expected, outcomes)
    commands = Counter(json.dumps({"key": record["key"], "value": record["value"]})[1:].encode() for record in found["records"]["posting.commands.tryton"])
    journals, documents = books.journal_sums(commands)
    wanted = {name: accounts for name, accounts in books.amounts(expected["documents"]).items() if accounts}
    documents = {name: accounts for name, accounts in documents.items() if accounts}
    wrong += [f"{name}: expected {books.in_words(wanted.get(name, {}))}, kontor {books.in_words(documents.get(name, {}))}"
              for name in sorted({*wanted, *documents}) if wanted.get(name) != documents.get(name)]
    if journals != Counter(expected["journals"]):
        wrong.append(f"journals: expected {expected['journals']}, kontor {dict(journals)}")
    return wrong[:10]


def in_short(texts):
    return [re.sub(r"\s+", " ", text)[:700] for text in texts]
