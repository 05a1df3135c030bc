"""Exceptions of every kind at once – held, waiting, rejected, dead – with decisions of one and of two people, refusals, corrections and a replay, while every process is killed
at random: it ends as the undisturbed run does. MIXED=10000 for the long run, SEED=... repeats the moments of the kills."""

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from deciding import CORRECTED, LATE, ONE, PROCESSORS, REFUSED, REJECTED, TWO, check, company, decisions_of, ends, exceptions, invoice  # noqa: E402
from people import permission, record  # noqa: E402
from small import line, write_master  # noqa: E402
from world import REPOSITORY, consume, prepare  # noqa: E402
from quiescence import await_caught_up  # noqa: E402
from cluster import Cluster, finish, seed, spawn, test, wait_until  # noqa: E402
from asking import MDM, send  # noqa: E402

FOLDER = REPOSITORY / "build" / "tests" / "mixed"
SHORT = os.environ.get("TESTS_SHORT") == "yes"
DOCUMENTS = int(os.environ.get("MIXED") or (420 if SHORT else 10000))
PIECES = 8 if SHORT else 25     # in which events and decisions are sent: after each something may be killed
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
        wait_until(lambda: processors["invoice"].metric("kontor_table_entries", table="source-permissions") == 4, 60, "the permission is known")
        replay_dead_letters(cluster, killing)

        def corrections():
            return [item for identifier, item in exceptions(cluster, "exceptions.held", "held").items() if identifier.startswith("C")]
        wait_until(lambda: len(corrections()) == of_fate[CORRECTED] + of_fate[REJECTED], 120, "the corrected ones are held in their turn", interval_s=0.5)
        in_pieces(cluster, "review.decisions", [text for item in sorted(corrections(), key=lambda item: item["event_id"]) for text in decisions_of(item)], killing)
        for processor in processors.values():
            processor.wait_ready()
        await_caught_up(list(processors.values()))
        print(f"  {name}: {killing.kills} kills of processors", flush=True)
        return {**ends(lambda topic: consume(cluster, topic)), "listed": listed(cluster)}


def listed(cluster):
    """What `kontor exceptions list` shows, and what of it with --state corrected: by document."""
    return {state: Counter(row["document"] for row in json.loads(cluster.kontor("exceptions", "list", "--format", "json", *options).stdout))
            for state, options in {"now": (), "corrected": ("--state", "corrected")}.items()}


def main():
    chance = random.Random(seed())
    undisturbed = run("undisturbed")
    with test(f"{DOCUMENTS:,} exceptions: each document is what its people made of it, one journal each"):
        check(undisturbed, DOCUMENTS)
        of_fates = {fates: Counter(f"I{number}" for number in range(DOCUMENTS) if number % 7 in fates) for fates in ((REFUSED,), (CORRECTED, REJECTED))}
        assert undisturbed["listed"] == {"now": of_fates[REFUSED,], "corrected": of_fates[CORRECTED, REJECTED]}, "kontor exceptions list: what was corrected is no exception any more"
    disturbed = run("killed", chance)
    with test("... with every process killed at random: the same outcomes, journals, audit and documents"):
        check(disturbed, DOCUMENTS)
        for name, wanted in undisturbed.items():
            got = disturbed[name]
            different = [key for key in {*wanted, *got} if wanted.get(key) != got.get(key)]
            assert not different, f"{name}: {len(different)} differ, for example {[(key, wanted.get(key), got.get(key)) for key in sorted(different, key=str)[:3]]}"


main()
sys.exit(finish())
