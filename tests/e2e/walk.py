"""The walk of docs/walk.md, as a person takes it: its commands are run on a real system, and what they print is what it says. WRITE=yes writes what they print now into the page."""

import difflib
import os
import re
import shlex
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from people import FLOWS, permission, record, rules  # noqa: E402
from small import line, master, order, receipt, invoice, write_master  # noqa: E402
from world import REPOSITORY, prepare  # noqa: E402
from cluster import Cluster, finish, test, wait_until  # noqa: E402
from asking import MDM, acknowledged, send  # noqa: E402

PAGE = REPOSITORY / "docs" / "walk.md"
FOLDER = REPOSITORY / "build" / "tests" / "walk"
PROCESSORS = ("procurement", "invoice", "reviewer", "acknowledger")
# What is another each time: ages, moments, ids of decisions.
CHANGING = ((r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"), (r"20\d\d-\d\d-\d\d \d\d:\d\d(:\d\d)?", "TIME"), (r"\b20\d\d-\d\d-\d\d\b", "DAY"), (r"\b20\d\d-\d\d\b", "MONTH"), (r"cli-[0-9a-f]{32}", "ID"), (r"\b\d+[smhd]\b", "AGE"), (r"[0-9a-f]{16}\b", "HASH"))


def company():
    return master(
        posting_rules=[record(rule_set="std", rules=rules())],
        source_permissions=[permission("ERP1", "invoice.events"), permission("ERP1", "procurement.events"), permission("kontor-cli", "review.decisions")],
        review_policies=[record(entity="ACME", amount="100000", expiry_hours=48, correction_decision=True, deciders=[{"reason": "*", "role": "ap-manager"}])],
        approvers=[record(entity="ACME", user=user, roles=["ap-manager"]) for user in ("bob", "carol")],
        flow_policies=[record(entity="*", flow=flow, limits=[{"step": "decided", "minutes": 100000000}], control_owner="Accounts payable", exception_path="head of accounts payable") for flow in FLOWS])


def settled(text):
    for pattern, word in CHANGING:
        text = re.sub(pattern, word, text)
    return re.sub(r"[ -]{2,}", "  ", re.sub(r" +$", "", text, flags=re.M))     # columns are as wide as what is in them


def blocks(page):
    """(where it begins, where it ends, command, what the page says it prints) of each `$ kontor ...` of an indented block."""
    lines = page.split("\n")
    at = 0
    while at < len(lines):
        if not lines[at].startswith("    $ kontor "):
            at += 1
            continue
        begin = end = at
        at += 1
        while at < len(lines) and (not lines[at] or lines[at].startswith("    ")) and not lines[at].startswith("    $ "):
            end = at if lines[at] else end      # a blank line belongs to what is printed when more comes behind it
            at += 1
        at = end + 1
        yield begin, at, lines[begin][len("    $ kontor "):], "\n".join(text[4:] for text in lines[begin + 1:at])


def wait_for_what_came_of_it(cluster, command):
    """A person looks again a moment later; the decisions that the page waits for are these."""
    def told(topic, *words):
        return lambda: any(all(word in text for word in words) for text in cluster.kontor("consume", topic).stdout.split("\n"))
    if command.startswith("exceptions correct") and "--dry-run" not in command:
        wait_until(told("audit", '"pending"'), 30, "the correction is pending", interval_s=0.2)
    if command.startswith("exceptions approve") and "bob" in command:
        wait_until(told("audit", '"refused"'), 30, "his approval is refused", interval_s=0.2)
    if command.startswith("exceptions approve") and "carol" in command:
        wait_until(told("documents", '"I7"', '"state":"command sent"'), 30, "posted", interval_s=0.2)


def main():
    page = PAGE.read_text()
    with Cluster(FOLDER) as cluster:
        write_master(FOLDER / "small" / "master", company())
        prepare(cluster, FOLDER / "small", partitions=4)
        for name in PROCESSORS:
            cluster.processor(f"kontor-{name}", properties=MDM).start().wait_ready()
        os.environ["KONTOR_TABLES_SOURCE"] = "MDM"
        late = invoice("I7", "PO7", net="1200.00", tax="228.00", total="1428.00", user="ann")
        send(cluster, "procurement.events", line(order("PO7"), 0), line(receipt("R7", "PO7"), 5))
        send(cluster, "invoice.events", line(late, 10))
        wait_until(lambda: acknowledged(cluster).get(late["event_id"], {}).get("outcome") == "held", 30, "the invoice is held", interval_s=0.2)
        written, last = [], 0
        for begin, end, command, said in blocks(page):
            result = cluster.kontor(*shlex.split(command), check=False)
            printed = (result.stdout + result.stderr).rstrip("\n")
            wait_for_what_came_of_it(cluster, command)
            with test(f"kontor {command}"):
                wanted, got = settled(said).split("\n"), settled(printed).split("\n")
                if os.environ.get("WRITE") != "yes":
                    assert wanted == got, "\n".join(difflib.unified_diff(wanted, got, "the page", "printed", lineterm=""))
            written += page.split("\n")[last:begin + 1] + ["    " + text if text else "" for text in printed.split("\n")]
            last = end
        with test("the page has commands"):
            assert last > 0
        if os.environ.get("WRITE") == "yes":
            PAGE.write_text("\n".join(written + page.split("\n")[last:]))


main()
sys.exit(finish())
