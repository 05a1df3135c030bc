"""A broker that is also reached through a holdproxy: what goes through the proxy can be held back, dropped or cut.

    with ProxiedCluster("build/tests/loop") as cluster:
        cluster.proxy("hold EndTxn commit cut")
        ... a client with bootstrap.servers=cluster.proxied ...
        cluster.proxy("release")
"""

import socket
import subprocess

from cluster import REPOSITORY, Cluster, free_port, spawn, wait_until


class ProxiedCluster(Cluster):
    def __init__(self, directory, **options):
        self.inner_port, self.outer_port, self.control_port, controller = (free_port() for _ in range(4))
        super().__init__(directory, **options)
        listeners = f"PLAINTEXT://127.0.0.1:{self.broker.port},PROXIED://127.0.0.1:{self.inner_port}"
        own = {} if self.controller else {"controller.quorum.voters": f"1@127.0.0.1:{controller}"}
        extra = {**own, "listeners": listeners if self.controller else f"{listeners},CONTROLLER://127.0.0.1:{controller}",
                 "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.broker.port},PROXIED://127.0.0.1:{self.outer_port}",
                 "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT"}
        with open(self.directory / "broker.extra.properties", "a") as file:
            file.writelines(f"{key}={value}\n" for key, value in extra.items())
        self.proxy_process = self.control = None

    @property
    def proxied(self):
        return f"127.0.0.1:{self.outer_port}"

    def start(self):
        super().start()
        self.proxy_process = spawn([REPOSITORY / "tests" / "harness" / "holdproxy", "--listen", self.proxied, "--to", f"127.0.0.1:{self.inner_port}",
                                    "--control", f"127.0.0.1:{self.control_port}", "--log", self.directory / "proxy.log"],
                                   stdin=subprocess.DEVNULL)
        self.control = wait_until(self._connect, 20, "holdproxy listens")
        self.control_lines = self.control.makefile("r")
        return self

    def _connect(self):
        try:
            return socket.create_connection(("127.0.0.1", self.control_port), 70)
        except OSError:
            return None

    def proxy(self, command):
        self.control.sendall(command.encode() + b"\n")
        answer = self.control_lines.readline().strip()
        assert not answer.startswith(("bad command", "unknown")), f"{command}: {answer}"
        return answer

    def stop(self):
        super().stop()
        if self.proxy_process:
            self.proxy_process.kill()
            self.proxy_process.wait()
