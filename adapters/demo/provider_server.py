"""A provider on a loopback port: it serves, and misbehaves as planned, and keeps books of its own."""

import asyncio
from collections import deque
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web

from understudy.adapters.demo.answers import answered, refusal
from understudy.adapters.demo.books import Books
from understudy.adapters.demo.plan import MAYBE, Act, Fault, Line, Plan, Spell
from understudy.adapters.demo.wire import HOST, Wire

_LOOK_S: Final = 0.05
"""How often the plan is asked whether the line changes."""
_PRICE: Final = "0.25"


class ProviderServer:
    """Use as `async with ProviderServer("alpha") as server:`, then call `server.url`.

    It sells orders: POST /orders under an Idempotency-Key, GET /lookup?key=… for what became of one, GET /ping, GET
    /stock. `plan` says how it behaves by itself; `will`, `change` and `finish_late` are for whoever directs it.
    """

    def __init__(self, name: str, plan: Plan | None = None, *, books: Path | None = None) -> None:
        self.name = name
        self.plan = plan or Plan()
        self.books = Books(books)
        self._server = web.Server(self._serve, handler_cancellation=True, access_log=None)
        self._wire = Wire(self._server, taken=lambda: self.books.enter("connected", "silence"))
        self._acts: dict[str, deque[Act]] = {}
        self._dice = Random(f"{self.plan.seed}/{name}")  # noqa: S311 - repeatable, not unguessable
        self._orders: dict[str, dict[str, Any]] = {}
        self._late: list[str] = []
        self._under_way = 0
        self._last_second: deque[float] = deque()
        self._over = asyncio.Event()
        self._follower: asyncio.Task[None] | None = None
        self._began_s = 0.0
        self._sold = 0

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._began_s = loop.time()
        await self._wire.change(self._spell().line_at(0))
        if any(one.line is not Line.OPEN or one.up_s is not None for one in self.plan.spells):
            self._follower = loop.create_task(self._follow(), name=f"weather of {self.name}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._follower is not None:
            self._follower.cancel()
            await asyncio.gather(self._follower, return_exceptions=True)
        self._over.set()
        self._wire.close()
        await self._server.shutdown(0.1)
        self.books.close()

    @property
    def opened(self) -> asyncio.Event:
        """Set while the line is open."""
        return self._wire.opened

    @property
    def url(self) -> str:
        """The base address; the port stays the same as long as the server runs."""
        return "http://{}:{}".format(*self.address)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return HOST, self._wire.port

    def will(self, *acts: Act | Fault, on: str = "call") -> None:
        """Do this with the next requests of a kind (call, lookup, ping, stock), one after another; then as planned."""
        queue = self._acts.setdefault(on, deque())
        queue.extend(Act(fault=one) if isinstance(one, Fault) else one for one in acts)

    async def change(self, line: Line) -> None:
        """Open the line, refuse, or stall, from now on; connections that there were are reset."""
        await self._wire.change(line)

    def finish_late(self) -> None:
        """Execute what came in as `late`, now that its clients have gone."""
        for key in self._late:
            self._execute(key)
        self._late.clear()

    def _spell(self) -> Spell:
        return self.plan.at(self._second())

    def _second(self) -> float:
        return asyncio.get_running_loop().time() - self._began_s

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            second = self._second()
            await self._wire.change(self.plan.at(second).line_at(second))

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        kinds = {("POST", "/orders"): "call", ("GET", "/lookup"): "lookup", ("GET", "/ping"): "ping"}
        kind = kinds.get((request.method, request.path), "stock" if request.path == "/stock" else "")
        if not kind:
            return web.Response(status=404)
        await request.read()
        key = request.headers.get("Idempotency-Key", "") if kind == "call" else request.query.get("key", "")
        act = self._act(kind)
        self.books.enter("delivered", kind, key=key, fault=act.fault)
        self._under_way += 1
        try:
            if act.wait_ms:
                await asyncio.sleep(act.wait_ms / 1000)
            if kind == "call":
                return await self._sell(request, key, act)
            return await self._tell(request, kind, key, act)
        except (asyncio.CancelledError, ConnectionResetError):
            self.books.enter("gone", kind, key=key, fault=act.fault)
            raise
        finally:
            self._under_way -= 1

    async def _sell(self, request: web.BaseRequest, key: str, act: Act) -> web.StreamResponse:
        if act.does_it and self.plan.units is not None and self._sold >= self.plan.units:
            return refusal(Fault.SOLD_OUT)
        order = self._execute(key) if act.does_it else {}
        if act.fault is Fault.TWICE:
            self.books.enter("delivered", "call", key=key, fault=act.fault)
            self._execute(key)
        if act.fault is Fault.LATE:
            self._late.append(key)
        return await answered(request, act, order, over=self._over)

    async def _tell(self, request: web.BaseRequest, kind: str, key: str, act: Act) -> web.StreamResponse:
        content: dict[str, Any] = {"pong": self.name}
        if kind == "stock":
            units = self.plan.units
            content = {"units": None if units is None else units - self._sold}
        elif kind == "lookup":
            order = self._orders.get(key)
            unknown = "pending" if key in self._late and self.plan.admits_pending else "absent"
            content = {"finding": unknown} if order is None else {"finding": "succeeded", **order}
        return await answered(request, act, content, over=self._over)

    def _execute(self, key: str) -> dict[str, Any]:
        """Carry an order out: each time it is asked for, unless the plan is to know repeats by their key."""
        if self.plan.dedupes and key in self._orders:
            return self._orders[key]
        self._sold += 1
        self.books.enter("executed", "call", key=key)
        self._orders.setdefault(key, {"order": f"{self.name}-{self._sold}", "price": _PRICE})
        return self._orders[key]

    def _act(self, kind: str) -> Act:
        """What is to be done with a request: as directed, else as the plan and the dice say."""
        queue = self._acts.get(kind)
        if queue:
            return queue.popleft()
        spell = self._spell()
        if kind == "ping":
            return self._pong(spell)
        act = spell.roll(self._dice, under_way=self._under_way)
        if kind != "call":
            return Act(wait_ms=act.wait_ms, fault=act.fault if act.fault in MAYBE else None)
        if spell.capacity is not None and self._under_way >= spell.capacity:
            return Act(fault=Fault.UNAVAILABLE)
        return Act(fault=Fault.THROTTLED, retry_after=spell.retry_after) if self._is_too_many(spell) else act

    def _pong(self, spell: Spell) -> Act:
        if spell.pings == "fail":
            return Act(fault=Fault.UNAVAILABLE)
        hangs = spell.pings == "as_calls" and spell.shares.get(Fault.HANG, 0) >= 1
        return Act(fault=Fault.HANG if hangs else None)

    def _is_too_many(self, spell: Spell) -> bool:
        if spell.calls_per_second is None:
            return False
        now_s = asyncio.get_running_loop().time()
        while self._last_second and self._last_second[0] <= now_s - 1:
            self._last_second.popleft()
        if len(self._last_second) >= spell.calls_per_second:
            return True
        self._last_second.append(now_s)
        return False
