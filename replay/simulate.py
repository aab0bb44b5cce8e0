"""Simulation: the real engine on virtual time, over scripted providers or over recorded traffic."""

from understudy.replay.csv_file import TraceError
from understudy.replay.play_scenario import Played, play, simulate
from understudy.replay.play_trace import simulate_trace
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
    "Played",
    "Progress",
    "Report",
    "Scenario",
    "SimulatedLog",
    "SimulationError",
    "TraceError",
    "VerifiedCounts",
    "Verify",
    "bundled_scenario",
    "bundled_scenarios",
    "parse_scenario",
    "play",
    "read_scenario",
    "simulate",
    "simulate_trace",
]
