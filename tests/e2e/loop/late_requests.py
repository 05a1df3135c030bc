"""A request of one transaction that hangs in the network and reaches the broker during the next: each case first with plain librdkafka, to show what it
does, then with kontor's producer, which must end with exactly the records and the offset that were meant."""

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from cluster import REPOSITORY, finish, spawn, test, wait_until  # noqa: E402
from proxied import ProxiedCluster  # noqa: E402

PROGRAMS = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else REPOSITORY / "build" / "tests"
SOCKET_TIMEOUT_MS = 1500


class Driver:
    """transaction_driver with a transactional.id, group and topic of its own."""

    def __init__(self, cluster, kind, name):
        self.cluster, self.kind, self.name = cluster, kind, f"{name}-{kind}"
        topic = f"late.{self.name}"
        cluster.kafka_tool("org.apache.kafka.tools.TopicCommand", "--create", "--topic", topic, "--partitions", "1")
        self.process = spawn([PROGRAMS / "transaction_driver", kind, cluster.proxied, self.name, f"group-{self.name}", topic, SOCKET_TIMEOUT_MS, cluster.bootstrap],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1)

    def say(self, command):
        self.process.stdin.write(command + "\n")
        answer = self.process.stdout.readline().strip()
        print(f"    {self.name}: {command} -> {answer}", flush=True)
        return answer

    def do(self, *commands):
        """Commands that must answer ok."""
        for command in commands:
            answer = self.say(command)
            if answer != "ok" and answer != "_NO_ERROR" and answer != "NO_ERROR":
                raise Failed(f"{command}: {answer}")

    def written(self, value_count):
        """Waits until so many Produce requests of this producer have been answered."""
        def answered():
            log = self.cluster.proxy("log 400").split(" | ")
            return sum(1 for line in log if "<- Produce" in line and f"txid={self.name} " in line + " " and "= NONE" in line) >= value_count
        wait_until(answered, 15, "records at the broker")

    def transaction(self, value, offset):
        """The whole of it, repeated as the broker's word demands, from what the group has committed."""
        for _ in range(5):
            if int(self.say("committed")) >= offset:
                return
            try:
                self.do("prepare", "begin", f"send {value}", f"offset {offset}", "commit")
                return
            except Failed:
                self.say("abort")
        raise Failed(f"{value} cannot be committed")

    def result(self):
        return self.say("values").split(), int(self.say("committed"))

    def result_when_marked(self, kind):
        """A commit is answered before its markers are in the partitions: a busy broker shows the records a moment later."""
        try:
            return wait_until(lambda: (lambda found: found if found == RIGHT or kind != "ours" else None)(self.result()), 10, "the markers", interval_s=0.2)
        except TimeoutError:
            return self.result()

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)


class Failed(Exception):
    pass


# Each case brings about a late request of the first transaction and lets it go during the second. It answers nothing: the driver is asked.

def late_commit(driver):
    """EndTxn(commit): what the second has written so far becomes visible, whatever becomes of the second."""
    driver.do("prepare")
    driver.cluster.proxy(f"hold EndTxn commit cut txid={driver.name}")
    driver.do("begin", "send a", "offset 1", "commit", "prepare", "begin", "send b")
    driver.written(2)
    driver.cluster.proxy("release")
    driver.say("abort")
    driver.transaction("b", 2)


def late_abort(driver):
    """EndTxn(abort), after the second's records and before its offsets: records gone, offsets advanced, no error."""
    driver.do("prepare")
    driver.transaction("a", 1)
    driver.cluster.proxy(f"hold EndTxn abort cut txid={driver.name}")
    driver.do("prepare", "begin", "send x")
    driver.written(2)
    driver.do("abort", "prepare", "begin", "send b")
    driver.written(3)
    driver.cluster.proxy("release")
    try:
        driver.do("offset 2", "commit")
    except Failed:
        driver.say("abort")
        driver.transaction("b", 2)


def late_offsets(driver):
    """TxnOffsetCommit, after the second's own: the old offset wins."""
    driver.do("prepare")
    driver.cluster.proxy(f"hold TxnOffsetCommit cut txid={driver.name}")
    driver.do("begin", "send a", "offset 1", "commit", "prepare", "begin", "send b", "offset 2")
    driver.cluster.proxy("release")
    try:
        driver.do("commit")
    except Failed:
        driver.say("abort")
        driver.transaction("b", 2)


def late(api, before_offsets):
    """The other requests: at worst one redo, no wrong data."""
    def case(driver):
        if api == "InitProducerId":
            driver.cluster.proxy(f"hold {api} cut txid={driver.name}")
            driver.do("prepare")
        else:
            driver.do("prepare")
            driver.cluster.proxy(f"hold {api} cut txid={driver.name}")
        try:
            driver.do("begin", "send a", "offset 1", "commit")
        except Failed:
            driver.say("abort")
            driver.transaction("a", 1)
        try:
            driver.do("prepare", "begin", "send b")
            if not before_offsets:
                driver.do("offset 2")
            driver.cluster.proxy("release")
            if before_offsets:
                driver.do("offset 2")
            driver.do("commit")
        except Failed:
            driver.say("abort")
            driver.transaction("b", 2)
    case.__doc__ = f"{api}: at worst one redo, no wrong data."
    return case


def lost(mode):
    """The commit's answer never comes: its outcome is unknown, the group's offsets tell it."""
    def case(driver):
        driver.do("prepare")
        driver.transaction("a", 1)
        driver.cluster.proxy(f"{mode} EndTxn commit n=0 txid={driver.name}")
        driver.do("prepare", "begin", "send b", "offset 2")
        answer = driver.say("commit")
        driver.cluster.proxy("clear")
        if answer != "unknown":
            raise Failed(f"commit: {answer}, expected unknown")
        driver.do("prepare")
        if int(driver.say("committed")) != (2 if mode == "noreply" else 1):
            raise Failed("the group's offset does not tell what became of it")
        driver.transaction("b", 2)
    return case


CASES = {"late-commit": (late_commit, True), "late-abort": (late_abort, True), "late-offsets": (late_offsets, True),
         "late-partitions": (late("AddPartitions", True), False), "late-init": (late("InitProducerId", True), False),
         "late-add-offsets": (late("AddOffsets", False), False), "late-produce": (late("Produce", True), False),
         "commit-done-unheard": (lost("noreply"), False), "commit-never-arrived": (lost("drop"), False)}
RIGHT = (["a", "b"], 2)


def run(cluster, kind, name, case):
    driver = Driver(cluster, kind, name)
    try:
        case(driver)
        return driver.result_when_marked(kind), int(driver.say("renewals"))
    finally:
        cluster.proxy("clear")
        if cluster.proxy("held") != "none":
            cluster.proxy("release")
        driver.close()


def main():
    with ProxiedCluster(REPOSITORY / "build" / "tests" / "late-requests") as cluster:
        for name, (case, goes_wrong) in CASES.items():
            if len(sys.argv) > 2 and name not in sys.argv[2:]:
                continue
            if goes_wrong:
                with test(f"{name}: plain librdkafka goes wrong, so the case is real"):
                    result, _ = run(cluster, "naive", name, case)
                    assert result != RIGHT, f"it did not: {result}"
                    print(f"    plain librdkafka: values {' '.join(result[0])}, offset {result[1]}; meant were a b, 2", flush=True)
            with test(f"{name}: ours has every record once and the right offset"):
                result, renewals = run(cluster, "ours", name, case)
                assert result == RIGHT, f"values {result[0]}, offset {result[1]}"
                assert renewals >= 1, "the producer was not renewed: the request was not late"


main()
sys.exit(finish())
