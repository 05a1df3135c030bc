"""The exactly-once loop on a real broker, with kontor-counter (counter.h), which hides nothing: what is taken twice shows twice, what is lost leaves a gap."""

import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from cluster import REPOSITORY, again_where_markers_were_lost, finish, seed, spawn, test, wait_until  # noqa: E402
from proxied import ProxiedCluster  # noqa: E402

PROGRAMS = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else REPOSITORY / "build" / "tests"
ONLY = sys.argv[2:]
FOLDER = REPOSITORY / "build" / "tests" / "-".join(["loop", *ONLY[:1]])     # several may run side by side
KEYS = 100
PARTITIONS = 6
POINTS = ("after-begin", "after-produce", "before-seal", "after-seal", "before-offsets", "after-offsets", "before-commit", "after-commit", "before-state", "after-state")


class Counted:
    """The events fed so far, and the check that every one was counted once."""

    def __init__(self, cluster):
        self.cluster, self.events = cluster, 0

    def tool(self, *arguments, check=True):
        result = subprocess.run([PROGRAMS / "counter_tool", *map(str, arguments)], cwd=self.cluster.directory, capture_output=True, text=True, timeout=300)
        if check and result.returncode:
            raise AssertionError(f"counter_tool {arguments[0]}: {result.stdout}{result.stderr}")
        return result.stdout.strip()

    def setup(self):
        self.tool("setup", self.cluster.bootstrap, self.cluster.registry_url, PARTITIONS)

    def feed(self, count):
        self.tool("produce", self.cluster.bootstrap, self.events, count, KEYS)
        self.events += count

    def check(self, order="any"):
        print("    " + self.tool("check", self.cluster.bootstrap, self.events, KEYS, order), flush=True)

    def check_soon(self, *processors, deadline_s=60):
        """Right as soon as the processors have taken everything."""
        def taken():
            for processor in processors:
                assert processor.alive(), f"{processor.name} ended with {processor.process.returncode}\n{processor.log_tail()}"
            return self.tool("check", self.cluster.bootstrap, self.events, KEYS, "any", check=False).startswith("right")
        try:
            wait_until(taken, deadline_s, "every event counted once", interval_s=0.2)
        except TimeoutError:
            self.check()
        self.check()


class Feeding:
    """Feeds a little at a time, beside what the test does."""

    def __init__(self, counted, count=200, pause_s=0.05):
        self.counted, self.count, self.pause_s = counted, count, pause_s
        self.ending, self.failure = threading.Event(), None

    def run(self):
        try:
            while not self.ending.is_set():
                self.counted.feed(self.count)
                self.ending.wait(self.pause_s)
        except Exception as failure:    # told when the feeding ends
            self.failure = failure

    def __enter__(self):
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()
        if self.failure:
            raise self.failure


def counter(cluster, instance="counter-0", binary="kontor-counter", **properties):
    settings = {"tables.source": "MDM", "session.timeout.ms": "6000", **{key.replace("_", "."): value for key, value in properties.items()}}
    return cluster.processor(binary, instance, settings)


def committed_order(cluster, counted, rng):
    first = counter(cluster)
    with test("what was complete at the start is counted in the order of time over both inputs"):
        counted.feed(30000)
        first.start().wait_ready()
        counted.check_soon(first)
        counted.check("in-order")
    with test("SIGTERM ends it within two seconds, exit code 0; the same name goes on at once"):
        counted.feed(20000)
        assert first.stop() < 2.0 and first.process.returncode == 0, first.process.returncode
        begun = time.monotonic()
        first.start().wait_ready()
        print(f"    ready again after {time.monotonic() - begun:.2f} s", flush=True)
        counted.check_soon(first)
    first.stop()


def crash_points(cluster, counted, rng):
    for point in POINTS:
        with test(f"killed at {point}"):
            for times in (1, rng.randrange(2, 6)):
                dying = counter(cluster, fault=f"{point}:{times}", batch_max_records="300")
                dying.start()
                counted.feed(4000)
                assert dying.exit_code(40) == -9, dying.log_tail()
                again = counter(cluster).start().wait_ready()
                counted.check_soon(again)
                again.stop()


