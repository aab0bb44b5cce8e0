"""What is logged of alerts, where a command tells of them in its own way."""

import logging


def keep_alerts_off_the_screen() -> None:
    """Where nobody has set logging up, let Python not print them between a command's own lines."""
    logging.getLogger("understudy.alerts").addHandler(logging.NullHandler())
