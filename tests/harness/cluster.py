"""A real broker and registry, and kontor's programs, for tests: started by the scripts of deploy/local, ended with the test.

    with Cluster("build/tests/e2e") as cluster:
        cluster.kontor("topics", "apply")
        invoice = cluster.processor("kontor-invoice")
        invoice.start().wait_ready()
        with test("a restart within two seconds"):
            assert invoice.stop() < 2.0

    sys.exit(finish())

Every process started here is ended by its id: at the end of the `with`, and by the kernel (PR_SET_PDEATHSIG) when the
test process itself dies, by whatever signal.
"""

import ctypes
import os
import queue
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("BINARIES") or REPOSITORY / "build" / "bin")     # another build's: tests/suites/sanitizers
SERVICE = REPOSITORY / "deploy" / "local" / "service"


# ---------------------------------------------------------------- waiting

def wait_until(predicate, deadline_s, what, interval_s=0.02):
    """Polls until predicate() is true and returns what it returned; TimeoutError saying `what` after deadline_s seconds."""
    deadline = time.monotonic() + deadline_s
    while True:
        result = predicate()
        if result:
            return result
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {deadline_s} s: {what}")
        time.sleep(interval_s)


def http_get(url, timeout_s=5):
    """(status, text); status 0 when there was no answer."""
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except OSError as error:
        return 0, str(error)


def sample(text, name, **labels):
    """The sum of a metric's samples that have these labels, in what /metrics says; None when there is no such sample."""
    values = []
    for line in text.splitlines():
        series, _, value = line.rpartition(" ")
        if series.split("{")[0] == name and all(f'{key}="{wanted}"' in series for key, wanted in labels.items()):
            values.append(float(value))
    return sum(values) if values else None


_ports_given = set()


def free_port():
    """A free port of 127.0.0.1, below those that the kernel gives to outgoing connections (see deploy/local/lib.sh)."""
    while True:
        port = random.randrange(15000, 30000)
        if port in _ports_given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _ports_given.add(port)
        return port


# ---------------------------------------------------------------- processes

_libc = ctypes.CDLL(None, use_errno=True)
_starts = queue.Queue()
_starter = None
_PR_SET_PDEATHSIG = 1


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _serve_starts():
    while True:
        arguments, options, answer = _starts.get()
        try:
            answer.put(subprocess.Popen(arguments, preexec_fn=_die_with_parent, **options))
        except BaseException as error:  # handed to the caller of spawn
            answer.put(error)


def spawn(arguments, **options):
    """subprocess.Popen whose process dies with this one. The kernel's parent is a thread, not a process: all starts are made
    by one thread that lives as long as the tests, so a process may be started from any thread."""
    global _starter
    if _starter is None:
        _starter = threading.Thread(target=_serve_starts, daemon=True)
        _starter.start()
    answer = queue.Queue()
    _starts.put(([str(argument) for argument in arguments], options, answer))
    result = answer.get()
    if isinstance(result, BaseException):
        raise result
    return result


