"""The checkers are checked: an error is planted in what a run has come to, and the checker that it is for must say so; unplanted it says nothing.

What is planted: a duplicate, a loss, a reorder, a wrong sum, a record of the state otherwise, a dead letter too many, another reader, a death that nothing explains.
A transaction that hangs is planted in the broker itself (hanging_transaction)."""

import copy
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
import checks  # noqa: E402
from cluster import spawn, test  # noqa: E402
from system import Exit  # noqa: E402

JOURNALS = "posting.commands.tryton"


def duplicate(found):
    found["records"][JOURNALS].append(found["records"][JOURNALS][0])


def loss(found):
    found["records"][JOURNALS].pop(len(found["records"][JOURNALS]) // 2)


def lost_acknowledgment(found):
    records = found["records"]["acknowledgments"]
    records.remove(next(record for record in records if record["value"]["outcome"] == "accepted"))


def second_outcome(found):
    records = found["records"]["acknowledgments"]
    records.append(next(record for record in records if record["value"]["outcome"] == "accepted"))


def reorder(found):
    """Two journals of one document change places; where none has two, two final outcomes."""
    for topic in (JOURNALS, "acknowledgments"):
        seen, records = {}, found["records"][topic]
        for at, record in enumerate(records):
            value = record["value"]
            if topic == JOURNALS or value["outcome"] in checks.FINAL and not value["later"]:
                name = (value.get("processor"), value["entity"], value["document"], record["partition"])
                if name in seen and records[seen[name]]["value"]["event_id"] != value["event_id"]:
                    records[seen[name]], records[at] = records[at], records[seen[name]]
                    return
                seen[name] = at
    raise AssertionError("no document has two journals or outcomes")


def wrong_sum(found):
    found["records"][JOURNALS][0]["value"]["lines"][0]["functional"] = "0.0100"


def dead_letter(found):
    topic = next(topic for topic in found["records"] if topic.startswith("dlq."))
    found["records"][topic].append({"key": "X", "value": "", "headers": {}})


def other_reader(found):
    found["readers"][JOURNALS][1] = found["readers"][JOURNALS][1][1:]


def first_record(found):
    return next((processor, partition, key) for processor, partitions in found["folds"].items() for partition, records in partitions.items() for key in records
                if key[:2] not in checks.RUNTIME_STORES)


def pop_from_states(found, processor, partition, key):
    for partitions in found["states"][processor].values():
        if partition in partitions:
            partitions[partition][1].pop(key, None)


def state_otherwise(found):
    pop_from_states(found, *first_record(found))


def state_of_another_input(found):
    """Neither state nor changelog has a record that the input makes."""
    processor, partition, key = first_record(found)
    found["folds"][processor][partition].pop(key)
    pop_from_states(found, processor, partition, key)


def open_transaction(found):
    found["ends"][0][2] = str(int(found["ends"][0][3]) - 1)


PLANTED = {"A": (duplicate, loss, lost_acknowledgment, second_outcome, reorder, dead_letter, other_reader), "B": (state_otherwise, state_of_another_input),
           "C": (wrong_sum, duplicate, loss), "D": (open_transaction,)}


def run_checker(letter, found, undisturbed, load, planted):
    if letter == "A":
        return checks.check_a(found, undisturbed, planted)
    if letter == "B":
        return checks.check_b(found, undisturbed, planted)
    return checks.check_c(found, load) if letter == "C" else checks.check_d(found, [])


def check_the_checkers(found, undisturbed, load, planted):
    for letter, errors in PLANTED.items():
        for plant in errors:
            with test(f"checker {letter} sees a planted {plant.__name__.replace('_', ' ')}"):
                changed = copy.deepcopy(found)
                plant(changed)
                assert run_checker(letter, changed, undisturbed, load, planted), "it did not"
    with test("checker E sees a death that nothing explains, and words that are not the docs'"):
        assert Exit("invoice-0", -11, None, None, [], "").wrong() and Exit("invoice-0", 4, (4, "something"), None, [(4, "instance.name", "twin")], "").wrong()
        assert not Exit("invoice-0", 4, (4, "instance.name"), None, [(4, "instance.name", "twin")], "").wrong() and not Exit("invoice-0", -9, None, "kill", [], "").wrong()


def hanging_transaction(cluster, binaries):
    """A transaction that is left open on a topic of outputs."""
    driver = spawn([Path(binaries).parent / "tests" / "transaction_driver", "naive", cluster.bootstrap, "chaos-stranger", "chaos-stranger", "commitments", 5000, cluster.bootstrap],
                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    with test("checker D sees a transaction that hangs in the broker"):
        for command in ("prepare", "begin", "send left-open", "flush"):
            driver.stdin.write(command + "\n")
            answer = driver.stdout.readline()
        ends = [line.split() for line in cluster.tool("ends", cluster.bootstrap).splitlines()]
        assert checks.check_d({"ends": ends}, []), f"it did not; the last answer was {answer}"
    driver.kill()
    driver.wait()