def random_kills(cluster, counted, rng):
    processor = counter(cluster, batch_max_records="500")
    with test("kill -9 at random, 12 times while it works"), Feeding(counted):
        processor.start()
        for _ in range(12):
            time.sleep(rng.uniform(0.05, 1.0))      # when it is killed is the test's input, not a wait
            processor.kill()
            processor.start()
        processor.wait_ready()
    with test("... every event counted once"):
        counted.check_soon(processor)
    with test("state folder lost: built again from the changelog"):
        processor.kill()
        shutil.rmtree(processor.state)
        processor.start().wait_ready()
        wait_until(lambda: processor.metric("kontor_state_entries") >= KEYS, 5, "state entries told")
        counted.feed(2000)
        counted.check_soon(processor)
    processor.stop()


def broker_killed(_cluster, _counted, _rng):
    """On a cluster of its own, which may have to be another one."""
    def attempt():
        with ProxiedCluster(FOLDER.with_name("loop-killed"), binaries=PROGRAMS, controller=True) as cluster:
            counted = Counted(cluster)
            counted.setup()
            processor = counter(cluster, kafka_bootstrap_servers=cluster.proxied).start().wait_ready()
            identity = processor.process.pid
            for _ in range(2):
                with Feeding(counted):
                    wait_until(lambda: processor.metric("kontor_records_total"), 20, "records taken")
                cluster.kill_broker()
                cluster.broker.start().wait_ready()
                cluster.check_markers()
            counted.feed(1000)
            try:
                counted.check_soon(processor, deadline_s=90)
            except Exception:
                cluster.check_markers()     # the broker may have said so since
                raise
            assert processor.process.pid == identity and processor.alive()
    with test("broker killed and started again, 2 times while it works"):
        again_where_markers_were_lost(attempt)


def broker_faults(cluster, counted, rng):
    processor = counter(cluster, kafka_bootstrap_servers=cluster.proxied)
    processor.start().wait_ready()
    identity = processor.process.pid
    with test("network gone for 30 s: not ready, says why, quiet, goes on without a restart"):
        lines = len(processor.log().splitlines())
        with Feeding(counted):
            cluster.proxy("down")
            gone = time.monotonic()
            wait_until(lambda: processor.http("/readyz")[0] == 503 or time.monotonic() - gone > 30, 31, "not ready")
            while time.monotonic() - gone < 30:
                time.sleep(0.2)         # the length of the outage is the test's input
                assert processor.alive()
            said = len(processor.log().splitlines()) - lines
            print(f"    {said} log lines in 30 s; readyz: {processor.http('/readyz')}", flush=True)
            cluster.proxy("up")
        begun = time.monotonic()
        counted.check_soon(processor)
        print(f"    right {time.monotonic() - begun:.1f} s after the network came back", flush=True)
        assert said < 60, processor.log_tail(80)
        assert processor.process.pid == identity
    with test("SIGTERM while the broker is gone: within two seconds, exit code 0"):
        counted.feed(3000)
        cluster.proxy("down")
        took = processor.stop()
        assert took < 2.0 and processor.process.returncode == 0, (took, processor.process.returncode, processor.log_tail())
        cluster.proxy("up")
        processor.start().wait_ready()
        counted.check_soon(processor)
    with test("started while the broker is gone: waits and says so, then works"):
        processor.stop()
        cluster.proxy("down")
        processor.start()
        wait_until(lambda: "kafka" in processor.http("/readyz")[1], 20, "readyz says that there is no broker")
        assert processor.http("/healthz")[0] == 200
        cluster.proxy("up")
        processor.wait_ready()
        counted.feed(500)
        counted.check_soon(processor)
    processor.stop()


