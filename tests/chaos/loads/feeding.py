"""Lines on their way into topics, at a rate; and loads that answer to what has become of them."""

import contextlib
import os
import signal
import subprocess
import threading

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


class Answering:
    """A load that looks at what has come and sends more: send_all of a derived class, in a thread of its own. It sends what is many by `feeding`, and says in `standing` where it is."""

    def __init__(self, world):
        self.world, self.cluster, self.failure, self.killed, self.standing, self.feeding = world, world.cluster, None, False, "nothing sent", None
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        try:
            self.send_all()
        except Exception as failure:    # told when the feeding ends
            self.failure = failure

    def send(self, topic, lines):
        self.cluster.kontor("produce", topic, input="".join(lines), deadline_s=180)

    def await_begun(self):
        wait_until(lambda: self.feeding is not None or self.failure, 60, "the load to begin", interval_s=0.1)
        if self.feeding:
            self.feeding.await_begun()

    def held(self):
        """Without what answers: that is of today, see faults/brokers.py."""
        return self.feeding.held()

    def going_on(self):
        return self.thread.is_alive()

    def end(self, deadline_s):
        try:
            wait_until(lambda: not self.thread.is_alive(), deadline_s, "all sent", interval_s=0.2)
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {self.standing}") from None
        if self.failure:
            raise RuntimeError(f"the load could not be sent, {self.standing}: {self.failure}") from self.failure

    def kill(self):
        self.killed = True
        if self.feeding:
            self.feeding.kill()
        self.thread.join(200)
