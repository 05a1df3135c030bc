"""Sums the reports of all campaigns up. Kept are a line for each seed in tests/chaos/reports.jsonl, and what they add up to between two marks of docs/under-fire.md."""

import json
import statistics
from collections import Counter, defaultdict

from cluster import REPOSITORY
from faults import FAULTS
from system import BUSY

REPORTS = REPOSITORY / "build" / "chaos" / "reports"
KEPT = REPOSITORY / "tests" / "chaos" / "reports.jsonl"
DOCS = REPOSITORY / "docs" / "under-fire.md"
BEGIN, END = "<!-- made by `tests/chaos/campaign.py report --write` -->\n", "<!-- end of what is made -->\n"
LATE = ("late requests", "late", 300)
UNITS = {"kill": "instances at random", "point": "instances at a named point", "broker": "one", "rolling": "rolling", "all-brokers": "all at once", "leaders": "leaders moved",
         "poison": "floods and garbage", "large": "records of 10 MB", "bad": "spells of 15 to 60 s"}


def short(content):
    """What is kept of a report."""
    recoveries = defaultdict(list)
    for what, seconds in content.get("recoveries", []):
        recoveries[what].append(seconds)
    return {**{name: content[name] for name in ("seed", "date", "minutes", "brokers", "kafka", "time_outs", "load", "events", "faults", "points", "state", "hot", "void", "unable", "load_average", "late")
               if content.get(name)},
            "findings": {letter: texts[0][:200] for letter, texts in content.get("findings", {}).items() if texts},
            "recoveries": {what: [len(seconds), round(statistics.median(seconds), 1), max(seconds)] for what, seconds in recoveries.items()},
            "exits": dict(Counter(str(code) for _, code, _ in content.get("exits", [])))}


def kept():
    return {str(entry["seed"]): entry for entry in map(json.loads, KEPT.read_text().splitlines())} if KEPT.exists() else {}


def total(entries, name):
    return sum(entry.get("faults", {}).get(name, 0) for entry in entries)


def table(entries):
    lines = ["| fault | done | a fifth of a long run | long run at least |", "|---|---|---|---|"]
    rows = {}
    for fault in FAULTS:
        rows.setdefault(fault.row, []).append((fault.name, fault.goal))
    for row, parts in [*list(rows.items())[:3], (LATE[0], [LATE[1:]]), *list(rows.items())[3:]]:
        several = len(parts) > 1
        done = "; ".join(f"{total(entries, name)}{' ' + UNITS.get(name, name) if several else ''}" for name, _ in parts)
        goals = [sum(goal for _, goal in parts)] if not several else [goal for _, goal in parts]
        lines.append(f"| {row} | {done} | {' / '.join(str(-(-goal // 5)) for goal in goals)} | {' / '.join(map(str, goals))} |")
    return lines


def sums(entries):
    points, kinds, exits, recoveries = Counter(), Counter(), Counter(), defaultdict(list)
    for entry in entries:
        points.update(entry.get("points", {}))
        kinds.update(entry.get("state", {}))
        exits.update(entry["exits"])
        for what, (count, median, most) in entry["recoveries"].items():
            if "+" not in what:
                recoveries[what].append((count, median, most))
    lines = ["", "Named points: " + ", ".join(f"{name} {times}" for name, times in points.items()) + ".",
             "", "State: " + ", ".join(f"{name} {times}" for name, times in kinds.items()) + ".",
             "", f"Hot key, half of all events of one supplier: {sum(entry.get('hot', 0) for entry in entries)} campaigns.",
             "", "Exits of processors by code: " + ", ".join(f"{code}: {times}" for code, times in sorted(exits.items(), key=lambda item: int(item[0]))) + ".",
             "", "Seconds from the healing of a fault until every processor is ready and takes records or has none left (median of the campaigns' medians, worst), with the time-outs of the campaign:", "",
             "| after | times | median | worst |", "|---|---|---|---|"]
    for what, figures in recoveries.items():
        lines.append(f"| {what} | {sum(count for count, _, _ in figures)} | {statistics.median(median for _, median, _ in figures):.1f} | {max(most for _, _, most in figures):.1f} |")
    return lines


def summary(every):
    """The made part of the docs."""
    every = list(every)
    entries = [entry for entry in every if not entry.get("void")]
    campaigns = [entry for entry in entries if "minutes" in entry]
    wrong = [entry for entry in entries if entry["findings"]]
    lines = [f"{len(campaigns)} campaigns, {sum(entry['minutes'] for entry in campaigns):.0f} minutes of faults, {sum(entry['events'] for entry in campaigns):,} events; "
             f"{sum(entry['brokers'] == 3 for entry in campaigns)} of them with three brokers, {sum(entry['time_outs'] == 'defaults' for entry in campaigns)} with kontor's own time-outs, {sum('kafka' in entry for entry in campaigns)} on another version of Kafka ({', '.join(sorted({entry['kafka'] for entry in campaigns if 'kafka' in entry}))}). "
             f"{len(every) - len(entries)} more showed nothing, since the brokers lost markers, or records that they had confirmed.", ""]
    lines += table(entries) + sums(entries)
    late = [f"{took} s after {what}, load average {load}" for entry in campaigns for what, took, load in entry.get("late", [])]
    if late:
        lines += ["", f"Later than 60 s, on a machine that others kept busier than {BUSY}: " + "; ".join(late) + "."]
    lines += ["", "Seeds: " + ", ".join(str(entry["seed"]) for entry in campaigns) + ".", "",
              "Campaigns in which a checker found something: " + (", ".join(f"{entry['seed']} ({', '.join(entry['findings'])})" for entry in wrong) or "none") + "."]
    return "\n".join(lines) + "\n"


def written(text):
    """The docs with the made part anew."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return head + BEGIN + summary(kept().values()) + END + tail


def is_fresh():
    return DOCS.read_text() == written(DOCS.read_text())


def run(options):
    entries = kept()
    for path in sorted(REPORTS.glob("*.json")):
        entry = short(json.loads(path.read_text()))
        entries[str(entry["seed"])] = entry
    if options.write:
        KEPT.write_text("".join(json.dumps(entries[seed]) + "\n" for seed in sorted(entries, key=lambda seed: (not seed.isdigit(), seed.zfill(12)))))
        DOCS.write_text(written(DOCS.read_text()))
    print(summary(entries.values()))
    return 0
