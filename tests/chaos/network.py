"""What lies between processors and brokers: proxies that carry bytes well or badly, a proxy of the registry that answers wrongly, a network namespace of the test's own."""

import asyncio
import http.server
import os
import random
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
from cluster import free_port  # noqa: E402


class Weather:
    """What a proxy does to every connection now. Times in seconds."""

    def __init__(self):
        self.clear()

    def clear(self):
        self.latency, self.bytes_per_s, self.resets, self.down, self.stalled = None, 0, 0, False, False


class ByteProxies:
    """TCP proxies in a thread of their own, all in one weather."""

    def __init__(self, chance):
        self.chance, self.weather, self.writers, self.resets_done = chance, Weather(), set(), 0
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def open(self, host, port, to_port):
        async def serve():
            await asyncio.start_server(lambda reader, writer: self._carry(to_port, reader, writer), host, port)
        asyncio.run_coroutine_threadsafe(serve(), self.loop).result(10)

    def cut_all(self):
        self.loop.call_soon_threadsafe(lambda: [writer.transport.abort() for writer in list(self.writers)])

    def close(self):
        self.cut_all()
        self.loop.call_soon_threadsafe(self.loop.stop)

    async def _carry(self, to_port, reader, writer):
        if self.weather.down:
            writer.transport.abort()
            return
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", to_port)
        except OSError:
            writer.transport.abort()
            return
        both = (writer, up_writer)
        self.writers.update(both)
        tasks = [asyncio.create_task(self._pump(reader, up_writer, both)), asyncio.create_task(self._pump(up_reader, writer, both))]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        for end in both:
            self.writers.discard(end)
            end.close()

    async def _pump(self, reader, writer, both):
        """Reads as it comes, writes what is due: the delay of one piece does not add up with that of the next."""
        pieces = asyncio.Queue(256)

        async def take():
            due = 0
            while data := await reader.read(65536):
                wait = max(0.0, self.chance.uniform(self.weather.latency[0] - self.weather.latency[1], sum(self.weather.latency))) if self.weather.latency else 0
                due = max(due, self.loop.time() + wait)
                await pieces.put((due, data))
            await pieces.put((due, b""))
        taking = asyncio.create_task(take())
        try:
            while True:
                due, data = await pieces.get()
                await asyncio.sleep(due - self.loop.time()) if due > self.loop.time() else None
                while self.weather.stalled:
                    await asyncio.sleep(0.02)
                if self.weather.resets and len(data) > 40:
                    self._reset_in_the_middle(writer, data, both)
                    return
                if not data:
                    return
                if self.weather.bytes_per_s:
                    await asyncio.sleep(len(data) / self.weather.bytes_per_s)
                writer.write(data)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            taking.cancel()

    def _reset_in_the_middle(self, writer, data, both):
        """Half of what came goes on, then RST to both."""
        self.weather.resets -= 1
        self.resets_done += 1
        writer.write(data[:len(data) // 2])
        for end in both:
            end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.transport.abort()


class RegistryProxy:
    """The registry, or what a fault makes of it. mode: None, "down", "slow", "500", "wrong"."""

    def __init__(self, host, to_port):
        self.mode, self.asked, self.to_port = None, 0, to_port
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self):
                proxy.asked += 1
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length) if length else None
                mode = proxy.mode
                if mode == "down":
                    self.close_connection = True
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                if mode == "slow":
                    time.sleep(4)       # longer than a processor waits for an answer
                status, text = (500, b'{"error_code":50001,"message":"planted"}') if mode == "500" else self.forward(body)
                if mode == "wrong" and status == 200 and "/schemas/ids/" in self.path:
                    text = b'{"schema":"{\\"type\\":\\"record\\",\\"name\\":\\"Other\\",\\"fields\\":[{\\"name\\":\\"x\\",\\"type\\":\\"long\\"}]}"}'
                self.send_response(status)
                self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def forward(self, body):
                headers = {name: value for name, value in self.headers.items() if name in ("Content-Type", "Accept")}
                request = urllib.request.Request(f"http://127.0.0.1:{proxy.to_port}{self.path}", data=body, headers=headers, method=self.command)
                try:
                    with urllib.request.urlopen(request, timeout=10) as response:
                        return response.status, response.read()
                except urllib.error.HTTPError as error:
                    return error.code, error.read()
                except OSError as error:
                    return 503, str(error).encode()

            do_GET = do_POST = do_PUT = do_DELETE = answer

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):     # a client that was killed
                pass
        self.port = free_port()
        self.server = Server((host, self.port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()


def _run(*arguments):
    return subprocess.run(arguments, capture_output=True, text=True)


class Namespace:
    """A network of its own for the processors: the rules are nftables' in it, so nothing else on the machine notices. `unable`: why there is none."""

    def __init__(self):
        self.name, self.unable = f"kchaos-{os.getpid()}", None
        number = os.getpid() % 62500
        net = f"10.{100 + number // 250 % 100}.{number % 250}"
        self.host, self.inside = f"{net}.1", f"{net}.2"
        outer, inner = f"kc{os.getpid()}a", f"kc{os.getpid()}b"
        for command in (["ip", "netns", "add", self.name], ["ip", "link", "add", outer, "type", "veth", "peer", "name", inner, "netns", self.name],
                        ["ip", "addr", "add", f"{self.host}/30", "dev", outer], ["ip", "link", "set", outer, "up"],
                        ["ip", "-n", self.name, "addr", "add", f"{self.inside}/30", "dev", inner], ["ip", "-n", self.name, "link", "set", inner, "up"],
                        ["ip", "-n", self.name, "link", "set", "lo", "up"], [*self._nft(), "add table inet chaos"],
                        *([*self._nft(), f"add chain inet chaos {chain} {{ type filter hook {chain} priority 0 ; policy accept ; }}"] for chain in ("input", "output"))):
            try:
                result = _run(*command)
            except FileNotFoundError as error:
                result = subprocess.CompletedProcess(command, 1, "", str(error))
            if result.returncode:
                self.unable = f"`{' '.join(command)}`: {result.stderr.strip()}"
                self.close()
                self.host = self.inside = "127.0.0.1"
                return

    def _nft(self):
        return ["nsenter", f"--net=/run/netns/{self.name}", "nft"]

    @property
    def prefix(self):
        return [] if self.unable else ["nsenter", f"--net=/run/netns/{self.name}"]

    def rules(self, incoming=(), outgoing=()):
        """Sets the rules of both chains; each a rule's text without the chain. None: all passes."""
        text = "".join(f"flush chain inet chaos {chain}\n" + "".join(f"add rule inet chaos {chain} {rule}\n" for rule in rules)
                       for chain, rules in (("input", incoming), ("output", outgoing)))
        subprocess.run([*self._nft(), "-f", "-"], input=text, check=True, stdout=subprocess.DEVNULL, text=True)

    def close(self):
        _run("ip", "netns", "del", self.name)


def sweep_namespaces():
    """The network namespaces of campaigns that were killed."""
    folder = Path("/run/netns")
    for entry in folder.glob("kchaos-*") if folder.is_dir() else []:
        if not Path(f"/proc/{entry.name.split('-')[1]}").exists():
            _run("ip", "netns", "del", entry.name)


def chance_of(seed, what):
    return random.Random(f"{seed} {what}")
