"""Events a second and CPU an event of each processor alone, over the whole sample, with the broker on the same machine. All topics are loaded first; the
first round warms the broker and does not count, the median of the others does. Writes build/tests/bench.json."""

import json
import os
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from world import REPOSITORY, TABLES_SOURCE, feed, prepare, sample  # noqa: E402
from cluster import Cluster, finish, test, wait_until  # noqa: E402

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(process):
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def anonymous_mb(process):
    return next(int(line.split()[1]) / 1024 for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if line.startswith("RssAnon"))


def run(cluster, binary, events, number):
    processor = cluster.processor(binary, f"{binary.removeprefix('kontor-')}-{number}", TABLES_SOURCE)
    processor.start()
    wait_until(lambda: (processor.metric("kontor_records_total") or 0) > 0, 60, f"{binary} takes records", interval_s=0.01)
    begun, first, cpu = time.monotonic(), processor.metric("kontor_records_total"), cpu_seconds(processor.process)
    wait_until(lambda: processor.metric("kontor_records_total") == events, 240, f"{binary} has taken all", interval_s=0.02)
    seconds, cpu = time.monotonic() - begun, cpu_seconds(processor.process) - cpu
    commits, commit_seconds = processor.metric("kontor_commit_seconds_count"), processor.metric("kontor_commit_seconds_sum")
    result = {"events_per_second": (events - first) / seconds, "cpu_us_per_event": cpu * 1e6 / (events - first), "rss_anon_mb": anonymous_mb(processor.process),
              "events_per_transaction": events / commits, "commit_ms": commit_seconds / commits * 1e3}
    processor.stop()
    return result


def main():
    folder = sample()
    counts = {"kontor-procurement": sum(1 for _ in open(folder / "procurement.events.jsonl"))}
    counts["kontor-invoice"] = counts["kontor-procurement"] + sum(1 for _ in open(folder / "invoice.events.jsonl"))
    report = {"machine": f"{os.cpu_count()} cores, broker on the same machine", "rounds": ROUNDS, "processors": {}}
    rounds = {binary: [] for binary in counts}
    for number in range(ROUNDS + 1):
        with Cluster(REPOSITORY / "build" / "tests" / "bench", heap="768m") as cluster:
            prepare(cluster, folder)
            feed(cluster, folder)
            for binary, events in counts.items():
                result = run(cluster, binary, events, number)
                if number:
                    rounds[binary].append(result)
    for binary, results in rounds.items():
        report["processors"][binary] = {name: round(statistics.median(result[name] for result in results), 2) for name in results[0]}
        print("  " + binary + "  " + "  ".join(f"{name} {value:,}" for name, value in report["processors"][binary].items()), flush=True)
    (REPOSITORY / "build" / "tests" / "bench.json").write_text(json.dumps(report, indent=1) + "\n")
    with test("kontor-invoice takes 50,000 events a second"):
        assert report["processors"]["kontor-invoice"]["events_per_second"] >= 50000, report


main()
sys.exit(finish())
