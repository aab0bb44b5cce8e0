"""Conversion services on a loopback port that keep books: each is a folder of the server, and all speak one language.

A thread serves them, so that commands which run an event loop of their own can ask them, too.
"""

import json
import re
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

DESCRIBED = """
[providers.{name}]
base_url = "{url}/{name}"
key_header = "Idempotency-Key"

[providers.{name}.operations.quote]
path = "/estimates"
query = {{ from = "{{body.from_coin}}", to = "{{body.to_coin}}", amount = "{{amount}}" }}
reply.quote = {{ rate = "rate", amount_out = "toAmount", reference = "id" }}

[providers.{name}.operations.convert]
method = "POST"
path = "/orders"
body = {{ from = "{{body.from_coin}}", to = "{{body.to_coin}}", amount = "{{amount}}", address = "{{body.address}}" }}
reply.reference = "id"
reply.amount_out = "toAmount"
reply.value = {{ from_coin = "from", to_coin = "to", amount = "amount", address = "address" }}

[providers.{name}.operations.lookup]
path = "/orders/{{key}}"
reply = {{ reference = "id", finding = "state", amount_out = "toAmount" }}
rules = [{{ status = 404, finding = "absent" }}]
"""

Order = dict[str, Any]
Said = tuple[int, Order | str]
"""A status, and what is said with it: in JSON, or a text as it stands."""


def truthful(execute: Callable[[], Order]) -> Said:
    """What was executed is what is said."""
    return 200, execute()


@dataclass
class Service:
    """One of them: what it takes, and what it has done.

    `fails` is a status that it answers orders with; `least` the least amount that its quotes are for; one that `breaks`
    takes an order, and is down before it answers.
    """

    rate: Decimal
    down: bool = False
    breaks: bool = False
    least: Decimal | None = None
    fails: int | None = None
    orders: dict[str, Order] = field(default_factory=dict)
    """What was executed, by key."""
    twists: Order = field(default_factory=dict)
    """What its answers to orders say instead of the truth."""


@dataclass
class Exchange:
    """All of them. How orders are answered is up to `manner`, which executes them when it sees fit."""

    services: dict[str, Service]
    manner: Callable[[Callable[[], Order]], Said] = truthful
    url: str = ""
    quotes: list[str] = field(default_factory=list)
    bugs: list[BaseException | None] = field(default_factory=list)
    """What went wrong here, and is no answer."""
    _executing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def descriptions(self) -> str:
        return "\n".join(DESCRIBED.format(name=name, url=self.url) for name in self.services)

    @property
    def descriptions_without_lookup(self) -> str:
        return re.sub(r"\[providers\.\w+\.operations\.lookup\](\n.+)*", "", self.descriptions)

    def answer(self, method: str, target: str, key: str, body: bytes) -> Said:
        url = urlsplit(target)
        _, name, *way = url.path.split("/")
        service = self.services[name]
        if service.down:
            return 503, {"error": "maintenance"}
        match method, way:
            case "GET", ["estimates"]:
                self.quotes.append(name)
                amount = Decimal(parse_qs(url.query)["amount"][0])
                quote = {"rate": f"{service.rate}", "toAmount": f"{amount * service.rate}", "id": f"{name}-q"}
                return 200, quote if service.least is None else {**quote, "least": f"{service.least}"}
            case "POST", ["orders"] if service.fails is not None:
                return service.fails, {"error": "no"}
            case "POST", ["orders"]:
                said = self.manner(lambda: self._execute(name, key, json.loads(body)))
                service.down = service.breaks
                return (502, {}) if service.down else said
            case "GET", ["orders", asked_for] if asked_for in service.orders:
                return 200, service.orders[asked_for]
            case _:
                return 404, {"error": "no such order"}

    def _execute(self, name: str, key: str, asked: Order) -> Order:
        service = self.services[name]
        with self._executing:
            if key not in service.orders:
                arrives = f"{Decimal(asked['amount']) * service.rate}"
                made = {"id": f"{name}-{len(service.orders) + 1}", "toAmount": arrives, "state": "succeeded", **asked}
                service.orders[key] = made
        done = service.orders[key]
        assert {**done, **asked} == done, "one key is one order"
        return {**done, **service.twists}


@contextmanager
def exchange(manner: Callable[[Callable[[], Order]], Said] = truthful, /, **rates: str) -> Iterator[Exchange]:
    """Services by name, each with its rate, until the end of the block."""
    books = Exchange({name: Service(Decimal(rate)) for name, rate in rates.items()}, manner)

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def shutdown_request(self, request: Any) -> None:
            self.close_request(request)  # Without a farewell, or no connection could be reset.

        def handle_error(self, *_: object) -> None:
            if not isinstance(sys.exception(), ConnectionError):  # A caller that was killed, or that we hang up on.
                books.bugs.append(sys.exception())

    server = Server(("127.0.0.1", 0), _handler(books))
    books.url = f"http://127.0.0.1:{server.server_address[1]}"
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    serving.start()
    try:
        yield books
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
    assert books.bugs == []


def _handler(books: Exchange) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            key = self.headers.get("Idempotency-Key", "")
            try:
                status, content = books.answer(self.command, self.path, key, body)
            except ConnectionResetError:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                raise
            encoded = (content if isinstance(content, str) else json.dumps(content)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(encoded)))
            self.end_headers()
            self.wfile.write(encoded)

        do_GET = do_POST = serve  # noqa: N815 - as the base class has it

        def log_message(self, *_: object) -> None: ...

    return Handler
