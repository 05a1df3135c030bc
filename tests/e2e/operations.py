"""docs/operations.md as it stands: its blocks run one after the other in one shell, and what a text block shows is printed by the block before it. Beside them: what they are to have
brought about, and a migration that is killed."""

import base64
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
from people import FLOWS  # noqa: E402
from small import invoice, line, master, order, receipt, write_master  # noqa: E402
from world import REPOSITORY, consume, prepare  # noqa: E402
from cluster import Cluster, finish, seed, spawn, test, wait_until  # noqa: E402
from asking import MDM, acknowledged, send  # noqa: E402

PAGE = REPOSITORY / "docs" / "operations.md"
BUILD = Path(os.environ.get("BUILD", REPOSITORY / "build"))      # another one, for example with sanitizers
BIN, PROGRAMS = BUILD / "bin", BUILD / "tests"
BLOCK_SECONDS = int(os.environ.get("BLOCK_SECONDS", 120))
KEYS = 100
HEADER_KEYS = [json.dumps(key) for key in ("\0header", {"base64": base64.b64encode(b"\0header").decode()})]    # as kontor consume prints it


def blocks(part):
    """(heading, kind, text) of the page's blocks under one heading of the second level."""
    inside, heading, fence, lines = False, part, None, []
    for text in PAGE.read_text().splitlines():
        if fence is not None:
            if text.startswith("```"):
                if inside:
                    yield heading, fence, "".join(lines)
                fence, lines = None, []
            else:
                lines.append(text + "\n")
        elif text.startswith("```"):
            fence = text[3:].strip()
            assert fence in ("sh", "text"), f"a block of {fence or 'no kind'} under {heading} is not run"
        elif text.startswith("## "):
            inside, heading = text[3:] == part, text[3:]
        elif text.startswith("### "):
            heading = text[4:]
    assert fence is None, "the last block does not end"


