"""Ways to tell people of alerts, and the page of the day."""

from understudy.adapters.alerts.delivery import alert_delivery
from understudy.adapters.alerts.webhook import Webhook
from understudy.engine.alert_channels import AlertChannel, AlertDelivery, Digest, NotDelivered, Notice

__all__ = ["AlertChannel", "AlertDelivery", "Digest", "NotDelivered", "Notice", "Webhook", "alert_delivery"]
