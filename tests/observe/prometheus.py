"""Prometheus and promtool for tests: those of the machine, else Debian's package `prometheus`, unpacked into build/tests: not installed, since that would start a service."""

import json
import shutil
import subprocess
import urllib.parse
from pathlib import Path

from cluster import REPOSITORY, Service, free_port, http_get

UNPACKED = REPOSITORY / "build" / "tests" / "prometheus"


class NotThere(Exception):
    """Prometheus cannot be had; the text says why."""


def program(name):
    for found in (shutil.which(name), UNPACKED / "usr" / "bin" / name):
        if found and Path(found).exists():
            return str(found)
    work = UNPACKED.with_name("prometheus.new")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        subprocess.run(["apt-get", "-q", "download", "prometheus"], cwd=work, check=True, capture_output=True, text=True)
        subprocess.run(["dpkg-deb", "--extract", next(work.glob("prometheus_*.deb")), work], check=True, capture_output=True, text=True)
        work.rename(UNPACKED)
    except (OSError, StopIteration, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        raise NotThere(f"no {name} on this machine, and `apt-get download prometheus` does not give it: {said[-1] if said else error}") from error
    return str(UNPACKED / "usr" / "bin" / name)


class Prometheus(Service):
    def __init__(self, config, folder):
        self.port = free_port()
        super().__init__("prometheus", [program("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{self.port}"],
                         Path(folder) / "prometheus.log", {})

    def ready(self):
        return http_get(f"http://127.0.0.1:{self.port}/-/ready")[0] == 200

    def api(self, path, **parameters):
        status, text = http_get(f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout_s=30)
        answer = json.loads(text) if status in (200, 400, 422) else {"status": "error", "error": text}
        if answer["status"] != "success":
            raise RuntimeError(f"{path} {parameters}: {answer.get('error')}")
        return answer["data"]

    def query(self, expression):
        """[(labels, value)] of now."""
        data = self.api("query", query=expression)
        return [({}, float(data["result"][1]))] if data["resultType"] == "scalar" else [(each["metric"], float(each["value"][1])) for each in data["result"]]

    def firing(self):
        """Names of the alerts that fire now."""
        return {labels["alertname"] for labels, _ in self.query('ALERTS{alertstate="firing"}')}