class Shell:
    """One bash in a folder of its own. Its `service` asks this process, by two pipes."""

    def __init__(self, cluster, folder, services):
        self.services, self.folder = services, folder
        for name in ("asked", "answered"):
            os.mkfifo(folder / name)
        environment = {**{name: value for name, value in os.environ.items() if not name.startswith("KONTOR_")}, **cluster.environment, "PATH": f"{BIN}:{os.environ['PATH']}"}
        self.process = spawn(["bash", "--noprofile", "--norc"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=folder)
        threading.Thread(target=self._serve, daemon=True).start()
        self.count = 0
        self.run("service() { local answer; echo \"$*\" >asked; read -r answer <answered; [ \"$answer\" = done ] || { echo \"service $*: $answer\"; return 1; }; }")

    def _serve(self):
        while True:
            words = (self.folder / "asked").read_text().split()
            try:
                service = self.services[words[1]]
                begun = time.monotonic()
                service.start().wait_ready() if words[0] == "start" else service.stop()
                answer = "done"
                print(f"  service {' '.join(words)}: {time.monotonic() - begun:.1f} s", flush=True)
            except Exception as error:
                answer = " ".join(str(error).split())[:1500]
            (self.folder / "answered").write_text(answer + "\n")

    def run(self, text):
        """What the block printed; every command of it must succeed."""
        self.count += 1
        mark = f"--- end of block {self.count} ---"
        self.process.stdin.write(f"set -eo pipefail\n{text}\necho '{mark}'\n")
        self.process.stdin.flush()
        printed = ""
        timer = threading.Timer(BLOCK_SECONDS, self.process.kill)
        timer.start()
        try:
            while True:
                text_line = self.process.stdout.readline()
                assert text_line, f"the shell ended in:\n{text}\n{printed[-4000:]}"
                if text_line.strip() == mark:
                    return printed
                printed += text_line
        finally:
            timer.cancel()

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def compare(expected, printed):
    """Each expected line is printed, in this order; blanks count as one."""
    rest = [" ".join(text.split()) for text in printed.splitlines()]
    for text in filter(None, (" ".join(text.split()) for text in expected.splitlines())):
        pattern = ".*".join(re.escape(part) for part in text.split("..."))
        while rest and not re.fullmatch(pattern, rest[0]):
            rest.pop(0)
        assert rest, f"not printed: {text}\n  printed was:\n{printed}"
        rest.pop(0)


def follow(shell, part, behind=None):
    """Runs the part's blocks; behind: {(heading, number of its sh block): what is called after that one}. False when one has failed: nothing behind it can be right."""
    printed, counts, behind = "", Counter(), dict(behind or {})
    for heading, kind, text in blocks(part):
        if kind == "text":
            with test(f"{heading}: what it prints"):
                compare(text, printed)
            continue
        counts[heading] += 1
        ok = False
        with test(f"{heading}, block {counts[heading]}"):
            printed = shell.run(text)
            ok = True
        if not ok:
            return False
        if (heading, counts[heading]) in behind:
            behind.pop((heading, counts[heading]))()
    with test(f"{part}: all of it was there"):
        assert counts and not behind, f"blocks that are not on the page: {list(behind)}"
    return True


# ---- upgrade: kontor-counter in three versions, which hides nothing: what is lost leaves a gap, what is done twice shows twice ----

def upgrade(folder):
    with Cluster(folder, binaries=BIN) as cluster:
        work = cluster.directory
        for version, program in (("first", "kontor-counter"), ("next", "kontor-counter-next"), ("other", "kontor-counter-other")):
            (work / version).mkdir()
            (work / version / "kontor-counter").symlink_to(PROGRAMS / program)
        (work / "current").symlink_to("first")
        events = 0

        def tool(*arguments, check=True):
            result = subprocess.run([PROGRAMS / "counter_tool", *map(str, arguments)], cwd=work, capture_output=True, text=True, timeout=120)
            assert not check or result.returncode == 0, f"counter_tool {arguments[0]}: {result.stdout}{result.stderr}"
            return result.stdout.strip()

        def feed(count):
            nonlocal events
            tool("produce", cluster.bootstrap, events, count, KEYS)
            events += count

        def right():
            try:
                wait_until(lambda: tool("check", cluster.bootstrap, events, KEYS, "any", check=False).startswith("right"), 30, "every event counted once", interval_s=0.2)
            except TimeoutError:
                tool("check", cluster.bootstrap, events, KEYS, "any")

        tool("setup", cluster.bootstrap, cluster.registry_url, 4)
        counter = cluster.processor("kontor-counter", properties={"tables.source": "MDM", "session.timeout.ms": "6000"}, binaries=work / "current")
        wait_until(lambda: cluster.kontor("consume", "count.right", "--limit", "1", "--raw", check=False).returncode == 0, 30, "topics of the counter", interval_s=0.2)
        counter.start().wait_ready()
        feed(1000)
        right()

        def fed_and_right(name):
            def now():
                with test(name):
                    feed(300)
                    right()
            return now

        whole = ["state", "migrate", "counter", "--layout", work / "counter.layout", "--changes", work / "counter.changes", "--yes"]
        rng = random.Random(seed())

        def shown():
            return json.loads(cluster.kontor("state", "show", "counter", "--format", "json").stdout)

        def leave(version, processor):
            processor.stop()
            subprocess.run([work / version / "kontor-counter", "--config", processor.config, "--leave"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def content():
            """The live changelog, record by record: (partition, key): value. Without the headers, each of which has an id of its own, and what closed it once."""
            records = {(record["partition"], json.dumps(record["key"])): record["value"] for record in consume(cluster, shown()["changelog"], "--raw")}
            headers = [place for place in records if place[1] in HEADER_KEYS]
            assert len(headers) == 4, list(records)[:10]
            return {place: value for place, value in records.items() if value is not None and place not in headers}

        def kill_at(when):
            """The migration, killed behind a line that it says, or after so many seconds. Whether it was in time."""
            process = spawn([BIN / "kontor", *whole], env={**os.environ, **cluster.environment}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            if isinstance(when, str):
                for said in process.stderr:
                    if said.startswith(when):
                        time.sleep(rng.uniform(0, 0.03))
                        break
            else:
                try:
                    process.wait(when)
                except subprocess.TimeoutExpired:
                    pass
            process.kill()
            process.stderr.close()
            return process.wait() < 0

        def killed():
            before, kills = content(), Counter()
            with test("a migration that is killed anywhere has changed nothing, or all"):
                for when in ("writing", "writing", "writing", rng.uniform(0.2, 2.6), rng.uniform(0.2, 2.6), "committing"):
                    kills["killed" if kill_at(when) else "in the end"] += 1
                    live = shown()
                    print(f"  killed at {when}: generation {live['generation']}, beside it {live['kept']}", flush=True)
                    assert live["generation"] == 1 and content() == before or when != "writing" and live["layouts"] == 1 and live["kept"], live
                assert kills["killed"] >= 3, kills
            with test("... and given again comes to what one comes to that nobody has disturbed"):
                cluster.kontor(*whole)
                after, disturbed = content(), shown()
                assert before.keys() != after.keys() or before != after, "it has changed nothing"
                back = cluster.kontor("state", "migrate", "counter", "--back", "--yes")
                assert "generation 1 again, kontor.counter.changelog" in back.stdout and content() == before, back
                refused = cluster.kontor("state", "migrate", "counter", "--back", check=False)
                assert refused.returncode == 1 and "there is no generation before" in refused.stderr, refused
                cluster.kontor(*whole)
                undisturbed = shown()
                assert content() == after and undisturbed["generation"] > disturbed["generation"] > 2, (undisturbed, disturbed)
                assert undisturbed["changelog"] == f"kontor.counter.changelog.{undisturbed['generation']}" and undisturbed["kept"][0] == "kontor.counter.changelog", undisturbed
                cluster.kontor("state", "migrate", "counter", "--back", "--yes")

        def old_one():
            return cluster.processor("kontor-counter", "counter-0", properties={"tables.source": "MDM", "session.timeout.ms": "6000"}, binaries=work / "first").start()

        def begun():
            return spawn([BIN / "kontor", *whole], env={**os.environ, **cluster.environment}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

        def raced():
            came = ("is started", "was started meanwhile", "is being started", "has members")
            with test("an instance of the old version that takes the group from a migration that stands still: it counts on, and the migration ends without having changed anything"):
                process = begun()
                for said in process.stdout:
                    if said.startswith("writing"):
                        break
                process.send_signal(signal.SIGSTOP)
                old = old_one().wait_ready()        # the group waits for the session of what stands still to end
                feed(200)
                right()
                process.send_signal(signal.SIGCONT)
                said = process.communicate(timeout=60)[0]
                assert process.returncode == 1 and any(text in said for text in came), (process.returncode, said)
                assert shown()["generation"] == 1
                feed(100)
                right()
                leave("first", old)
            with test("an instance of the old version that is started in the middle ends the migration, or comes behind it, and counts on"):
                process = begun()
                try:
                    process.wait(rng.uniform(0.2, 2.0))
                except subprocess.TimeoutExpired:
                    pass
                old = old_one()
                said = process.communicate(timeout=60)[0]
                assert process.returncode == 0 or process.returncode == 1 and any(text in said for text in came), (process.returncode, said)
                try:
                    old.wait_ready()
                except RuntimeError:        # it had asked for the generation just before the switch, and ended saying so
                    assert process.returncode == 0, said
                    old.start().wait_ready()
                feed(200)
                right()
                leave("first", old)

        def migrated():
            with test("every value is there, as it was"):
                live = shown()
                assert {row["store"]: row["records"] for row in live["stores"]}["counts"] == KEYS and live["layouts"] == 1, live
                assert (live["generation"], live["changelog"], live["kept"]) == (2, "kontor.counter.changelog.2", ["kontor.counter.changelog"]), live
            with test("migrated again: nothing to do; an older layout is refused while an instance runs"):
                again = cluster.kontor(*whole)
                assert "in that layout already" in again.stderr, again

        def refused():
            with test("while an instance runs, all of it is refused, and the instance is named"):
                for arguments in (["state", "migrate", "counter", "--layout", work / "counter.layout"], ["state", "migrate", "counter", "--back"], ["offsets", "reset", "counter", "--to", "end"],
                                  ["state", "drop", "counter", "--changelog", "--repeat-outputs"], ["state", "drop", "counter", "--local", counter.state]):
                    result = cluster.kontor(*arguments, "--yes", check=False)
                    assert result.returncode == 1 and ("counter-0" in result.stderr), (arguments, result.stderr)

        shell = Shell(cluster, work, {"counter-0": counter})
        try:
            layout = "With a state that the new version cannot read"
            follow(shell, "Upgrade", {("Rolling, and one version back", 1): fed_and_right("the next version counts on"),
                                      ("Rolling, and one version back", 2): fed_and_right("the version before counts on"),
                                      (layout, 4): migrated, (layout, 5): refused, (layout, 6): fed_and_right("back, it counts on: nothing was lost or doubled")})
        finally:
            shell.end()
        leave("first", counter)
        killed()
        raced()
        with test("once it has gone on, there is no way back; what is kept is dropped when it is said, what is live is not"):
            if "in that layout already" in cluster.kontor(*whole).stderr:     # the race was won by the migration: then the old version has gone on
                assert shown()["generation"] > 2
            other = cluster.processor("kontor-counter", "counter-0", properties={"tables.source": "MDM"}, binaries=work / "other")
            other.start().wait_ready()
            feed(300)
            right()
            leave("other", other)
            refused = cluster.kontor("state", "migrate", "counter", "--back", "--yes", check=False)
            assert refused.returncode == 1 and "has gone on" in refused.stderr, refused
            live = shown()
            refused = cluster.kontor("state", "drop", "counter", "--generation", live["generation"], "--yes", check=False)
            assert refused.returncode == 1 and "is the live changelog" in refused.stderr, refused
            for topic in live["kept"]:
                number = topic.removeprefix("kontor.counter.changelog").lstrip(".") or "1"
                assert f"deleted {topic}\n" == cluster.kontor("state", "drop", "counter", "--generation", number, "--yes").stdout
            left = wait_until(lambda: (found := shown()) and not found["kept"] and found, 20, "nothing is kept", interval_s=0.2)
            assert (left["generation"], left["changelog"], left["kept"]) == (live["generation"], live["changelog"], []), left
            refused = cluster.kontor("state", "migrate", "counter", "--back", "--yes", check=False)
            assert refused.returncode == 1 and "or it was dropped" in refused.stderr, refused
            other.start().wait_ready()
            feed(100)
            right()


# ---- backup, recovery, reset: a small company ----

class Company:
    def __init__(self, cluster):
        self.cluster, self.sent = cluster, 0

    def documents(self, count):
        """Lines for both topics: so many orders, received and invoiced."""
        events = {"procurement.events": [], "invoice.events": []}
        for number in range(self.sent + 1, self.sent + count + 1):
            supplier = f"S{number % 2 + 1}"
            events["procurement.events"] += [line(order(f"PO{number}", supplier=supplier), number * 10), line(receipt(f"R{number}", f"PO{number}", supplier=supplier), number * 10 + 1)]
            events["invoice.events"].append(line(invoice(f"I{number}", f"PO{number}", supplier=supplier), number * 10 + 2))
        self.sent += count
        return events

    def feed(self, events):
        for topic, lines in events.items():
            send(self.cluster, topic, *lines)
        wanted = {json.loads(text)["value"]["event_id"] for lines in events.values() for text in lines}
        wait_until(lambda: {event for event, told in acknowledged(self.cluster).items() if told["outcome"] in ("accepted", "duplicate")} >= wanted, 40, "all accepted", interval_s=0.3)

    def journals(self):
        """How often each document's journals are there, by their idempotency keys."""
        return Counter(record["value"]["idempotency_key"] for record in consume(self.cluster, "posting.commands.tryton"))


def recovery(folder):
    with Cluster(folder, binaries=BIN) as cluster:
        work = cluster.directory
        (work / "current").symlink_to(BIN)
        write_master(work / "small" / "master", master(flow_policies=[
            {"valid_from": "1990-01-01", "status": "active", "source": "MDM", "entity": "*", "flow": flow, "limits": [{"step": "decided", "minutes": 100000000}],
             "control_owner": "AP", "exception_path": "head of AP"} for flow in FLOWS]))
        prepare(cluster, work / "small", partitions=4)
        processors = {f"{name}-0": cluster.processor(f"kontor-{name}", properties=MDM).start() for name in ("procurement", "invoice", "acknowledger")}
        for processor in processors.values():
            processor.wait_ready()
        company = Company(cluster)
        before = company.documents(6)
        company.feed(before)
        later = {}

        def after_backup():
            nonlocal later
            with test("what comes after the backup is decided, and will be lost"):
                later = company.documents(4)
                company.feed(later)
                assert len(company.journals()) == 2 * 10     # receipt and invoice of each order
            for service in (*processors.values(), cluster.registry, cluster.broker):
                service.kill()

        def restored():
            with test("restored: what was in the backup, once"):
                assert company.journals() == Counter({key: 1 for key in company.journals()}) and len(company.journals()) == 2 * 6, company.journals()
            with test("sources send again what they sent last: what was lost is decided, what was not is a duplicate"):
                company.feed(later)
                company.feed({topic: lines[-2:] for topic, lines in before.items()})
                wait_until(lambda: len(company.journals()) == 2 * 10, 20, "journals of all", interval_s=0.3)
                assert set(company.journals().values()) == {1}, company.journals()
                cluster.kontor("status")

        def set_back():
            with test("set back with the state kept: all are duplicates, no journal comes twice"):
                taken_again = 10 + 2     # invoices, and the two that were sent a second time
                wait_until(lambda: processors["invoice-0"].metric("kontor_events_total", outcome="duplicate") == taken_again, 20, "duplicates", interval_s=0.2)
                assert set(company.journals().values()) == {1} and len(company.journals()) == 2 * 10, company.journals()
                told = cluster.kontor("status", "--format", "json", check=False)
                assert told.returncode == 1 and [problem["count"] for problem in json.loads(told.stdout)["problems"]] == [taken_again] and "accepted, then duplicate" in told.stderr, told

        def begun_anew():
            with test("with a new generation: the invoice processor's journals come again under the same keys, the state is the same"):
                wait_until(lambda: Counter(company.journals().values()) == {1: 10, 2: 10}, 30, "each journal of an invoice twice, of a receipt once", interval_s=0.3)
                assert all(("invoice" in key) == (times == 2) for key, times in company.journals().items()), company.journals()
                now = json.loads(cluster.kontor("state", "show", "invoice", "--format", "json").stdout)
                assert now["generation"] == 2 and now["kept"] == ["kontor.invoice.changelog"] and {row["store"]: row["records"] for row in now["stores"] if row["store"] != "task-clock"} == records, (now, records)

        shell = Shell(cluster, work, {**processors, "broker": cluster.broker, "registry": cluster.registry})
        try:
            follow(shell, "Backup and restore") and after_backup()
            if not follow(shell, "Order of disaster recovery", {("Order of disaster recovery", 2): restored}):
                return
            records = {row["store"]: row["records"] for row in json.loads(cluster.kontor("state", "show", "invoice", "--format", "json").stdout)["stores"] if row["store"] != "task-clock"}
            follow(shell, "Reset of offsets", {("With the state kept", 2): set_back, ("With a new generation of the state", 1): begun_anew})
        finally:
            shell.end()


def main():
    folder = REPOSITORY / "build" / "tests" / "operations"
    shutil.rmtree(folder, ignore_errors=True)
    if "upgrade" in (sys.argv[1:] or ["upgrade"]):
        upgrade(folder / "upgrade")
    if "recovery" in (sys.argv[1:] or ["recovery"]):
        recovery(folder / "recovery")


main()
sys.exit(finish())
