"""The adapter for demonstration servers: what an adapter of one's own looks like."""

from understudy.adapters.providers import HttpLimits, HttpProvider, HttpReply
from understudy.engine.errors import NotOffered, OutOfStock, ProviderError, TooExpensive, Transient
from understudy.engine.provider import Deadline, Found, Reply, Request
from understudy.events.vocabulary import Effect, Finding


class DemoShop(HttpProvider):
    """Sells orders, looks them up, and answers pings, unless these are switched off."""

    key_header = "Idempotency-Key"
    statuses = {503: Transient}  # noqa: RUF012 - this API promises that its 503 means: nothing was done

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        limits: HttpLimits | None = None,
        settle_ms: int = 0,
        pings: bool = True,
        lookups: bool = True,
    ) -> None:
        self.id = name
        self.settle_ms = settle_ms
        super().__init__(base_url, headers={"Authorization": f"Bearer key-of-{name}"}, limits=limits)
        # The engine uses what is there: a provider without look-ups has no such method.
        if pings:
            self.ping = self._ping
        if lookups:
            self.lookup = self._lookup

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Reply:
        """Order something."""
        wish = {"operation": operation, "context": dict(request.context), "amount": request.amount}
        reply = await self.send("POST", "/orders", json=wish, effect=request.effect, key=key, deadline=deadline)
        return Reply(value=reply.json, reference=reply.string("order"), cost=reply.decimal("price"))

    async def stock(self, request: Request, *, deadline: Deadline) -> Reply:  # noqa: ARG002 - it sells one thing
        """How many units are left."""
        reply = await self.send("GET", "/stock", deadline=deadline)
        return Reply(value=reply.json, stock=reply.at("units"))

    def fault_in(self, reply: HttpReply) -> ProviderError | None:
        """This API reports some errors under a 200."""
        match reply.json:
            case {"error": {"code": "SOLD_OUT"}}:
                return OutOfStock("none left", code="SOLD_OUT")
            case {"error": {"code": "NOT_OFFERED"}}:
                return NotOffered("not sold here", code="NOT_OFFERED")
            case {"error": {"code": "TOO_EXPENSIVE"}}:
                return TooExpensive("not sold at that price", code="TOO_EXPENSIVE")
            case {"error": {"code": str(code), "message": message}} if reply.status == 200:  # noqa: PLR2004
                return Transient(f"an error in a 200: {message}", code=code)
            case _:
                return None

    async def _lookup(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Found:  # noqa: ARG002
        reply = await self.send("GET", "/lookup", params={"key": key}, deadline=deadline, effect=Effect.READ)
        finding = Finding(reply.string("finding"))
        if finding is not Finding.SUCCEEDED:
            return Found(finding=finding)
        return Found(finding=finding, value=reply.json, reference=reply.string("order"))

    async def _ping(self) -> None:
        await self.send("GET", "/ping")
