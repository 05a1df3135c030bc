"""The load: what is sent while faults strike, the same for the same seed, with what must come of it by somebody else's reckoning (the office's generator)."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
import checks  # noqa: E402
from cluster import REPOSITORY, spawn  # noqa: E402


HOT, HOT_FROM = "HS39", 1551438000000     # 2019-03-01 11:00 UTC


class Office:
    """The invented office, with expenses, payments, invoices and journals of two companies."""

    topics = ("procurement.events", "invoice.events", "payment.events", "expense.events", "journal.events")
    processors = ("procurement", "invoice", "payment", "expense", "journal", "acknowledger")
    properties = {"tables.source": "OFFICE"}

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

    def feed_whole(self, cluster):
        for topic in self.topics:
            cluster.kontor("produce", topic, self.folder / f"{topic}.jsonl")

    def disagreements(self, found):
        """With what the generator says."""
        return checks.office_disagreements(found, self.expected)

    def start_feeding(self, cluster, seconds):
        return Feeding(cluster, {topic: (self.folder / f"{topic}.jsonl", max(1, round(len(self.lines(topic)) / seconds))) for topic in self.topics})


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
