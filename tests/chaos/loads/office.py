"""The invented office: expenses, payments, invoices and journals of two companies, with what must come of them by its generator's reckoning."""

import json
import shutil
import subprocess
from collections import Counter

import checks
from cluster import REPOSITORY
from loads.feeding import Feeding

HOT, HOT_FROM = "HS39", 1551438000000     # 2019-03-01 11:00 UTC


class Office:
    """What every load has: topics that are read and whose dead letters are looked at; processors; their properties; inputs_too: more topics to gather; keys_are_places: processors whose keys name
    where an event lies; of_the_order: processor -> beginnings of keys, in hex, whose values tell in which order topics were read, so that
    only the keys are compared; master data in folder/master; fed(): what the sources send; disagreements(): with what must come of it;
    start_feeding(): an object with await_begun, held, going_on, end and kill."""

    topics = ("procurement.events", "invoice.events", "payment.events", "expense.events", "journal.events")
    processors = ("procurement", "invoice", "payment", "expense", "journal", "acknowledger")
    properties = {"tables.source": "OFFICE"}
    inputs_too = ()
    keys_are_places = ()
    of_the_order = {"acknowledger": ("",)}      # a document that waited has one step more in its life; its state is compared as documents

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

    def fed(self):
        """topic -> how often each event id is sent."""
        return {topic: Counter(json.loads(text)["value"]["event_id"] for text in self.lines(topic)) for topic in self.topics}

    def disagreements(self, found):
        """With what the generator says."""
        return checks.office_disagreements(found, self.expected)

    def start_feeding(self, world, seconds):
        return Feeding(world.cluster, {topic: (self.folder / f"{topic}.jsonl", max(1, round(len(self.lines(topic)) / seconds))) for topic in self.topics})
