"""A million dead letters indexed, listed with filters, and 100,000 of them sent again, one run killed on its way. Figures on standard output and in build/tests/bench-dlq.json.
KONTOR_DEAD_LETTERS, KONTOR_REPLAYS: other numbers."""

import base64
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "e2e"), str(Path(__file__).resolve().parents[1] / "harness")]
from cluster import BIN, REPOSITORY, Cluster, finish, spawn, test, wait_until  # noqa: E402
from small import event, line  # noqa: E402

DEAD = int(os.environ.get("KONTOR_DEAD_LETTERS", "1000000"))
REPLAYS = int(os.environ.get("KONTOR_REPLAYS", "100000"))
KEYS = 10000


def write_dead(path, value):
    """Every tenth for another reason, every hundredth of another entity; the last REPLAYS of a source of their own key range."""
    coded = base64.b64encode(value).decode()
    with open(path, "w") as out:
        for i in range(DEAD):
            entity = "BETA" if i % 100 == 0 else "ACME"
            replay = i < REPLAYS
            headers = {"trace": str(i), "kontor-reason": "KEY_MISMATCH" if i % 10 == 0 else "SOURCE_NOT_AUTHORISED", "kontor-text": "to be sent again" if replay else f"ERP9 may not say this ({i})",
                       "kontor-processor": "invoice", "kontor-version": "0.1.0", "kontor-topic": "invoice.events", "kontor-partition": "1", "kontor-offset": str(i),
                       "kontor-timestamp": str(1772445600000 + i), "kontor-time": str(1772445600000 + i)}
            out.write(json.dumps({"key": f"{entity}|S{i % KEYS}", "headers": headers, "value": coded}, separators=(",", ":")) + "\n")


def timed(cluster, *arguments, **options):
    begun = time.monotonic()
    result = cluster.kontor(*arguments, deadline_s=600, **options)
    return time.monotonic() - begun, result


def came_back(cluster):
    """Of each key the traces in order of arrival."""
    per_key = {}
    for text in cluster.kontor("consume", "invoice.events", "--raw", deadline_s=600).stdout.splitlines():
        record = json.loads(text)
        if "kontor-replay-of" in (record["headers"] or {}):
            per_key.setdefault(record["key"], []).append(int(record["headers"]["trace"]))
    return per_key


def main():
    figures = {"dead_letters": DEAD, "replays": REPLAYS}
    with Cluster(REPOSITORY / "build" / "tests" / "bench-dlq", heap="768m", binaries=Path(os.environ.get("BINARIES", BIN))) as cluster:
        cluster.kontor("topics", "apply", "--partitions", "8")
        cluster.kontor("schemas", "register")
        cluster.kontor("produce", "invoice.events", input=line(event("received", "X1", source="ERP9"), 0))
        value = base64.b64decode(json.loads(cluster.kontor("consume", "invoice.events", "--raw").stdout)["value"])
        write_dead(cluster.directory / "dead.jsonl", value)
        cluster.kontor("produce", "dlq.invoice.events", cluster.directory / "dead.jsonl", "--raw", deadline_s=600)
        (cluster.directory / "dead.jsonl").unlink()
        index = ("--index", cluster.directory / "index")
        with test(f"{DEAD:,} dead letters listed with filters in less than 2 s after indexing"):
            figures["index_seconds"], _ = timed(cluster, "dlq", "list", *index, "--limit", "1")
            slowest = 0
            for filters, count in {("--code", "KEY_MISMATCH", "--key", "BETA|S700"): DEAD // KEYS, ("--entity", "ACME", "--text", "(123456)"): 0 if DEAD < 123457 else 1, ("--source", "ERP9", "--key", "ACME|S77"): DEAD // KEYS,
                                   ("--older", "1d"): 0}.items():
                seconds, result = timed(cluster, "dlq", "list", *index, *filters, "--format", "json")
                found = len(json.loads(result.stdout))
                assert found == count, (filters, found, count)
                figures["list " + " ".join(filters)] = round(seconds, 2)
                slowest = max(slowest, seconds)
            figures["list everything, the newest 100"], _ = timed(cluster, "dlq", "list", *index)
            figures["list --code KEY_MISMATCH, the newest 100"], _ = timed(cluster, "dlq", "list", *index, "--code", "KEY_MISMATCH")
            assert max(slowest, figures["list everything, the newest 100"]) < 2, figures
        command = ["dlq", "replay", *index, "--text", "to be sent again", "--user", "bench", "--reason", "measured", "--yes", "--format", "json"]
        with test("a run that is killed has sent some for good, the next one the rest, each once, in order of each key"):
            process = spawn([cluster.binaries / "kontor", *command, "--rate", "20000"], cwd=REPOSITORY, env={**os.environ, **cluster.environment})
            audit = lambda: len(cluster.kontor("consume", "audit", "--raw", "--limit", "20000").stdout.splitlines())     # noqa: E731
            wait_until(lambda: audit() > 5000, 60, "some are sent")
            process.kill()
            process.wait()
            killed_at = sum(map(len, came_back(cluster).values()))
            assert 0 < killed_at < REPLAYS, killed_at
            _, result = timed(cluster, *command)
            row = json.loads(result.stdout)[0]
            assert row["replayed"] + row["replayed_before"] == REPLAYS and row["replayed_before"] >= killed_at, (row, killed_at)
            per_key = came_back(cluster)
            assert sum(map(len, per_key.values())) == REPLAYS and max(Counter(trace for traces in per_key.values() for trace in traces).values()) == 1
            assert all(traces == sorted(traces) for traces in per_key.values())
            figures["killed_at"] = killed_at
        with test(f"a replay of {REPLAYS:,} at 20,000 a second or more"):
            command[command.index("--text") + 1] = "ERP9 may not say this"
            _, result = timed(cluster, *command, "--limit", str(REPLAYS))
            row = json.loads(result.stdout)[0]
            assert row["replayed"] == REPLAYS
            figures["replays_per_second"] = round(REPLAYS / row["milliseconds"] * 1000)
            assert figures["replays_per_second"] >= 20000, figures
    figures = {name: round(value, 2) for name, value in figures.items()}
    (REPOSITORY / "build" / "tests" / "bench-dlq.json").write_text(json.dumps(figures, indent=1) + "\n")
    print("  " + json.dumps(figures), flush=True)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
