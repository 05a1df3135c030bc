"""The harness on itself: broker and registry through stop, kill and restart, with nothing lost."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

from cluster import REPOSITORY, Cluster, finish, test, wait_until

TOPICS = "org.apache.kafka.tools.TopicCommand"


def register(cluster, number):
    schema = json.dumps({"type": "record", "name": f"R{number}", "fields": []})
    request = urllib.request.Request(f"{cluster.registry_url}/subjects/s{number}-value/versions", json.dumps({"schema": schema}).encode(),
                                     {"Content-Type": "application/vnd.schemaregistry.v1+json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)["id"]


def main():
    directory = REPOSITORY / "build" / "tests" / "harness"
    with Cluster(directory) as cluster:
        with test("a topic survives kill -9 of the broker"):
            cluster.kafka_tool(TOPICS, "--create", "--topic", "probe", "--partitions", "32")
            cluster.broker.kill()
            begun = time.monotonic()
            cluster.broker.start().wait_ready()
            print(f"  broker back after {time.monotonic() - begun:.2f} s")
            assert "probe" in cluster.kafka_tool(TOPICS, "--list").split()
        with test("the registry never gives an id twice over kill -9"):
            ids = []
            for number in range(4):
                ids.append(register(cluster, number))
                cluster.registry.kill()
                cluster.registry.start().wait_ready()
            assert ids == sorted(set(ids)), ids
        with test("SIGTERM ends broker and registry in time"):
            print(f"  registry {cluster.registry.stop():.2f} s, broker {cluster.broker.stop():.2f} s")
            cluster.start()
            assert "probe" in cluster.kafka_tool(TOPICS, "--list").split()
    with test("processes die with a test that is killed"):
        script = ("import sys, time, threading\nfrom cluster import spawn\n"
                  "def go():\n print(spawn(['sleep', '1000']).pid, flush=True)\n"
                  "threading.Thread(target=go).start()\ntime.sleep(1000)\n")
        parent = subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY / "tests" / "harness", stdout=subprocess.PIPE, text=True)
        child = int(parent.stdout.readline())
        os.kill(child, 0)  # alive though the thread that asked for it has ended
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        wait_until(lambda: not os.path.exists(f"/proc/{child}/exe"), 5, "the child's end")
    sys.exit(finish())


if __name__ == "__main__":
    main()
