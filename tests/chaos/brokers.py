"""One broker or three (replication 3, min ISR 2) with a controller of their own, reached by the processors through proxies, by the test itself directly."""

import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
from cluster import Broker, Cluster, LostMarkers, free_port, wait_until  # noqa: E402
from network import ByteProxies, Namespace, RegistryProxy  # noqa: E402

SHORT_TIMES = {"group.min.session.timeout.ms": 1000, "broker.session.timeout.ms": 6000, "broker.heartbeat.interval.ms": 500,
               # Compaction that a short run sees.
               "log.cleaner.backoff.ms": 1000, "log.cleaner.min.cleanable.ratio": 0.01}


class Brokers(Cluster):
    """A Cluster of `count` brokers. A broker's folder is broker-N."""

    def __init__(self, directory, binaries, chance, count=1, namespace=True):
        self.directory = Path(directory).resolve()
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        self.binaries, self.processors, self.unreplicated = Path(binaries), [], count == 1
        self.network = Namespace() if namespace else None
        self.gate = self.network.host if namespace else "127.0.0.1"
        self.proxies = ByteProxies(chance)
        environment = {"BROKER_HEAP": "512m" if count == 1 else "384m"}
        self.controller = Broker("controller", self.directory, free_port(), environment)
        self.write_extra(self.directory, "controller", {"broker.session.timeout.ms": 6000, "broker.heartbeat.interval.ms": 500})
        self.brokers = []
        for number in range(count):
            folder = self.directory / f"broker-{number}"
            folder.mkdir()
            broker = Broker("broker", folder, free_port(), {**environment, "BROKER_CONTROLLER_PORT": str(self.controller.port)})
            broker.name_shown, broker.number, broker.inner, broker.outer = f"broker-{number}", 11 + number, free_port(), free_port()
            copies = min(3, count)
            self.write_extra(folder, "broker", {
                **SHORT_TIMES, "node.id": broker.number, "listeners": f"PLAINTEXT://127.0.0.1:{broker.port},PROXIED://127.0.0.1:{broker.inner}",
                "advertised.listeners": f"PLAINTEXT://127.0.0.1:{broker.port},PROXIED://{self.gate}:{broker.outer}",
                "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT",
                "default.replication.factor": copies, "min.insync.replicas": max(1, copies - 1), "offsets.topic.replication.factor": copies,
                "transaction.state.log.replication.factor": copies, "transaction.state.log.min.isr": max(1, copies - 1)})
            self.brokers.append(broker)
        self.broker = self.brokers[0]
        self.registry = Broker("registry", self.directory, free_port(), environment)
        self.registry_proxy = None

    @staticmethod
    def write_extra(folder, name, properties):
        (folder / f"{name}.extra.properties").write_text("".join(f"{key}={value}\n" for key, value in properties.items()))

    @property
    def bootstrap(self):
        return ",".join(f"127.0.0.1:{broker.port}" for broker in self.brokers)

    @property
    def proxied(self):
        return ",".join(f"{self.gate}:{broker.outer}" for broker in self.brokers)

    @property
    def proxied_registry_url(self):
        return f"http://{self.gate}:{self.registry_proxy.port}/apis/ccompat/v7"

    def start(self):
        self.registry.start()
        self.controller.start().wait_ready(180)
        for broker in self.brokers:
            broker.start()
        for broker in self.brokers:
            broker.wait_ready(240)
            self.proxies.open(self.gate, broker.outer, broker.inner)
        for _ in range(5):      # where others keep the machine busy, its own time-outs can end it while it starts
            try:
                self.registry.wait_ready(120)
                break
            except RuntimeError:
                self.registry.start()
        self.registry_proxy = RegistryProxy(self.gate, self.registry.port)
        return self

    def fence(self, *brokers):
        """kill -9, and waits until the controller has taken their partitions away (see Cluster.kill_broker)."""
        fenced = self.controller.log().count("Fencing broker")
        for broker in brokers:
            broker.kill()
        wait_until(lambda: self.controller.log().count("Fencing broker") >= fenced + len(brokers), 30, "the brokers' partitions taken away")

    def check_markers(self):
        for broker in self.brokers:
            if broker.log_path.exists() and "likely deleted already and hence can be skipped" in broker.log_path.read_text(errors="replace"):
                raise LostMarkers("a broker has skipped transaction markers that were due")

    def unclean_elections(self):
        """How many partitions got a leader that may lack what was confirmed."""
        return self.controller.log().count("UNCLEAN partition change")

    def await_in_sync(self, deadline_s=60):
        """Until no partition lacks a copy."""
        def whole():
            return not self.kafka_tool("org.apache.kafka.tools.TopicCommand", "--describe", "--under-replicated-partitions").strip()
        wait_until(whole, deadline_s, "all copies in sync", interval_s=0.5)

    def tool(self, *arguments, deadline_s=120, check=True):
        result = subprocess.run([self.binaries.parent / "tests" / "chaos_tool", *map(str, arguments)], capture_output=True, text=True, timeout=deadline_s)
        if check and result.returncode:
            raise RuntimeError(f"chaos_tool {arguments[0]}: {result.stderr}")
        return result.stdout

    def stop(self):
        for service in [*self.processors, self.registry, *self.brokers, self.controller]:
            if service.process is not None and service.alive():
                try:
                    service.process.send_signal(18)     # SIGCONT: what a fault stopped cannot end
                    service.stop() if service in self.processors else service.kill()
                except TimeoutError as error:
                    print(error, flush=True)
        if self.registry_proxy:
            self.registry_proxy.close()
        self.proxies.close()
        if self.network:
            self.network.close()

