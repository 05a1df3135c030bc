"""docker-compose.yml for real: a part of the sample through it against the oracle, two replicas, one killed and back, down and up with nothing lost; and what a
container says where its environment is wrong. Grafana is left out: it has no part in any of this. TESTS_COMPOSE_WHOLE=yes: the whole sample instead, compared with deploy/local/demo."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
from system import PROJECT, REPOSITORY, System, engine, once, processors, run  # noqa: E402
from cluster import finish, free_port, http_get, test, wait_until  # noqa: E402

FOLDER = REPOSITORY / "build" / "tests" / "compose"
EVENTS, LATER_EVENTS, PARTITIONS = 6000, 3000, 6
FLOWS = ("procurement", "invoice", "payment", "expense", "journal", "settlement", "review")
OUTCOMES = ("accepted", "duplicate", "rejected", "held", "parked", "poison")


# ---------------------------------------------------------------- the sample, in parts

def sample_of_image():
    """The sample's folder, out of its image."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    name = engine("create", "kontor/sample").stdout.split()[-1]
    try:
        engine("cp", f"{name}:/sample", FOLDER)
    finally:
        engine("rm", name)
    return FOLDER / "sample"


def parts(sample):
    """Two folders of events: what the service `sample` feeds (each topic's share of EVENTS), and LATER_EVENTS of the log that all come after them."""
    whole = {path.name.removesuffix(".jsonl.gz"): gzip.open(path, "rt").readlines() for path in sample.glob("*.events.jsonl.gz")}
    total = sum(map(len, whole.values()))
    first = {topic: lines[:(len(lines) * EVENTS + total - 1) // total] for topic, lines in whole.items()}
    last = max(json.loads(lines[-1])["timestamp"] for lines in first.values() if lines)
    later = sorted((json.loads(line)["timestamp"], topic, line) for topic in ("procurement.events", "invoice.events", "payment.events") for line in whole[topic][len(first[topic]):])
    later = [(topic, line) for timestamp, topic, line in later if timestamp > last][:LATER_EVENTS]
    second = {topic: [line for of, line in later if of == topic] for topic in first}
    for name, topics in (("first", [first]), ("both", [first, second]), ("second", [second])):
        (FOLDER / name).mkdir()
        shutil.copytree(sample / "master", FOLDER / name / "master")
        for topic in first:
            (FOLDER / name / f"{topic}.jsonl").write_text("".join(line for part in topics for line in part[topic]))
    return sum(map(len, first.values())), sum(map(len, second.values()))


def reckoned(name):
    """The oracle's outcome and reasons of every event of the log."""
    rows = FOLDER / f"{name}.outcomes"
    subprocess.run([REPOSITORY / "tests" / "oracle" / "oracle", FOLDER / name, "--partitions", str(PARTITIONS), "--source", "SAP-P2P", "--source", "BANK", "--outcomes", rows],
                   check=True, capture_output=True, text=True)
    return {row["event_id"]: (row["outcome"], sorted(row["reasons"])) for row in map(json.loads, open(rows))}


def check_outcomes(system, name, fed, whole=True):
    """Every event ends as the oracle says. Fed in parts (whole=False) what still waits may name other reasons than the oracle, which sees all at once."""
    expected, status = reckoned(name), system.status()
    found = {record["value"]["event_id"]: (record["value"]["outcome"], sorted({reason["code"] for reason in record["value"]["reasons"]}))
             for record in map(json.loads, system.kontor("consume", "acknowledgments").splitlines()) if record["value"]["source"] in ("SAP-P2P", "BANK")}
    def same(one, other):
        return one == other or (not whole and one[0] == other[0] == "parked")
    wrong = [f"{event}: oracle {outcome}, kontor {found.get(event)}" for event, outcome in expected.items() if not same(found.get(event, ("nothing",)), outcome)]
    assert not wrong and len(found) == len(expected), f"{len(wrong)} of {len(expected)} events end otherwise\n" + "\n".join(wrong[:12])
    assert status["events_in"] == fed == sum(status[outcome] for outcome in OUTCOMES), status
    assert status["journals"] > 0 and all(sides["debit"] == sides["credit"] for sides in status["currencies"].values()), status


# ---------------------------------------------------------------- up

def containers(system, replicas=None):
    return [system.container(service, index) for service in processors() for index in range(1, (replicas or {}).get(service, 1) + 1)]


def come_up(system, fed):
    with test("compose up: broker, registry, set-up, sample, every processor, all healthy"):
        print(f"  up in {system.up():.1f} s")
        for container in [*containers(system), *(system.container(name) for name in ("kafka", "registry", "probe", "prometheus"))]:
            assert system.health(container) == "healthy", container
        assert all(system.inspect(system.container(name), "{{.State.ExitCode}}") == "0" for name in ("setup", "sample", "registry-volume"))
    with test("compose up: the part of the sample ends as the oracle says"):
        system.await_caught_up(containers(system))
        check_outcomes(system, "first", fed)
    with test("compose up again: nothing is fed twice"):
        system.up("--no-recreate")
        assert "holds" in system.log(system.container("sample")) and system.status()["events_in"] == fed
    with test("compose run kontor: the command line in its container"):
        assert json.loads(system.compose("run", "--rm", "-T", "kontor", "status", "--format", "json").stdout)["events_in"] == fed


def synthetic(system):
    container = system.container("probe")
    with test("compose up: synthetic events of every flow come round, and nothing of them is counted"):
        before = system.status()
        wait_until(lambda: system.http(container, "/metrics")[1].count("kontor_probe_seconds_count{") == len(FLOWS), 30, "every flow is probed", interval_s=0.5)
        def rounds():
            text = system.http(container, "/metrics")[1]
            return {flow: int(re.search(rf'^kontor_probe_seconds_count{{flow="{flow}"}} (\d+)', text, re.M)[1]) for flow in FLOWS}
        wait_until(lambda: min(rounds().values()) >= 1, 60, "each has come round", interval_s=0.5)
        assert engine("exec", container, "kontor", "probe", "--health").stdout == "ready\n"
        assert system.status() == before


def empty(system):
    """Without the profile `sample`: what deploy/local/up gives."""
    with test("compose up without the sample: an empty system, all healthy, also what lacks nothing but master data"):
        system.compose("up", "-d", "--no-build", "--wait", *processors(), profiles=())
        assert all(system.health(container) == "healthy" for container in containers(system))
        assert engine("inspect", system.container("sample"), check=False).returncode != 0
        assert system.status()["events_in"] == 0
        status, reasons = system.http(system.container("acknowledger"), "/readyz")
        assert status == 503 and all(line.startswith("master data: ") for line in reasons.splitlines()), reasons
    system.compose("down", "-v")


def seen_by_prometheus(system):
    query = urllib.parse.urlencode({"query": "count by (processor) (kontor_build_info)"})
    result = json.loads(http_get(f"http://127.0.0.1:{system.prometheus}/api/v1/query?{query}")[1])["data"]["result"]
    return {row["metric"]["processor"]: int(row["value"][1]) for row in result}


def hardened(system):
    container = system.container("invoice")
    with test("image: no root, no writable file but state and /tmp, no capability"):
        assert engine("exec", container, "id", "-u").stdout.strip() == "10001"
        assert system.inspect(container, "{{.HostConfig.ReadonlyRootfs}}") == "true"
        assert engine("exec", container, "touch", "/usr/local/bin/x", "/etc/x", "/x", check=False).stderr.count("Read-only file system") == 3
        assert re.search(r"^CapEff:\s*0+$", engine("exec", container, "cat", "/proc/1/status").stdout, re.M)
        assert engine("exec", container, "stat", "-c", "%u", "/var/lib/kontor").stdout.strip() == "10001"
    with test("image: labels and health check are there, the health check says what /readyz says"):
        labels = json.loads(engine("image", "inspect", "--format", "{{json .Config.Labels}}", "kontor/invoice").stdout)
        assert labels["org.opencontainers.image.title"] == "kontor-invoice" and labels["org.opencontainers.image.licenses"] == "Apache-2.0", labels
        assert engine("exec", container, "processor", "--health").stdout == "ready\n"
    sizes = {name: int(engine("image", "inspect", "--format", "{{.Size}}", name).stdout) / 1e6
             for name in ("debian:bookworm-slim", "kontor/kontor", "kontor/sample", *(f"kontor/{processor}" for processor in processors()))}
    print("  sizes in MB: " + ", ".join(f"{name} {size:.1f}" for name, size in sizes.items()))
    with test("image: a processor's adds less than 30 MB to Debian's"):
        assert all(sizes[f"kontor/{processor}"] - sizes["debian:bookworm-slim"] < 30 for processor in processors()), sizes


# ---------------------------------------------------------------- replicas, kills, down

def assigned(system, container):
    """Tasks at the newest assignment."""
    found = re.findall(r"assigned (\d+) of (\d+) tasks", system.log(container))
    return int(found[-1][0]) if found else 0


def schema_ids(system):
    base = f"http://127.0.0.1:{system.registry}/apis/ccompat/v7/subjects"
    status, subjects = http_get(base)
    return {subject: json.loads(http_get(f"{base}/{subject}/versions/latest")[1])["id"] for subject in json.loads(subjects)} if status == 200 else {}


def replicas(system):
    one, two = system.container("invoice", 1), system.container("invoice", 2)
    with test("two of a processor: each is named after its container and has its share of the tasks"):
        system.up("--no-recreate", "--scale", "invoice=2")
        for container in (one, two):
            assert f"instance={container} " in system.log(container), system.log(container)
        wait_until(lambda: assigned(system, one) + assigned(system, two) == PARTITIONS and assigned(system, two) > 0, 60, "the tasks are shared", interval_s=0.5)
    with test("Prometheus finds every replica of every processor"):
        wait_until(lambda: seen_by_prometheus(system) == {name: 2 if name == "invoice" else 1 for name in (*processors(), "probe")}, 60, "all replicas scraped", interval_s=1)
    ids = schema_ids(system)
    with test("kill -9 of a replica and of the registry, and back: the same name, the same schema ids"):
        for container in (two, system.container("registry")):
            engine("kill", "-s", "KILL", container)
            engine("start", container)
        system.await_healthy(system.container("registry"), one, two)
        assert system.log(two).count(f"instance={two} ") == 2
        assert ids and wait_until(lambda: schema_ids(system), 60, "the registry answers", interval_s=0.5) == ids


def nothing_lost(system, fed, later):
    every = containers(system, {"invoice": 2})
    with test("SIGTERM: each processor is done in two seconds, with exit code 0"):
        assert system.stop(*every) < 2.5      # the engine's command itself included
        assert {system.inspect(container, "{{.State.ExitCode}}") for container in every} == {"0"}
    for path in sorted((FOLDER / "second").glob("*.jsonl")):
        if path.stat().st_size:
            system.kontor("produce", path.name.removesuffix(".jsonl"), path)
    with test("down and up again with what came in between: as the oracle says, nothing lost"):
        system.compose("down")
        print(f"  up again in {system.up('--scale', 'invoice=2'):.1f} s")
        system.await_caught_up(every)
        check_outcomes(system, "both", fed + later, whole=False)
    with test("down and up: states and names are those of before"):
        logs = system.log(system.container("invoice", 1)) + system.log(system.container("invoice", 2))
        folders = engine("exec", system.container("invoice", 1), "ls", "/var/lib/kontor").stdout.split()
        assert folders == sorted(containers(system, {"invoice": 2})), folders
        assert len(set(re.findall(r"instance=(\S+)", logs))) == 2, logs


# ---------------------------------------------------------------- what is wrong

VARIABLES = {"KONTOR_KAFKA_BOOTSTRAP_SERVERS": "kafka:19092", "KONTOR_REGISTRY_URL": "http://registry:8080/apis/ccompat/v7", "KONTOR_TABLES_SOURCE": "SAP-P2P",
             "KONTOR_LOG_FORMAT": "human", "KONTOR_INSTANCE_NAME": "try-1"}


def options(**changes):
    return [word for name, value in {**VARIABLES, **changes}.items() if value is not None for word in ("-e", f"{name}={value}")]


def refuses(what, *words, extra=(), image="kontor/journal", code=1, **changes):
    """The container ends by itself, with this exit code and one line that holds these words."""
    with test(f"container: {what}: one line, exit {code}"):
        status, text = once(image, *extra, *options(**changes))
        complaints = [line for line in text.splitlines() if all(word in line for word in words)]
        assert status == code and len(complaints) == 1, f"exit {status}\n{text}"
        print(f"  {complaints[0]}")


def waits(what, words, **changes):
    """The container goes on, is not healthy, and /readyz and the health check say why."""
    name = f"{PROJECT}-try-1"
    with test(f"container: {what}: waits, /readyz says why"):
        engine("run", "-d", "--name", name, "--network", f"{PROJECT}_kontor", "--read-only", *options(**changes), "kontor/journal")
        try:
            system = System(0, 0)

            def unready():
                status, body = system.http(name, "/readyz")
                return body if status == 503 and words in body else None
            body = wait_until(unready, 30, words, interval_s=0.5)
            asked = engine("exec", name, "processor", "--health", check=False)
            assert asked.returncode == 1 and words in asked.stdout, asked
            assert system.inspect(name, "{{.State.Running}}") == "true"
            assert len(body.splitlines()) == 1, body
            print(f"  {body.strip()}")
        finally:
            engine("rm", "-f", "-v", name)


def topics_tool(system, *words):
    return engine("exec", system.container("kafka"), "/opt/kafka/bin/kafka-topics.sh", "--bootstrap-server", "localhost:19092", *words)


def set_up(*changes):
    """(exit code, both streams) of the set-up."""
    return once("kontor/kontor", "-e", "KONTOR_KAFKA_BOOTSTRAP_SERVERS=kafka:19092", "-e", "KONTOR_REGISTRY_URL=http://registry:8080/apis/ccompat/v7",
                "-e", f"TOPICS_PARTITIONS={PARTITIONS}", *changes, entrypoint="setup")


def missing_topic(system):
    """One that the processor writes, and one that it reads."""
    for topic in ("dlq.journal.events", "kontor.journal.timers"):
        topics_tool(system, "--delete", "--topic", topic)
        wait_until(lambda: topic not in topics_tool(system, "--list").stdout.split(), 30, "it is gone", interval_s=0.5)
        refuses(f"a missing topic, {topic}", f"topic {topic} does not exist", "kontor topics apply")
    with test("container: set-up makes them again"):
        status, text = set_up()
        listed = topics_tool(system, "--list").stdout.split()
        assert status == 0 and {"dlq.journal.events", "kontor.journal.timers"} <= set(listed), text


def parked(number):
    """A journal that waits for an entity, and takes room meanwhile."""
    return json.dumps({"value": {"event_id": f"full-{number}", "kind": "submitted", "source": "OFFICE", "entity": "LATER", "partner": f"P{number}", "document": f"F{number}", "document_date": "2019-12-16",
                                 "currency": "EUR", "text": "x" * 20000, "lines": [{"line": str(k), "side": side, "account": "449000", "amount": "1.00"} for k, side in enumerate(("debit", "credit"))]}})


def full_while_it_runs(system):
    """The processor alone in its group, on a disk of 24 MB, takes 60 MB."""
    name, service, events = f"{PROJECT}-try-1", system.container("journal"), FOLDER / "full.jsonl"
    events.write_text("".join(parked(number) + "\n" for number in range(3000)))
    engine("stop", service)
    with test("container: a state volume that fills while it runs: one line, exit 3"):
        engine("run", "-d", "--name", name, "--network", f"{PROJECT}_kontor", "--read-only", "--mount", "type=tmpfs,destination=/small,tmpfs-size=24000000,tmpfs-mode=1777",
               *options(KONTOR_STATE_DIR="/small/try-1", KONTOR_SESSION_TIMEOUT_MS="6s"), "kontor/journal")
        try:
            wait_until(lambda: system.http(name, "/readyz")[0] == 200, 60, "it is ready", interval_s=0.5)
            system.kontor("produce", "journal.events", events)
            wait_until(lambda: system.inspect(name, "{{.State.Running}}") == "false", 90, "it ends", interval_s=0.5)
            complaints = [line for line in system.log(name).splitlines() if "no room on the disk" in line]
            assert system.inspect(name, "{{.State.ExitCode}}") == "3" and len(complaints) == 1 and "free some" in complaints[0], system.log(name)
            print(f"  {complaints[0]}")
        finally:
            engine("rm", "-f", "-v", name)
    with test("container: ... with room again it goes on, nothing is lost"):
        engine("start", service)
        system.await_healthy(service)
        system.await_caught_up([service])
        told = [record["value"] for record in map(json.loads, system.kontor("consume", "acknowledgments").splitlines()) if record["value"]["event_id"].startswith("full-")]
        assert len(told) == 3000 == len({value["event_id"] for value in told}) and {value["outcome"] for value in told} == {"parked"}, len(told)


def bad_surroundings(system):
    refuses("a missing variable", "kafka.bootstrap.servers is missing", "KONTOR_KAFKA_BOOTSTRAP_SERVERS", KONTOR_KAFKA_BOOTSTRAP_SERVERS=None)
    refuses("a variable that is none", 'unknown variable "KONTOR_BATCH_MAX_RECORD"', "KONTOR_BATCH_MAX_RECORDS", KONTOR_BATCH_MAX_RECORD="5")
    refuses("a wrong value", "KONTOR_COMMIT_GAP_MS", "soon", KONTOR_COMMIT_GAP_MS="soon")
    refuses("no source of master data", "no authoritative source", "tables.source", KONTOR_TABLES_SOURCE=None)
    refuses("a full volume", "no room on the disk", "free some", extra=("--mount", "type=tmpfs,destination=/full,tmpfs-size=1000000,tmpfs-mode=1777"), KONTOR_STATE_DIR="/full/try-1")
    refuses("a state that cannot be written", "state.dir", "cannot be made", KONTOR_STATE_DIR="/nowhere/try-1")
    refuses("the name of another that runs", "another process uses", code=4, extra=("-v", f"{PROJECT}_state:/var/lib/kontor"), KONTOR_INSTANCE_NAME=system.container("journal"))
    waits("no broker", "no broker answers", KONTOR_KAFKA_BOOTSTRAP_SERVERS="nowhere:9092")
    waits("no registry", "http://nowhere:8080", KONTOR_REGISTRY_URL="http://nowhere:8080/apis/ccompat/v7")
    with test("container: set-up without a broker, without a registry: one line, exit 1"):
        for change, words in (("KONTOR_KAFKA_BOOTSTRAP_SERVERS=nowhere:9092", "no broker answers at nowhere:9092"), ("KONTOR_REGISTRY_URL=http://nowhere:8080", "http://nowhere:8080")):
            connection = [word for name in ("KONTOR_KAFKA_BOOTSTRAP_SERVERS", "KONTOR_REGISTRY_URL") for word in ("-e", f"{name}={VARIABLES[name]}")]
            status, text = once("kontor/kontor", *connection, "-e", change, "-e", f"TOPICS_PARTITIONS={PARTITIONS}", entrypoint="setup")
            assert status == 1 and sum(words in line for line in text.splitlines()) == 1, f"exit {status}\n{text}"
    missing_topic(system)
    full_while_it_runs(system)
    # The last, since the topic stays so.
    topics_tool(system, "--alter", "--topic", "kontor.journal.timers", "--partitions", str(PARTITIONS + 1))
    refuses("a topic with another number of partitions", "kontor.journal.timers", "same number of partitions", "7, expected 6")
    with test("container: set-up says so too"):
        status, text = set_up()
        assert status == 1 and any("kontor.journal.timers" in line and "differs" in line for line in text.splitlines()), f"exit {status}\n{text}"


def build(system):
    """One after the other: builders without a common cache would compile once for each. TESTS_COMPOSE_BUILD=no takes the images as they are."""
    if os.environ.get("TESTS_COMPOSE_BUILD") == "no":
        return
    with test("images build"):
        for service in ("setup", "sample", "probe", *processors()):
            system.compose("build", service, deadline_s=1800)


def whole():
    """All of the sample, with as many tasks as deploy/local/demo has, against what that gives on this machine."""
    system = System("", "")
    demo = FOLDER / "demo"
    system.compose("down", "-v", check=False)
    try:
        build(system)
        with test("the whole sample through compose"):
            begun = time.monotonic()
            print(f"  up in {system.up():.1f} s")
            system.await_caught_up(containers(system), 1800)
            found = system.status()
            print(f"  compose: {json.dumps(found)}")
            print(f"  {found['events_in']} events, {found['journals']} journals, caught up after {time.monotonic() - begun:.1f} s")
    finally:
        system.compose("down", "-v", "--remove-orphans", check=False)
    with test("... is what deploy/local/demo gives"):
        try:
            run([REPOSITORY / "deploy" / "local" / "demo", "--data", demo, "--port", free_port(), "--registry-port", free_port()], deadline_s=1800)
        finally:
            run([REPOSITORY / "deploy" / "local" / "down", "--data", demo], check=False)
        expected = json.loads((REPOSITORY / "build" / "demo" / "summary.json").read_text())
        # How often what waits is told that it still does depends on who is faster; what becomes of it does not.
        differing = {name: (value, found.get(name)) for name, value in expected.items()
                     if name not in ("seconds", "events_per_second", "acknowledgments", "started", "finished") and found.get(name) != value}
        print(f"  demo: {json.dumps(expected)}")
        assert not differing, differing


def main():
    if os.environ.get("TESTS_COMPOSE_WHOLE") == "yes":
        FOLDER.mkdir(parents=True, exist_ok=True)
        whole()
        return
    system = System(EVENTS, PARTITIONS)
    system.compose("down", "-v", check=False)
    try:
        build(system)
        empty(system)
        fed, later = parts(sample_of_image())
        come_up(system, fed)
        synthetic(system)
        hardened(system)
        replicas(system)
        nothing_lost(system, fed, later)
        bad_surroundings(system)
    finally:
        system.compose("down", "-v", "--remove-orphans", check=False)


main()
sys.exit(finish())