class Service:
    """One process that can be stopped, killed and started again; its log is kept over restarts."""

    def __init__(self, name, arguments, log_path, environment):
        self.name, self.arguments, self.log_path = name, arguments, Path(log_path)
        self.environment = environment
        self.process = None

    def start(self):
        assert not self.alive(), f"{self.name} already runs"
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log_path, "ab") as log:
            self.log_start = log.tell()
            self.process = spawn(self.arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=REPOSITORY,
                                 env={**os.environ, **self.environment})
        return self

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def ready(self):
        raise NotImplementedError

    def why(self):
        """What it says of itself when it is not ready."""
        return ""

    def wait_ready(self, deadline_s=60):
        def ready_or_dead():
            return self.ready() or not self.alive()
        try:
            wait_until(ready_or_dead, deadline_s, f"{self.name} ready")
        except TimeoutError as error:
            raise TimeoutError(f"{error}{self.why()}\n{self.log_tail()}") from None
        if not self.alive():
            raise RuntimeError(f"{self.name} ended with {self.process.returncode}\n{self.log_tail()}")
        return self

    def stop(self, deadline_s=20):
        """SIGTERM; returns the seconds it took to end. TimeoutError (and SIGKILL) when it took longer than deadline_s."""
        begun = time.monotonic()
        if self.alive():
            self.process.terminate()
            try:
                self.process.wait(deadline_s)
            except subprocess.TimeoutExpired:
                self.kill()
                raise TimeoutError(f"{self.name} did not end within {deadline_s} s of SIGTERM\n{self.log_tail()}") from None
        return time.monotonic() - begun

    def kill(self):
        """kill -9, and waits until it is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def restart(self, deadline_s=60):
        self.stop()
        return self.start().wait_ready(deadline_s)

    def exit_code(self, deadline_s=20):
        """Waits for it to end by itself."""
        return self.process.wait(deadline_s)

    def log(self):
        """What it has printed since its last start."""
        with open(self.log_path, "rb") as log:
            log.seek(self.log_start)
            return log.read().decode(errors="replace")

    def log_tail(self, lines=25):
        return f"---- the end of {self.log_path}:\n" + "\n".join(self.log().splitlines()[-lines:])


class Broker(Service):
    """A service of deploy/local/service: broker, controller or registry."""

    def __init__(self, name, data, port, environment):
        self.port = port
        super().__init__(name, [SERVICE, "run", name, data, port], data / f"{name}.log", environment)

    def ready(self):
        if self.name != "registry":
            return "Kafka Server started" in self.log() and self._accepts()
        return http_get(f"http://127.0.0.1:{self.port}/apis/ccompat/v7/subjects")[0] == 200

    def _accepts(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False


class Processor(Service):
    """One instance of a processor. `properties` are added to (and win over) those that every instance gets."""

    def __init__(self, cluster, binary, instance, properties, binaries):
        self.metrics_port = free_port()
        self.state = cluster.directory / "state" / instance
        self.config = cluster.directory / f"{instance}.properties"
        settings = {"instance.name": instance, "state.dir": self.state, "kafka.bootstrap.servers": cluster.bootstrap,
                    "registry.url": cluster.registry_url, "metrics.listen": f"127.0.0.1:{self.metrics_port}",
                    "log.format": "json", **properties}
        self.config.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        super().__init__(instance, [Path(binaries) / binary, "--config", self.config], cluster.directory / f"{instance}.log", {})

    def ready(self):
        return self.http("/readyz")[0] == 200

    def why(self):
        return f": {self.http('/readyz')[1].strip()}"

    def http(self, path):
        return http_get(f"http://127.0.0.1:{self.metrics_port}{path}")

    def metric(self, name, **labels):
        """The sum of the metric's samples that have these labels; None when there is no such sample."""
        status, text = self.http("/metrics")
        return sample(text, name, **labels) if status == 200 else None

    def caught_up(self):
        return self.metric("kontor_lag_records") == 0


class Probe(Processor):
    """`kontor probe` with a file of events, for a cluster whose processors run."""

    def __init__(self, cluster, file, every, binaries):
        super().__init__(cluster, "kontor", "probe-0", {}, binaries)
        self.arguments = [Path(binaries) / "kontor", "probe", "--config", self.config, file, "--every", every]


# ---------------------------------------------------------------- the whole

class LostMarkers(Exception):
    """The broker has lost what its transactions came to. A transaction whose markers are due while a partition has no leader is taken for one of a partition that was deleted, and
    its marker skipped (Kafka 4.3.0 to 4.4.0, KAFKA-20734; docs/operations.md, The brokers). Such a transaction hangs, or becomes visible although it was aborted; nothing that a client
    does can help, and the run shows nothing about kontor."""


class LostRecords(LostMarkers):
    """The brokers have lost what they had confirmed, or taken it twice: what was fed is not what there is (docs/operations.md, The brokers)."""


def again_where_markers_were_lost(run, attempts=5):
    """What run() returns; it is run again where the broker lost its markers, from nothing, and says so."""
    for attempt in range(attempts):
        try:
            return run()
        except LostMarkers as error:
            if attempt == attempts - 1:
                raise
            print(f"  {error}: once more, from nothing", flush=True)