def proxy_faults(cluster, counted, rng):
    processor = counter(cluster, kafka_bootstrap_servers=cluster.proxied, batch_max_records="200", kafka_producer_socket_timeout_ms="1500")
    processor.start().wait_ready()
    with test("40 late, lost, unanswered and cut requests of its transactions, at random"):
        with Feeding(counted, count=100, pause_s=0.02):
            for _ in range(40):
                api = rng.choice(("Produce", "AddPartitions", "AddOffsets", "TxnOffsetCommit", "EndTxn", "EndTxn"))
                mode = rng.choice(("hold", "hold", "drop", "noreply"))
                kind = rng.choice(("commit", "")) if api == "EndTxn" else ""
                cut = rng.choice(("cut", "cut", ""))
                cluster.proxy(f"{mode} {api} {kind} {cut} skip={rng.randrange(4)}")
                time.sleep(rng.uniform(0.1, 0.8))   # how late a request is, is the test's input
                if mode == "hold":
                    cluster.proxy("release")
            cluster.proxy("clear")
            cluster.proxy("release")
        counted.check_soon(processor, deadline_s=90)
        print(f"    renewals {processor.metric('kontor_producer_renewals_total'):.0f}, transactions aborted "
              f"{processor.metric('kontor_transactions_total', outcome='aborted'):.0f}, unknown {processor.metric('kontor_transactions_total', outcome='unknown'):.0f}", flush=True)
        assert processor.metric("kontor_producer_renewals_total") > 0
    processor.stop()


def doubtful_commits(cluster, counted, rng):
    """Longer than a call waits: the batch is aborted, and only the group's offsets say whether it was committed."""
    processor = counter(cluster, kafka_bootstrap_servers=cluster.proxied, batch_max_records="200", transaction_call_timeout_ms="1500")
    processor.start().wait_ready()
    for fault in ("noreply EndTxn commit", "drop EndTxn commit", "drop TxnOffsetCommit", "noreply TxnOffsetCommit", "drop AddPartitions", "noreply Produce"):
        with test(f"for longer than a call waits: {fault}"):
            before = processor.metric("kontor_transactions_total", outcome="aborted")
            with Feeding(counted, count=100, pause_s=0.02):
                cluster.proxy(f"{fault} n=0")
                try:
                    wait_until(lambda: processor.metric("kontor_transactions_total", outcome="aborted") > before, 30, "an aborted batch")
                finally:
                    cluster.proxy("clear")
            counted.check_soon(processor, deadline_s=60)
    print(f"    aborted {processor.metric('kontor_transactions_total', outcome='aborted'):.0f}, unknown {processor.metric('kontor_transactions_total', outcome='unknown'):.0f}, "
          f"renewals {processor.metric('kontor_producer_renewals_total'):.0f}", flush=True)
    processor.stop()


def owned(*processors):
    return [processor.metric("kontor_tasks_owned") for processor in processors]


