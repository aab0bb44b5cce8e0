"""Simulation: the real engine on virtual time, over scripted providers, recorded traffic or recorded quotes."""

from understudy.replay.csv_file import TraceError
from understudy.replay.play_quotes import CONVERTERS, Side, simulate_quotes
from understudy.replay.play_scenario import Played, play, simulate
from understudy.replay.play_trace import simulate_trace
from understudy.replay.quote_report import QuoteReport
from understudy.replay.quotes_file import RecordedQuotes, read_quotes
from understudy.replay.report import Report, VerifiedCounts
from understudy.replay.runs import Progress, SimulatedLog, SimulationError, Verify
from understudy.replay.scenario import (
    Scenario,
    bundled_scenario,
    bundled_scenarios,
    parse_scenario,
    read_scenario,
)

__all__ = [
    "CONVERTERS",
    "Played",
    "Progress",
    "QuoteReport",
    "RecordedQuotes",
    "Report",
    "Scenario",
    "Side",
    "SimulatedLog",
    "SimulationError",
    "TraceError",
    "VerifiedCounts",
    "Verify",
    "bundled_scenario",
    "bundled_scenarios",
    "parse_scenario",
    "play",
    "read_quotes",
    "read_scenario",
    "simulate",
    "simulate_quotes",
    "simulate_trace",
]
