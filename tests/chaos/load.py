"""The load: what is sent while faults strike, the same for the same seed, with what must come of it by somebody else's reckoning (the office's generator)."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
import checks  # noqa: E402
import deciding  # noqa: E402
from cluster import REPOSITORY, spawn, wait_until  # noqa: E402
from people import permission, record  # noqa: E402
from small import line, write_master  # noqa: E402


HOT, HOT_FROM = "HS39", 1551438000000     # 2019-03-01 11:00 UTC


class Office:
    """The invented office, with expenses, payments, invoices and journals of two companies."""

    topics = ("procurement.events", "invoice.events", "payment.events", "expense.events", "journal.events")
    processors = ("procurement", "invoice", "payment", "expense", "journal", "acknowledger")
    properties = {"tables.source": "OFFICE"}
    inputs_too = ()
    keys_are_places = ()
    depends_on_waiting = ("acknowledger",)      # a document that waited has one step more in its life; its state is compared as documents

    def __init__(self, seed, size, hot=False):
        self.seed, self.size, self.hot = seed, size, hot
        self.name = f"office-{seed}-{size}" + ("-hot" if hot else "")
        self.folder = REPOSITORY / "build" / "chaos" / "load" / self.name
        if not (self.folder / "expected.json").exists():
            shutil.rmtree(self.folder, ignore_errors=True)
            subprocess.run([REPOSITORY / "deploy" / "local" / "sample" / "office", self.folder, "--seed", str(seed), "--reports", str(size), "--invoices", str(size * 2 // 3)],
                           check=True, stdout=subprocess.DEVNULL)
            if hot:
                self.add_hot_key()
        self.expected = json.loads((self.folder / "expected.json").read_text())
        self.events = self.expected["events_in"]

    def add_hot_key(self):
        """As many events again, all of one supplier. Of each invoice: net into inventory, a fifth and a bit of tax, both to the supplier, when it is approved."""
        expected = json.loads((self.folder / "expected.json").read_text())
        lines = [(json.loads(line)["timestamp"], line) for line in (self.folder / "invoice.events.jsonl").read_text().splitlines()]
        for number in range(1, expected["events_in"] // 2 + 1):
            net = 100 + number
            for kind, minute in (("received", 0), ("approved", 5)):
                name, document = f"HOT{number:05}{kind[0]}", f"HK{number:05}"
                at = HOT_FROM + number * 60000 * 20 + minute * 60000
                lines.append((at, json.dumps({"timestamp": at, "key": f"HOME|{HOT}", "value": {
                    "event_id": name, "source": "OFFICE", "document_date": "2019-03-01", "kind": kind, "entity": "HOME", "supplier": HOT, "document": document,
                    "number": f"N-{document}", "currency": "EUR", "total": f"{net * 121 / 100:.2f}",
                    "lines": [{"line": "1", "net": f"{net}.00", "tax_code": "V21", "category": "GOODS"}]}})))
                expected["events"]["invoice.events"][name] = {"scenario": "hot key", "outcomes": [["accepted", ""]]}
            expected["documents"][f"HOME/{document}"] = {"300000": f"{net}.00", "154000": f"{net * 21 / 100:.2f}", "160000": f"-{net * 121 / 100:.2f}"}
            expected["journals"]["HOME"] += 1
            expected["events_in"] += 2
        (self.folder / "invoice.events.jsonl").write_text("".join(line + "\n" for _, line in sorted(lines)))
        (self.folder / "expected.json").write_text(json.dumps(expected))

    def lines(self, topic):
        return (self.folder / f"{topic}.jsonl").read_text().splitlines()

    def disagreements(self, found):
        """With what the generator says."""
        return checks.office_disagreements(found, self.expected)

    def start_feeding(self, world, seconds):
        return Feeding(world.cluster, {topic: (self.folder / f"{topic}.jsonl", max(1, round(len(self.lines(topic)) / seconds))) for topic in self.topics})


class Feeding:
    """`kontor produce --rate` of every topic: one idempotent producer each, so that nothing is sent twice or lost when brokers die."""

    def __init__(self, cluster, files):
        self.processes = {}
        for topic, (path, rate) in files.items():
            self.processes[topic] = spawn([cluster.binaries / "kontor", "produce", topic, path, "--rate", str(rate)], cwd=REPOSITORY,
                                          env={**os.environ, **cluster.environment}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def going_on(self):
        return any(process.poll() is None for process in self.processes.values())

    def end(self, deadline_s):
        """Waits for the rest; an error of the feeding is one of the harness."""
        for topic, process in self.processes.items():
            _, errors = process.communicate(timeout=deadline_s)
            if process.returncode:
                raise RuntimeError(f"the load could not be sent, {topic}: {errors}")

    def kill(self):
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
                process.wait()


class People:
    """Invoices of every fate (tests/e2e/deciding.py), and what people decide of them while all goes on: approvals of one and of two, refusals, corrections, a replay of dead letters."""

    topics, processors = ("invoice.events",), ("invoice", "reviewer", "acknowledger")
    properties = {"tables.source": "MDM"}
    inputs_too = ("invoice.events",)
    keys_are_places = ("reviewer",)     # it knows an item by the topic, partition and offset of its event; where a correction comes to lie differs
    depends_on_waiting = ("acknowledger", "reviewer", "invoice")    # decisions are of today: times of them are in the states
    hot = False

    def __init__(self, seed, size):
        self.name, self.documents = f"people-{size}", size
        self.events = size
        self.folder = REPOSITORY / "build" / "chaos" / "load" / self.name
        if not (self.folder / "invoice.events.jsonl").exists():
            write_master(self.folder / "master", deciding.company())
            (self.folder / "invoice.events.jsonl").write_text("".join(line(deciding.invoice(number), number % 600) for number in range(size)))

    def disagreements(self, found):
        """With what each document must come to by its number."""
        try:
            deciding.check(deciding.ends(lambda topic: found["records"][topic]), self.documents)
        except AssertionError as error:
            return [str(error)]
        return []

    def start_feeding(self, world, seconds):
        return Deciding(world, self, seconds)


class Deciding:
    """Sends the invoices, and decides what is held or rejected as it comes up, each once, until all has been decided."""

    def __init__(self, world, load, seconds):
        self.world, self.cluster, self.load, self.seconds, self.failure, self.killed, self.standing = world, world.cluster, load, seconds, None, False, "nothing decided"
        self.invoices = Feeding(self.cluster, {"invoice.events": (load.folder / "invoice.events.jsonl", max(1, round(load.documents / seconds)))})
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            self.decide_all()
        except Exception as failure:    # told when the feeding ends
            self.failure = failure

    def decide_all(self):
        fates = Counter(number % 7 for number in range(self.load.documents))
        due = sum(fates[fate] for fate in (deciding.ONE, deciding.TWO, deciding.REFUSED)) + 2 * (fates[deciding.CORRECTED] + fates[deciding.REJECTED])
        decided, begun, sent_masters, permitted, replayed = set(), time.monotonic(), False, False, False
        while (len(decided) < due or not replayed) and not self.killed:
            self.decide(decided)
            if not sent_masters and time.monotonic() - begun > self.seconds / 2:
                self.send("master.suppliers", [json.dumps(record(supplier=f"L{number}")) + "\n" for number in range(deciding.LATE)])
                sent_masters = True
            if not permitted and not self.invoices.going_on() and self.dead_letters() >= fates[deciding.DEAD]:
                self.send("master.source-permissions", [json.dumps(permission("ERP9", "invoice.events")) + "\n"])
                permitted = True
            replayed = replayed or (permitted and self.replay())
            self.standing = f"{len(decided)} of {due} decided, masters {'sent' if sent_masters else 'not sent'}, {'replayed' if replayed else 'not replayed'}"
            time.sleep(0.5)

    def send(self, topic, lines):
        self.cluster.kontor("produce", topic, input="".join(lines), deadline_s=180)

    def reading(self, what):
        """Reads are simply made again: the broker may be away."""
        while not self.killed:
            try:
                return what()
            except (RuntimeError, TimeoutError):
                time.sleep(0.5)
        return []

    def decide(self, decided):
        shown = self.reading(lambda: {**deciding.exceptions(self.cluster, "exceptions.held", "held"), **deciding.exceptions(self.cluster, "exceptions.rejected", "rejected")})
        new = [item for identifier, item in sorted(dict(shown).items()) if identifier not in decided and self.awaits(item)]
        if new:
            self.send("review.decisions", [text for item in new for text in deciding.decisions_of(item)])
            decided.update(item["event_id"] for item in new)

    @staticmethod
    def awaits(item):
        """What people have refused or put right comes up as rejected too."""
        fate = int(item["document"][1:]) % 7
        return item["event_id"][0] == "C" and item["outcome"] == "held" or item["event_id"][0] == "E" and (item["outcome"] == "held") == (fate != deciding.REJECTED)

    def dead_letters(self):
        """Of ours: a fault may have planted others."""
        letters = self.reading(lambda: [json.loads(text) for text in self.cluster.kontor("consume", "dlq.invoice.events").stdout.splitlines()])
        return sum(letter["key"].startswith("ACME|") for letter in letters)

    def replay(self):
        """When every invoice instance knows the permission."""
        invoices = [instance for instance in self.world.alive_instances() if instance.kind == "invoice"]
        if not all(instance.alive() and instance.metric("kontor_table_entries", table="source-permissions") == 4 for instance in invoices):
            return False
        self.reading(lambda: self.cluster.kontor("dlq", "replay", "--index", self.world.folder / "index", "--source", "ERP9", "--user", "olga", "--reason", "permitted now", "--yes",
                                                 "--format", "json") or True)
        return True

    def going_on(self):
        return self.thread.is_alive()

    def end(self, deadline_s):
        self.invoices.end(deadline_s)
        try:
            wait_until(lambda: not self.thread.is_alive(), deadline_s, "all decided", interval_s=0.2)
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {self.standing}") from None
        if self.failure:
            raise RuntimeError(f"the load could not be sent: {self.failure}") from self.failure

    def kill(self):
        self.killed = True
        self.invoices.kill()
        self.thread.join(200)


def load_of(kind, seed, seconds, chance, with_hot_key):
    """Seeds of a decade share a load."""
    decade = seed // 10
    if kind == "people":
        return People(decade, max(140, min(700, seconds * 2)))
    return Office(decade * 10, max(60, min(300, seconds)), hot=with_hot_key and chance.random() < 0.2)
