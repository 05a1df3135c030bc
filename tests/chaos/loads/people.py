"""Invoices of every fate (tests/e2e/deciding.py), and what people decide of them while all goes on: approvals of one and of two, refusals, corrections, a replay of dead letters."""

import json
import time
from collections import Counter

import deciding
from cluster import REPOSITORY
from loads.feeding import Answering, Feeding
from people import permission, record
from small import line, write_master


class People:
    topics, processors = ("invoice.events",), ("invoice", "reviewer", "acknowledger")
    properties = {"tables.source": "MDM"}
    inputs_too = ("invoice.events",)
    keys_are_places = ("reviewer",)     # it knows an item by the topic, partition and offset of its event; where a correction comes to lie differs
    of_the_order = dict.fromkeys(("acknowledger", "reviewer", "invoice"), ("",))    # decisions are of today: times of them are in the states
    hot = False

    def __init__(self, seed, size):
        self.name, self.documents = f"people-{size}", size
        self.events = size
        self.folder = REPOSITORY / "build" / "chaos" / "load" / self.name
        if not (self.folder / "invoice.events.jsonl").exists():
            write_master(self.folder / "master", deciding.company())
            (self.folder / "invoice.events.jsonl").write_text("".join(line(deciding.invoice(number), number % 600) for number in range(size)))

    def fed(self):
        """What was dead is sent again, from the dead letters."""
        return {"invoice.events": Counter({f"E{number:06}": 1 + (number % 7 == deciding.DEAD) for number in range(self.documents)})}

    def disagreements(self, found):
        """With what each document must come to by its number."""
        try:
            deciding.check(deciding.ends(lambda topic: found["records"][topic]), self.documents)
        except AssertionError as error:
            return [str(error)]
        return []

    def start_feeding(self, world, seconds):
        return Deciding(world, self, seconds)


class Deciding(Answering):
    """Sends the invoices, and decides what is held or rejected as it comes up, each once, until all has been decided."""

    def __init__(self, world, load, seconds):
        super().__init__(world)
        self.load, self.seconds = load, seconds
        self.feeding = Feeding(self.cluster, {"invoice.events": (load.folder / "invoice.events.jsonl", max(1, round(load.documents / seconds)))})
        self.thread.start()

    def send_all(self):
        fates = Counter(number % 7 for number in range(self.load.documents))
        due = sum(fates[fate] for fate in (deciding.ONE, deciding.TWO, deciding.REFUSED)) + 2 * (fates[deciding.CORRECTED] + fates[deciding.REJECTED])
        decided, begun, sent_masters, permitted, replayed = set(), time.monotonic(), False, False, False
        while (len(decided) < due or not replayed) and not self.killed:
            self.decide(decided)
            if not sent_masters and time.monotonic() - begun > self.seconds / 2:
                self.send("master.suppliers", [json.dumps(record(supplier=f"L{number}")) + "\n" for number in range(deciding.LATE)])
                sent_masters = True
            if not permitted and not self.feeding.going_on() and self.dead_letters() >= fates[deciding.DEAD]:
                self.send("master.source-permissions", [json.dumps(permission("ERP9", "invoice.events")) + "\n"])
                permitted = True
            replayed = replayed or (permitted and self.replay())
            self.standing = f"{len(decided)} of {due} decided, masters {'sent' if sent_masters else 'not sent'}, {'replayed' if replayed else 'not replayed'}"
            time.sleep(0.5)

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

    def end(self, deadline_s):
        self.feeding.end(deadline_s)
        super().end(deadline_s)
