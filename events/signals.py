"""The names of the signals that an engine sends, and what each says. Names are for ever."""

from collections.abc import Mapping
from typing import Final

SERVICE_FAILURE: Final = "service:failure"
SERVICE_RECOVERED: Final = "service:recovered"
SERVICE_DEGRADED: Final = "service:degraded"
FAILOVER_SUCCESS: Final = "failover:success"
CIRCUIT_OPENED: Final = "circuit:opened"
CIRCUIT_HALF_OPENED: Final = "circuit:half_opened"
CIRCUIT_CLOSED: Final = "circuit:closed"
REQUEST_COMPLETED: Final = "request:completed"
REQUEST_FAILED: Final = "request:failed"
REQUEST_SUSPENDED: Final = "request:suspended"
DECISION_MADE: Final = "decision:made"
ALERT_RAISED: Final = "alert:raised"
ALERT_CLEARED: Final = "alert:cleared"

SIGNALS: Final[Mapping[str, str]] = {
    SERVICE_FAILURE: "a request's call failed by the provider's fault: `service_id`, `failures` (the streak so far)",
    SERVICE_RECOVERED: "a provider serves again, its circuit closed: `service_id`",
    SERVICE_DEGRADED: "a provider misses a threshold: `service_id`, `threshold` (`success_rate` or `response_time`)",
    FAILOVER_SUCCESS: "another one served than the first who was tried: `from_service`, `to_service`, `failovers`",
    "mode:normal": "the best tier serves again: `previous`",
    "mode:degraded": "nobody of the best tier is able to serve, a backup is: `previous`",
    "mode:emergency": "nobody is able to serve but the last resort, or nobody at all: `previous`",
    CIRCUIT_OPENED: "a provider gets nothing for a while: `service_id`, `until_us`, `again` (a probe has failed)",
    CIRCUIT_HALF_OPENED: "one request goes out as a probe: `service_id`",
    CIRCUIT_CLOSED: "a provider gets its traffic back: `service_id`",
    REQUEST_COMPLETED: "a request was served: `request_id`, `service_id`, `failovers`",
    REQUEST_FAILED: "a request ended without success: `request_id`, `reason`",
    REQUEST_SUSPENDED: "a request may have been executed, and is held: `request_id`, `service_id`, `reason`",
    DECISION_MADE: "somebody was chosen, or nobody could be: `request_id`, `service_id`, `order`",
    ALERT_RAISED: "something needs a person: `alert`, `subject`, `message`",
    ALERT_CLEARED: "it needs nobody any more: `alert`, `subject`, `message` (how it went, or None)",
}
"""Every signal, and what its receivers are given besides `event` (the typed event), `seq` and `at_us`."""
