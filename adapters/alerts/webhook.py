"""Alerts by webhook: a signed POST of JSON. Trying again, and for how long, is the engine's business."""

import hmac
import time
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

import aiohttp
from pydantic_core import to_json
from yarl import URL

from understudy.adapters.providers.credentials import Credentials
from understudy.adapters.providers.redaction import Secrets
from understudy.engine.alert_channels import NotDelivered, Notice

SIGNATURE: Final = "X-Understudy-Signature"
TIMESTAMP: Final = "X-Understudy-Timestamp"
DELIVERY: Final = "X-Understudy-Delivery"
_FINE: Final = range(200, 300)
_REDIRECTS: Final = range(300, 400)
_LONGEST: Final = 200


class Webhook:
    """A channel that posts each notice to one URL.

    Shape:  `X-Understudy-Signature` is `sha256=` and the HMAC-SHA256, in hex, of the timestamp as it stands in
            `X-Understudy-Timestamp` (seconds since 1970), a full stop, and the body, under the secret.
            `X-Understudy-Delivery` is the same at every attempt. Redirects are not followed.
    """

    name = "webhook"

    def __init__(
        self,
        url: str,
        *,
        secret: str,
        credentials: Credentials,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`secret` is the name under which `credentials` keep it; it is asked for at every attempt.

        Errors: ValueError for what is no URL of a web server; LookupError if there is no such secret.
        """
        try:
            self._url = URL(url)
        except ValueError:
            self._url = URL()
        if self._url.scheme not in {"http", "https"} or not self._url.host:
            raise ValueError("webhook_url must be the http or https URL of a web server")
        self._secret_name = secret
        self._credentials = credentials
        self._clock = clock
        credentials.secret(secret)

    def __repr__(self) -> str:
        return f"Webhook({self._url.host})"

    async def deliver(self, notice: Notice, /) -> None:
        """Post a notice once.

        Errors: NotDelivered if it was not answered by a 2xx; neither the URL nor the secret is in its message.
        """
        body = body_of(notice)
        headers = {"Content-Type": "application/json", "User-Agent": "understudy", DELIVERY: notice.delivery_id}
        try:
            secret = self._credentials.secret(self._secret_name)
        except LookupError:
            raise NotDelivered(f"the secret {self._secret_name} is not there any more") from None
        timestamp = str(int(self._clock()))
        headers |= {TIMESTAMP: timestamp, SIGNATURE: signature(secret, timestamp, body)}
        try:
            async with aiohttp.ClientSession() as session:
                sent = session.post(self._url, data=body, headers=headers, allow_redirects=False)
                async with sent as answer:
                    status = answer.status
        except aiohttp.ClientError as error:
            raise NotDelivered(self._without_secrets(error, secret)) from None
        if status in _REDIRECTS:
            raise NotDelivered(f"it answered {status}, and redirects are not followed")
        if status not in _FINE:
            raise NotDelivered(f"it answered {status}")

    def _without_secrets(self, error: aiohttp.ClientError, secret: str) -> str:
        """What went wrong on the way; a URL may have a secret in its path as well as in its query."""
        url = self._url
        hidden = Secrets(
            {secret, str(url), url.path_qs, url.raw_path_qs, url.password or "", url.user or ""} - {"", "/"}
        )
        return f"{type(error).__name__}: {hidden.hide(str(error))[:_LONGEST]}"


def body_of(notice: Notice) -> bytes:
    """A notice as JSON; instants in ISO 8601."""
    told: dict[str, Any] = {
        "delivery_id": notice.delivery_id,
        "told": notice.told,
        "alert": notice.alert,
        "subject": notice.subject,
        "severity": notice.severity,
        "message": notice.message,
        "at": datetime.fromtimestamp(notice.at_us / 1_000_000, UTC).isoformat(timespec="milliseconds"),
        "stream": notice.stream,
        "seq": notice.seq,
    }
    if notice.drill is not None:
        told["drill"] = notice.drill
    if notice.details is not None:
        told["details"] = notice.details
    return to_json(told)


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What stands in `X-Understudy-Signature`."""
    return f"sha256={hmac.new(secret.encode(), timestamp.encode() + b'.' + body, sha256).hexdigest()}"
