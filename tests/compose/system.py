"""The system of docker-compose.yml under a project name of its own, on ports of its own; gone with its volumes at the end."""

import json
import os
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests" / "harness"))
from cluster import BIN, free_port, wait_until  # noqa: E402
from quiescence import Quiescence  # noqa: E402

PROJECT = "kontor-test"
ENGINE = os.environ["DOCKER"].split()
COMPOSE = [*os.environ["COMPOSE"].split(), "--project-directory", str(REPOSITORY), "-f", str(REPOSITORY / "docker-compose.yml"), "-p", PROJECT]


def processors():
    lines = (REPOSITORY / "deploy" / "local" / "processors").read_text().splitlines()
    return [line.split("#")[0].strip().removeprefix("kontor-") for line in lines if line.split("#")[0].strip()]


def run(command, environment=None, check=True, deadline_s=600):
    """CompletedProcess; both streams as text."""
    found = subprocess.run([str(word) for word in command], env={**os.environ, **(environment or {})}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=deadline_s)
    if check and found.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {found.returncode}\n{found.stdout[-3000:]}{found.stderr[-3000:]}")
    return found


def engine(*words, check=True, deadline_s=120):
    return run([*ENGINE, *words], check=check, deadline_s=deadline_s)


class System:
    def __init__(self, events, partitions):
        self.broker, self.registry, self.prometheus = free_port(), free_port(), free_port()
        self.environment = {"LOCAL_BROKER_PORT": str(self.broker), "LOCAL_REGISTRY_PORT": str(self.registry), "LOCAL_PROMETHEUS_PORT": str(self.prometheus),
                            "LOCAL_SAMPLE_EVENTS": str(events), "LOCAL_PARTITIONS": str(partitions)}

    def compose(self, *words, check=True, deadline_s=900, profiles=("sample", "tools")):
        chosen = [word for profile in profiles for word in ("--profile", profile)]
        return run([*COMPOSE, *chosen, *words], self.environment, check, deadline_s)

    def up(self, *words):
        """Everything but Grafana and the tools. Returns the seconds that it took."""
        begun = time.monotonic()
        self.compose("up", "-d", "--no-build", "--wait", *words, "sample", *processors(), "probe", "prometheus")
        return time.monotonic() - begun

    def container(self, service, index=1):
        return f"{PROJECT}-{service}-{index}"

    def inspect(self, container, template):
        return engine("inspect", "--format", template, container).stdout.strip()

    def health(self, container):
        return self.inspect(container, "{{.State.Health.Status}}")

    def await_healthy(self, *containers):
        for container in containers:
            wait_until(lambda: self.health(container) == "healthy", 120, f"{container} is healthy", interval_s=0.5)

    def log(self, container):
        found = engine("logs", container)
        return found.stdout + found.stderr

    def http(self, container, path):
        """What the processor in the container answers; asked inside, by bash: the image holds no other client."""
        ask = f"exec 3<>/dev/tcp/127.0.0.1/9464; printf 'GET {path} HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3"
        answer = engine("exec", container, "bash", "-c", ask).stdout.replace("\r\n", "\n")
        head, _, body = answer.partition("\n\n")
        return int(head.split()[1]), body

    def await_caught_up(self, containers, deadline_s=240):
        quiet = Quiescence()
        wait_until(lambda: quiet.reached([self.http(container, "/metrics")[1] for container in containers]), deadline_s, "processors caught up", interval_s=0.2)

    def kontor(self, *words):
        """The command line of this machine, through the published ports."""
        environment = {"KONTOR_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{self.broker}", "KONTOR_REGISTRY_URL": f"http://127.0.0.1:{self.registry}/apis/ccompat/v7"}
        return run([BIN / "kontor", *words], environment).stdout

    def status(self):
        found = json.loads(self.kontor("status", "--format", "json"))
        return {name: value for name, value in found.items() if name not in ("seconds", "events_per_second")}

    def stop(self, *containers):
        """SIGTERM to all; the longest that one took to end, by the engine's clock."""
        longest = 0
        for container in containers:
            begun = datetime.now(timezone.utc)
            engine("stop", container)
            finished = self.inspect(container, "{{json .State.FinishedAt}}").strip('"')
            ended = datetime.fromisoformat(finished[:19] + "+00:00").timestamp() + float("0" + (finished[19:].rstrip("Z").split("+")[0] or ".0"))
            longest = max(longest, ended - begun.timestamp())
        return longest


def once(image, *options, arguments=(), entrypoint=None, deadline_s=60):
    """(exit code, both streams) of a container of this image that ends by itself, on the system's network, on a read-only root file system."""
    words = ["run", "--rm", "--network", f"{PROJECT}_kontor", "--read-only", "--cap-drop", "ALL", *options]
    words += ["--entrypoint", entrypoint] if entrypoint else []
    found = engine(*words, image, *arguments, check=False, deadline_s=deadline_s)
    return found.returncode, found.stdout + found.stderr
