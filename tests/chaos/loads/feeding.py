"""Lines on their way into topics, at a rate."""

import contextlib
import os
import signal
import subprocess

from cluster import REPOSITORY, spawn, wait_until


class Feeding:
    """`kontor produce --rate` of every topic: one idempotent producer each, so that nothing is sent twice or lost when brokers die."""

    def __init__(self, cluster, files):
        self.cluster, self.processes = cluster, {}
        for topic, (path, rate) in files.items():
            self.processes[topic] = spawn([cluster.binaries / "kontor", "produce", topic, path, "--rate", str(rate)], cwd=REPOSITORY,
                                          env={**os.environ, **cluster.environment}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def going_on(self):
        return any(process.poll() is None for process in self.processes.values())

    def end(self, deadline_s):
        """Waits for the rest; an error of the feeding is one of the harness."""
        for topic, process in self.processes.items():
            _, errors = process.communicate(timeout=deadline_s)
            if process.returncode:
                raise RuntimeError(f"the load could not be sent, {topic}: {errors}")

    def sent(self):
        """topic -> the ends of its partitions."""
        result = {topic: [] for topic in self.processes}
        for line in sorted(self.cluster.tool("ends", self.cluster.bootstrap).splitlines()):
            topic, _, _, end = line.split()
            if topic in result:
                result[topic].append(int(end))
        return result

    def await_begun(self):
        """A command that finds no broker at its start says so and ends."""
        wait_until(lambda: all(sum(ends) for ends in self.sent().values()), 60, "the load to begin")

    @contextlib.contextmanager
    def held(self):
        """Nothing is under way to the brokers inside this."""
        processes = [process for process in self.processes.values() if process.poll() is None]
        for process in processes:
            process.send_signal(signal.SIGSTOP)
        before = None

        def still():
            nonlocal before
            last, before = before, self.sent()
            return last == before
        try:
            wait_until(still, 30, "the load to stand still", interval_s=0.2)
            yield
        finally:
            for process in processes:
                process.send_signal(signal.SIGCONT)

    def kill(self):
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
                process.wait()