def rebalances(cluster, counted, rng):
    first, second = counter(cluster, "counter-0"), counter(cluster, "counter-1")
    first.start().wait_ready()
    with test("a second instance takes half of the tasks, while both work"), Feeding(counted):
        second.start().wait_ready()
        wait_until(lambda: owned(first, second) == [PARTITIONS / 2] * 2, 30, "half and half")
    counted.check_soon(first, second)
    with test("an instance is killed for good: the other takes its tasks after the session"), Feeding(counted):
        second.kill()
        wait_until(lambda: owned(first) == [PARTITIONS], 30, "all at one")
    counted.check_soon(first)
    with test("restarted within the session: no rebalance"):
        second.start().wait_ready()
        wait_until(lambda: owned(first, second) == [PARTITIONS / 2] * 2, 30, "half and half")
        before = first.log().count("partitions_revoked")
        second.kill()
        second.start().wait_ready()
        counted.feed(1000)
        counted.check_soon(first, second)
        assert first.log().count("partitions_revoked") == before
    with test("--leave: the tasks of a stopped instance move at once"):
        second.stop()
        begun = time.monotonic()
        leaving = spawn([PROGRAMS / "kontor-counter", "--config", second.config, "--leave"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        errors = leaving.communicate(timeout=30)[1]
        assert leaving.returncode == 0, errors
        wait_until(lambda: owned(first) == [PARTITIONS], 5, "all at one")
        print(f"    {time.monotonic() - begun:.1f} s", flush=True)
        counted.feed(1000)
        counted.check_soon(first)
    with test("leave.on.stop: at once as well"):
        leaver = counter(cluster, "counter-2", leave_on_stop="true").start().wait_ready()
        wait_until(lambda: owned(first, leaver) == [PARTITIONS / 2] * 2, 30, "half and half")
        took = leaver.stop()
        assert took < 2.0, took
        wait_until(lambda: owned(first) == [PARTITIONS], 3, "all at one")
    first.stop()


def twins(cluster, counted, rng):
    first = counter(cluster).start().wait_ready()
    with test("the same state folder: exit code 4 at once"):
        same = counter(cluster)
        same.config = cluster.directory / "same.properties"
        same.config.write_text(first.config.read_text().replace(f":{first.metrics_port}", f":{same.metrics_port}"))
        same.arguments[-1] = same.config
        assert same.start().exit_code(10) == 4, same.log_tail()
        assert first.alive()
    with test("the same name elsewhere: one of the two ends with exit code 4 and says why, nothing is doubled"):
        twin = counter(cluster, "twin", instance_name="counter-0")
        with Feeding(counted):
            twin.start()
            wait_until(lambda: not first.alive() or not twin.alive(), 40, "one has ended")
        left = twin if twin.alive() else first
        gone = first if left is twin else twin
        assert gone.process.returncode == 4 and "instance.name" in gone.log(), gone.log_tail()
        left.wait_ready()
        counted.check_soon(left)
        left.stop()


def open_transaction(cluster, counted, rng):
    with test("restore waits for the end of a transaction that is open in the changelog, and sees its predecessor's last batches behind it"):
        driver = spawn([PROGRAMS / "transaction_driver", "naive", cluster.bootstrap, "foreign", "foreign", "kontor.counter.changelog", 5000, cluster.bootstrap],
                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

        def say(command):
            driver.stdin.write(command + "\n")
            return driver.stdout.readline()
        processor = counter(cluster, transaction_timeout_ms="10000").start().wait_ready()
        say("begin")
        say("send not-a-value-of-ours")
        say("flush")
        counted.feed(1000)      # committed behind the open transaction: to a reader of what is committed the log ends before it
        counted.check_soon(processor)
        processor.kill()
        shutil.rmtree(processor.state)
        processor.start()
        wait_until(lambda: "restoring 1 tasks" in processor.http("/readyz")[1], 30, "one task still restoring")
        wait_until(lambda: "hangs in the broker" in processor.http("/readyz")[1] and "kafka-transactions.sh abort" in processor.log(), 20, "the operator told what to do")
        say("abort")
        driver.stdin.close()
        driver.wait(10)
        processor.wait_ready()
        counted.feed(1000)
        counted.check_soon(processor)
        processor.stop()


def aborted_records(cluster, counted, rng):
    with test("where there is nothing but what was aborted, nothing is behind"):
        driver = spawn([PROGRAMS / "transaction_driver", "naive", cluster.bootstrap, "stranger", "stranger", "kontor.counter.timers", 5000, cluster.bootstrap],
                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        for command in "begin", "send a-tick-of-a-processor-that-died", "flush", "abort":
            driver.stdin.write(command + "\n")
            driver.stdout.readline()
        driver.stdin.close()
        driver.wait(10)
        processor = counter(cluster).start().wait_ready()
        counted.feed(1000)
        counted.check_soon(processor)
        wait_until(processor.caught_up, 20, "no records behind, as the metrics say")
        processor.stop()


def environment(cluster, counted, rng):
    def ends(properties, code, text):
        processor = counter(cluster, "counter-9", **properties)
        assert processor.start().exit_code(20) == code and text in processor.log(), processor.log_tail()
    with test("a property that exactly-once stands on is refused"):
        ends({"kafka_isolation_level": "read_uncommitted"}, 1, "isolation.level")
    with test("no authoritative source of a table is refused"):
        ends({"tables_source": ""}, 1, "source")
    with test("a changelog with another number of partitions is refused, with what to do"):
        cluster.kafka_tool("org.apache.kafka.tools.TopicCommand", "--alter", "--topic", "kontor.counter.changelog", "--partitions", str(PARTITIONS + 1))
        ends({}, 1, "kontor topics apply")


def rolling_upgrade(cluster, counted, rng):
    """Two versions of the program, with state schemas that differ, share the partitions and take them over from each other."""
    first, second = counter(cluster, "counter-0"), counter(cluster, "counter-1", binary="kontor-counter-next")
    first.start().wait_ready()
    with test("rolling upgrade: the next version takes half of the tasks, while both work"):
        with Feeding(counted):
            second.start().wait_ready()
            wait_until(lambda: owned(first, second) == [PARTITIONS / 2] * 2, 30, "half and half")
            wait_until(lambda: second.metric("kontor_events_total", outcome="accepted"), 20, "events of the next version")
        counted.check_soon(first, second)
    with test("one version back: the next version is killed, the first takes its tasks and reads what that wrote"):
        with Feeding(counted):
            second.kill()
            wait_until(lambda: owned(first) == [PARTITIONS], 30, "all at one")
        counted.check_soon(first)
    with test("the next version alone, from the changelog alone, with values of both"):
        first.stop()
        shutil.rmtree(second.state)
        second.start().wait_ready()
        counted.feed(2000)
        counted.check_soon(second, deadline_s=60)
        second.stop()
    with test("a version that cannot read the state ends with exit code 1, names store, field and `kontor state migrate`"):
        other = counter(cluster, "counter-0", binary="kontor-counter-other")
        assert other.start().exit_code(40) == 1, other.log_tail()
        for word in ("store counts", "CountState.owner", "kontor state migrate"):
            assert word in other.log(), other.log_tail()
    with test("... and leaves it as it was"):
        first = counter(cluster, "counter-0").start().wait_ready()
        counted.feed(1000)
        counted.check_soon(first)
        first.stop()


def changelog_replaced(cluster, counted, rng):
    processor = counter(cluster)
    processor.start().wait_ready()
    counted.feed(1000)
    counted.check_soon(processor)

    def replace(*how):
        processor.stop()
        subprocess.run([PROGRAMS / "changelog_tool", cluster.bootstrap, "kontor.counter.changelog", *how], check=True, stdout=subprocess.DEVNULL, timeout=120)
    with test("a state as old as half of delete.retention.ms is rebuilt"):
        replace("retention", "8000")
        time.sleep(5)           # its age is the test's input
        processor.start().wait_ready()
        assert processor.log().count("so old that deletions may be gone") == PARTITIONS, processor.log_tail()
        counted.feed(1000)
        counted.check_soon(processor)
        replace("retention", "604800000")
        processor.start().wait_ready()
    with test("a state that nobody has owned for a day is deleted at the next assignment, a younger one is not"):
        processor.stop()
        task = next(mark.parent for mark in processor.state.rglob("mark") if mark.parent.name.isdigit())
        for name, days in (("1001", 2), ("1002", 0.5)):
            shutil.copytree(task, task.parent / name)
            for file in (task.parent / name).iterdir():
                os.utime(file, (time.time() - days * 86400,) * 2)
        processor.start().wait_ready()
        assert not (task.parent / "1001").exists() and (task.parent / "1002").exists()
    with test("a changelog of another partition count, partitioner or format is refused, with what to do"):
        for there, other, advice in ((f"partitions={PARTITIONS}", f"partitions={PARTITIONS + 1}", "kontor rekey"), ("murmur2", "crc32-c", "kontor state migrate"),
                                     ("format=2", "format=3", "kontor state migrate")):
            replace("new", there, other)
            assert processor.start().exit_code(40) == 1 and advice in processor.log(), processor.log_tail()
            replace("new", other, there)
        processor.start().wait_ready()
        counted.check_soon(processor)
    with test("the changelog deleted and made anew, as long as before: the state is rebuilt from it"):
        replace("new")
        processor.start().wait_ready()
        assert processor.log().count("the changelog is another one") == PARTITIONS, processor.log_tail()
        counted.feed(1000)
        counted.check_soon(processor)
    with test("restarted on it: believed, nothing is rebuilt"):
        processor.stop()
        processor.start().wait_ready()
        assert "state_dropped" not in processor.log(), processor.log_tail()
    with test("the state's position is below the log's start: rebuilt"):
        replace("moved")
        processor.start().wait_ready()
        assert processor.log().count("is not in the changelog") == PARTITIONS, processor.log_tail()
        counted.feed(1000)
        counted.check_soon(processor)
    with test("a changelog without its beginning is refused, with and without a state"):
        replace("headless")
        for _ in range(2):
            assert processor.start().exit_code(40) == 1 and "does not begin with its header" in processor.log(), processor.log_tail()
            assert "state_dropped" not in processor.log(), processor.log_tail()
            shutil.rmtree(processor.state)


def lag_while_paused(cluster, counted, rng):
    """A paused processor fetches nothing once its queues are full: some 1,300 records a partition. What comes then it knows of only because it asks (ends.h)."""
    more = 60000
    counted.feed(2000)
    processor = counter(cluster, "counter-0").start().wait_ready()
    counted.check_soon(processor)
    wait_until(processor.caught_up, 10, "lag 0", interval_s=0.1)
    with test("a paused processor shows all that it has not taken, also what comes later"):
        before = processor.metric("kontor_records_total")
        counted.tool("garbage", cluster.bootstrap, 5000)
        wait_until(lambda: processor.metric("kontor_paused") == 1, 30, "paused", interval_s=0.1)
        counted.feed(more)
        wait_until(lambda: processor.metric("kontor_lag_records") == 5000 + more - (processor.metric("kontor_records_total") - before), 15, "the whole lag", interval_s=0.1)
    with test("... started again without a limit it takes the rest, and the lag goes to nothing"):
        processor.stop()
        again = counter(cluster, "counter-0", poison_flood_percent="100", kafka_bootstrap_servers=cluster.proxied).start().wait_ready()
        wait_until(again.caught_up, 60, "the rest taken", interval_s=0.1)
        counted.check_soon(again)
    with test("SIGTERM ends it within two seconds while no broker answers what it asks"):
        cluster.proxy("down")
        wait_until(lambda: again.http("/readyz")[0] != 200 or "broker_unreachable" in again.log(), 20, "it knows", interval_s=0.1)
        took = again.stop()
        cluster.proxy("up")
        assert took < 2.0, took


def flood(cluster, counted, rng):
    with test("a flood of poison pauses it, and it says so; the rest stays where it is"):
        processor = counter(cluster, "counter-0").start().wait_ready()
        counted.tool("garbage", cluster.bootstrap, 5000)
        wait_until(lambda: "poison" in processor.http("/readyz")[1], 30, "paused")
        wait_until(lambda: processor.metric("kontor_paused") == 1, 10, "the metric says so")
        assert processor.alive()
        letters = processor.metric("kontor_events_total", outcome="poison")
        assert 0 < letters < 2500, letters
        processor.stop()
    with test("... and is taken to its end where no share of poison pauses"):
        processor = counter(cluster, "counter-0", poison_flood_percent="100").start().wait_ready()
        wait_until(processor.caught_up, 60, "the flood taken")
        processor.stop()


SCENARIOS = (committed_order, crash_points, random_kills, broker_killed, broker_faults, proxy_faults, doubtful_commits, rebalances, rolling_upgrade, twins, open_transaction, aborted_records, lag_while_paused, flood,
             changelog_replaced, environment)


def main():
    rng = random.Random(seed())
    with ProxiedCluster(FOLDER, binaries=PROGRAMS) as cluster:
        counted = Counted(cluster)
        counted.setup()
        unknown = set(ONLY) - {scenario.__name__ for scenario in SCENARIOS}
        assert not unknown, f"there is no scenario {unknown}"
        for scenario in SCENARIOS:
            if not ONLY or scenario.__name__ in ONLY:
                scenario(cluster, counted, rng)
                for processor in cluster.processors:
                    processor.stop()


main()
sys.exit(finish())