class Cluster:
    """Broker and registry in `directory`, which is emptied first unless keep. `broker_properties` are added to the broker's.

    heap: of a broker that is measured, "768m". Others live for half a minute: they get less, and to optimise their code would take more than it saves.

    controller: one of its own, which outlives the broker. A test that kills the broker needs it: where the controller dies too, it takes the broker that comes
    back for dead once more, and a broker without partitions skips the transaction markers that are due ("Couldn't find leader endpoint ... likely
    deleted already", Kafka 4.3): that transaction hangs for ever."""

    def __init__(self, directory, keep=False, broker_properties=None, binaries=BIN, heap=None, controller=False):
        self.directory = Path(directory).resolve()
        if not keep:
            shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.binaries = Path(binaries)
        # A killed broker is let in again when its session has ended: 9 s by default.
        extra = {"broker.session.timeout.ms": 3000, "broker.heartbeat.interval.ms": 500, **(broker_properties or {})}
        for name in ("broker", "controller"):
            (self.directory / f"{name}.extra.properties").write_text("".join(f"{k}={v}\n" for k, v in extra.items()))
        environment = {"BROKER_HEAP": heap} if heap else {"BROKER_HEAP": "512m", "BROKER_COMPILER": "1"}
        self.controller = None
        if controller:
            self.controller = Broker("controller", self.directory, free_port(), environment)
            environment = {**environment, "BROKER_CONTROLLER_PORT": str(self.controller.port)}
        self.broker = Broker("broker", self.directory, free_port(), environment)
        self.registry = Broker("registry", self.directory, free_port(), environment)
        self.processors = []

    def kill_broker(self):
        """kill -9, and waits until its own controller has taken its partitions away: a broker that is back sooner begins with what it knew of itself before, and
        loses transaction markers when that ends."""
        fenced = self.controller.log().count("Fencing broker")
        self.broker.kill()
        wait_until(lambda: self.controller.log().count("Fencing broker") > fenced, 30, "the broker's partitions taken away")

    def check_markers(self):
        """LostMarkers when the broker has skipped transaction markers that were due. To be asked after a kill of the broker."""
        if "likely deleted already and hence can be skipped" in self.broker.log_path.read_text(errors="replace"):
            raise LostMarkers("the broker has skipped transaction markers that were due")

    @property
    def bootstrap(self):
        return f"127.0.0.1:{self.broker.port}"

    @property
    def registry_url(self):
        return f"http://127.0.0.1:{self.registry.port}/apis/ccompat/v7"

    @property
    def environment(self):
        return {"KONTOR_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap, "KONTOR_REGISTRY_URL": self.registry_url}

    def start(self):
        if self.controller:
            self.controller.start().wait_ready()
        self.broker.start()
        self.registry.start()
        self.broker.wait_ready()
        self.registry.wait_ready()
        return self

    def stop(self):
        """Ends everything, processors first. What does not end on SIGTERM is killed."""
        for service in [*self.processors, self.registry, self.broker, *([self.controller] if self.controller else [])]:
            try:
                service.stop()
            except TimeoutError as error:
                print(error, flush=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    def processor(self, binary, instance=None, properties=None, binaries=None):
        """A Processor, not yet started; instance is by default the binary's name without `kontor-`, and `-0`."""
        instance = instance or binary.removeprefix("kontor-") + "-0"
        processor = Processor(self, binary, instance, properties or {}, binaries or self.binaries)
        self.processors.append(processor)
        return processor

    def probe(self, file, every="1s"):
        """A Probe, not yet started."""
        probe = Probe(self, file, every, self.binaries)
        self.processors.append(probe)
        return probe

    def kontor(self, *arguments, input=None, check=True, deadline_s=120, text=True):
        """Runs the command `kontor` to its end; returns the CompletedProcess with stdout and stderr as text, or as bytes."""
        process = spawn([self.binaries / "kontor", *arguments], cwd=REPOSITORY, env={**os.environ, **self.environment}, text=text,
                        stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(input, timeout=deadline_s)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise TimeoutError(f"kontor {' '.join(map(str, arguments))} took longer than {deadline_s} s\n{err}") from None
        if check and process.returncode != 0:
            raise RuntimeError(f"kontor {' '.join(map(str, arguments))} ended with {process.returncode}\n{err}{out[-2000:]}")
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def kafka_tool(self, main_class, *arguments, deadline_s=60):
        """Runs one of Kafka's own tools, e.g. org.apache.kafka.tools.TopicCommand; returns its standard output."""
        jars = subprocess.run(["bash", "-c", ". deploy/local/lib.sh && kafka_jars"], cwd=REPOSITORY, check=True,
                              capture_output=True, text=True).stdout.strip()
        process = spawn(["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*", main_class,
                         "--bootstrap-server", self.bootstrap, *arguments], cwd=REPOSITORY, text=True,
                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = process.communicate(timeout=deadline_s)
        if process.returncode != 0:
            raise RuntimeError(f"{main_class} ended with {process.returncode}\n{err}{out}")
        return out


# ---------------------------------------------------------------- reporting, as tests/run reads it

class Skip(Exception):
    """Raised in a test to skip it: raise Skip("why")."""


_failures = 0


@contextmanager
def test(name):
    """One test: prints `ok NAME`, or what went wrong and `not ok NAME: why`, and goes on with the next."""
    global _failures
    begun = time.monotonic()
    try:
        yield
    except Skip as why:
        print(f"skip {name}: {why}", flush=True)
    except Exception as error:
        import traceback
        print("  " + traceback.format_exc().replace("\n", "\n  "), flush=True)
        first_line = (str(error).splitlines() or [""])[0]
        print(f"not ok {name}: {type(error).__name__} {first_line}".rstrip(), flush=True)
        _failures += 1
    else:
        print(f"ok {name}", flush=True)
        print(f"  {name} took {time.monotonic() - begun:.2f} s", flush=True)


def seed(default=None):
    """The run's seed, printed: from the environment variable SEED to repeat a run, otherwise fresh."""
    value = int(os.environ.get("SEED") or default or random.SystemRandom().randrange(1 << 31))
    print(f"  seed {value} (repeat with SEED={value})", flush=True)
    return value


def finish():
    """The exit status for sys.exit: 0 when no test has failed."""
    return 1 if _failures else 0


if __name__ == "__main__":
    sys.exit("cluster.py is imported by the suites of tests/suites, not run")
