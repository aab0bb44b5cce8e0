"""How people are told of alerts, from the table `[alerts]` of a settings file."""

from pathlib import Path

from understudy.adapters.alerts.daily_page import DailyPage
from understudy.adapters.alerts.webhook import Webhook
from understudy.adapters.config_alerts import AlertSettings
from understudy.adapters.providers.credentials import Credentials, EnvironmentCredentials, NotSet
from understudy.engine.alert_channels import AlertDelivery


def alert_delivery(
    settings: AlertSettings, *, db: Path | str | None = None, credentials: Credentials | None = None
) -> AlertDelivery:
    """What `Engine(alerts=...)` takes. `db` is the file of the log, for the page of the day.

    Secrets are read from the variables of the environment that the settings name, unless `credentials` keep them.
    Errors: ValueError for a URL that is none, and for a page of the day without `db`; LookupError for a secret that is
            not there, which it names.
    """
    keeper = credentials or EnvironmentCredentials(*settings.variables)
    channels = []
    if settings.webhook_url is not None and settings.webhook_secret is not None:
        named = settings.webhook_url.startswith("$")
        url = _secret(keeper, "webhook_url", settings.webhook_url[1:]) if named else settings.webhook_url
        _secret(keeper, "webhook_secret", settings.webhook_secret)
        channels.append(Webhook(url, secret=settings.webhook_secret, credentials=keeper))
    if settings.daily_at_min is None:
        return AlertDelivery(channels=channels)
    if db is None:
        raise ValueError("daily_at asks for the page of the day: say in which file the log is (db=...)")
    return AlertDelivery(channels=channels, daily_at_min=settings.daily_at_min, digest=DailyPage(Path(db)))


def _secret(keeper: Credentials, setting: str, name: str) -> str:
    """The secret that a setting names. Errors: NotSet, naming both."""
    try:
        return keeper.secret(name)
    except NotSet as error:
        raise NotSet(f"alerts: {setting}: {name} {error}") from None
    except LookupError:
        raise NotSet(f"alerts: {setting}: there is no secret {name}") from None
