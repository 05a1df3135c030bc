"""What the benchmarks share: what they ran on, what a process has used, medians, and the report in Markdown and JSON."""

import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "e2e"), str(Path(__file__).resolve().parents[1] / "harness")]
from cluster import REPOSITORY, wait_until  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
ASK_S = 0.1
QUIET_LOAD = 1.5        # above that something else has the cores as well: what is measured is that too
BUILD = REPOSITORY / "build" / "tests"


def machine():
    """What this runs on, as it is now."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    jars = subprocess.run(["bash", "-c", ". deploy/local/lib.sh && ls \"$(kafka_jars)\""], cwd=REPOSITORY, capture_output=True, text=True).stdout
    broker = re.search(r"kafka-clients-([0-9.]+)\.jar", jars)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True).stdout.strip()
    return {"cores": os.cpu_count(), "processor": model.group(1) if model else platform.machine(), "kernel": platform.release(),
            "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1), "broker": broker.group(1) if broker else "unknown",
            "librdkafka": library_version("rdkafka"), "lmdb": library_version("lmdb"), "commit": commit or "unknown",
            "at": time.strftime("%Y-%m-%d %H:%M", time.gmtime()) + " UTC"}


def library_version(name):
    return subprocess.run(["pkg-config", "--modversion", name], capture_output=True, text=True).stdout.strip() or "unknown"


def load():
    """The load average of the last minute."""
    return round(os.getloadavg()[0], 2)


def await_quiet(seconds):
    """Waits until nothing else uses the machine, at most so long: the seconds before the start count too, of the build for example. The load at the end."""
    deadline = time.monotonic() + seconds
    while load() > QUIET_LOAD and time.monotonic() < deadline:
        time.sleep(1)
    return load()


def cpu_seconds(process):
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mb(process, what="RssAnon"):
    """RssAnon: what only this process has; the tables' and states' files, which the kernel can drop, are RssFile and RssShmem."""
    return next(int(line.split()[1]) / 1024 for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if line.startswith(what + ":"))


def medians(results):
    return {name: round(statistics.median(result[name] for result in results), 2) for name in results[0]}


def spread(results, name):
    """The least and the most of the rounds."""
    return [round(min(result[name] for result in results), 2), round(max(result[name] for result in results), 2)]


def seconds_until_ready(processor, deadline_s=120):
    """Starts it; the time until /readyz says 200."""
    begun = time.monotonic()
    processor.start()
    wait_until(lambda: processor.ready() or not processor.alive(), deadline_s, f"{processor.name} ready", interval_s=0.005)
    assert processor.alive(), processor.log_tail()
    return time.monotonic() - begun


def settled(processor, metric):
    """The gauge when it does not change any more: gauges are told about once a second."""
    values = []

    def steady():
        values.append(processor.metric(metric))
        return len(values) > 3 and len(set(values[-4:])) == 1 and values[-1]
    return wait_until(steady, 60, f"{processor.name}: {metric} settled", interval_s=0.7)


def measured(processor, events, deadline_s=240):
    """From the first records that it has committed until the last: events, the seconds and the CPU that they took, by event. It is asked seldom, because an
    answer costs it as much as forty events; so the end is between two questions, and the rate is that up to the last question before it."""
    samples = []

    def all_taken():
        records = processor.metric("kontor_records_total") or 0
        if records and (not samples or records > samples[-1][1]):
            samples.append((time.monotonic(), records, cpu_seconds(processor.process)))
        return records >= events
    wait_until(all_taken, deadline_s, f"{processor.name} has taken all", interval_s=ASK_S)
    (begun, first, first_cpu), last = samples[0], samples[-2] if len(samples) > 3 else samples[-1]
    assert last[1] > first, f"{events} events are too few to measure"
    seconds, cpu = (last[0] - begun) * (events - first) / (last[1] - first), (last[2] - first_cpu) * (events - first) / (last[1] - first)
    commits, commit_seconds = processor.metric("kontor_commit_seconds_count"), processor.metric("kontor_commit_seconds_sum")
    return {"events_per_second": (events - first) / seconds, "cpu_us_per_event": cpu * 1e6 / (events - first), "rss_anon_mb": memory_mb(processor.process),
            "events_per_transaction": events / commits, "commit_ms": commit_seconds / commits * 1e3}


# ---------------------------------------------------------------- the report

class Goal:
    """A number to reach: met(value) and how it reads."""

    def __init__(self, name, text, value, met, unit):
        self.name, self.text, self.value, self.met, self.unit = name, text, value, bool(met), unit


def at_most(name, value, limit, unit):
    return Goal(name, f"≤ {limit:g} {unit}", value, value <= limit, unit)


def at_least(name, value, limit, unit):
    return Goal(name, f"≥ {limit:,g} {unit}", value, value >= limit, unit)


def table(heads, rows):
    """Markdown; every column but the first is of numbers."""
    lines = ["| " + " | ".join(heads) + " |", "|---|" + "--:|" * (len(heads) - 1)]
    return "\n".join(lines + ["| " + " | ".join(cell if isinstance(cell, str) else f"{cell:,.2f}".rstrip("0").rstrip(".") for cell in row) + " |" for row in rows])


def write(report, goals, sections):
    """build/tests/bench.json and bench.md. sections: (heading, text)."""
    report["goals"] = [{"goal": goal.name, "wanted": goal.text, "measured": goal.value, "met": goal.met} for goal in goals]
    (BUILD / "bench.json").write_text(json.dumps(report, indent=1) + "\n")
    on = report["machine"]
    head = [f"Measured {on['at']} at commit {on['commit']} on {on['cores']} cores ({on['processor']}), {on['memory_gb']} GB, Linux {on['kernel']}; Kafka {on['broker']} beside it on the same",
            f"cores, librdkafka {on['librdkafka']}, LMDB {on['lmdb']}. Medians of {report['rounds']} rounds. Load average at the start {report['load_at_start']}."]
    if not report["valid"]:
        head += ["", f"**These figures are not valid**: {report['why_not_valid']}. They show that the measurement works, and nothing of kontor."]
    rows = [[goal.name, goal.text, f"{goal.value:,.2f} {goal.unit}", "reached" if goal.met else "**falls short**"] for goal in goals]
    text = ["# What was measured", "", *head, "", "## Goals", "", table(["what", "wanted", "measured", ""], rows)]
    for heading, body in sections:
        text += ["", f"## {heading}", "", body]
    (BUILD / "bench.md").write_text("\n".join(text) + "\n")
