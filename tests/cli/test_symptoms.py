"""`understudy doctor` goes through the documents' troubleshooting lists: what it finds, and that it finds no more."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from cli import ailing
from cli.command_line import answered, refused, said
from repository import ROOT

from understudy.adapters.cli.symptoms import CHECKS, SYMPTOMS

pytestmark = pytest.mark.xdist_group("symptoms")  # They share their logs, each of which is made once.

Diagnosis = Mapping[str, list[dict[str, Any]]]

FINDS: Final[Mapping[str, tuple[str, str, str]]] = {
    "unavailable/messages": (
        "outage",
        "alpha is unavailable: .* of its latest 34 failures 34 say '503 Service Unavailable', the last at 2026-",
        "understudy report failures DB --since 2025-12-31T",
    ),
    "unavailable/keys": (
        "accounts",
        "alpha has not accepted our key or account since 2026-01-01T00:00:00.100Z",
        'put the key right, then understudy override DB alpha clear --reason "put right"',
    ),
    "unavailable/direct-test": (
        "outage",
        f"alpha was last asked anything at 2026-01-01T03:35:14.200Z; see {ailing.PAGE}",
        "understudy probe DB alpha",
    ),
    "unavailable/rate-limits": (
        "throttled",
        r"alpha has throttled 6 of 18 calls \(33 %\)",
        "set max_calls_per_second or max_in_flight of alpha below what it takes",
    ),
    "unavailable/trend": (
        "outage",
        r"the success rate of alpha has fallen from 86 % of 70 calls to 0 % of 24",
        "understudy report hourly DB --since",
    ),
    "slow/network": (
        "sluggish",
        r"all providers in use are slow at the same time: alpha 6,\d+ ms, beta 5,\d+ ms",
        "look at this machine's own connection; understudy report hourly DB",
    ),
    "slow/status-pages": (
        "throttled",
        "alpha takes 4,000 ms on average; it has no status_page_url in the policy",
        "understudy note DB alpha",
    ),
    "slow/time-of-day": (
        "sluggish",
        r"alpha takes 6,\d+ ms on average, and far longer at 01:00 \(12,000 ms\) UTC",
        "understudy report time-of-day DB --since",
    ),
    "slow/regions": (
        "sluggish",
        r"alpha takes 12,000 ms for far, and \d,\d+ ms for other countries",
        'set lane_by = ["country"]',
    ),
    "slow/rate-limits": (
        "throttled",
        "alpha takes 4,000 ms on average, and has throttled 6 calls: it is asked too much",
        "set max_in_flight of alpha",
    ),
    "fallback/stock": (
        "sold_out",
        r"alpha was out of stock in 56 % of the latest 36 decisions; its stock was last heard of at 2026-",
        "understudy report fallback DB",
    ),
    "fallback/health": (
        "dead",
        "of the latest 60 decisions alpha was not well in 56: circuit open 37 times, degraded by success rate 19 times",
        "understudy report fallback DB",
    ),
    "fallback/errors": (
        "lossy",
        r"27 of the latest 30 failures of alpha are the same: 'lost' \(transient\)",
        "understudy events DB --provider alpha --outcome transient",
    ),
    "fallback/history": (
        "outage",
        r"falling back is right: success has come from alpha in 63.8% of 94 calls and beta in 100.0% of 55 calls",
        "understudy report weekly DB",
    ),
    "fallback/mappings": (
        "sold_out",
        "none of 6 calls of alpha for unknown de was served: not_offered",
        "understudy events DB --provider alpha --outcome not_offered",
    ),
    "not-failing-over/thresholds": (
        "lossy",
        "alpha has failed 50 % of 60 calls, and its circuit is closed: it opens after 3 failed requests in a row",
        "set max_failure_rate",
    ),
    "not-failing-over/circuits": (
        "accounts",
        "delta is called whatever its circuit says until it is cleared: ann has forced it closed",
        "understudy override DB delta clear",
    ),
    "not-failing-over/alternatives": (
        "lossy",
        "fallback is off .fallback_enabled.: only the first choice is ever asked",
        "understudy preferences set DB fallback_enabled=true",
    ),
    "not-failing-over/network": (
        "cut_off",
        "a fault of our own network is suspected: no circuit opens until somebody answers",
        "look at this machine's own connection, then understudy status DB",
    ),
    "rates/comparison": (
        "quoted",
        "always_use_best_rate is off: the strategy chooses among honest quotes",
        "set always_use_best_rate = true",
    ),
    "rates/timeouts": (
        "quoted",
        "100 % of 12 quotes of alpha did not come within 5,000 ms",
        "raise request_timeout_ms of alpha",
    ),
    "rates/weights": (
        "one_slow_quote",
        "delta was asked for no quote while others were asked 8 times: a round asks 3 of 4, by strategy in_order",
        "raise max_parallel_requests",
    ),
    "rates/calculation": (
        "quoted",
        "the quote of beta was not taken in 5 of the latest 12 rounds: rate_outlier",
        "understudy explain DB last",
    ),
    "slow-requests/parallel-quotes": (
        "one_slow_quote",
        "a round of quotes waits for the slowest of 3: alpha takes 2,000 ms, the others 100 ms",
        "set quote_grace_ms",
    ),
    "slow-requests/timeouts": (
        "lossy",
        "5 % of 60 calls of alpha ran out of their 2,000 ms; no success took longer than 100 ms",
        "set request_timeout_ms of alpha a little above that",
    ),
    "slow-requests/health": (
        "accounts",
        "gamma is unavailable: forced open by ann: they are moving; it has no status_page_url",
        "understudy status DB",
    ),
    "slow-requests/latency": (
        "sluggish",
        "a ping of alpha takes 600 ms on average, its calls 6,",
        "ask alpha for a server that is nearer",
    ),
    "recovery/rest": (
        "outage",
        "alpha rests until 2026-.*: its circuit has opened 5 times in a row; a rest is 300,000 ms",
        "understudy probe DB alpha; or lower recovery_time_ms",
    ),
    "recovery/pings": (
        "unreachable",
        rf"\d+ of \d+ pings of alpha failed; the last good one was at 2026-01-01T00:00:1.*; see {ailing.PAGE}",
        "understudy events DB --provider alpha --operation ping",
    ),
    "recovery/log": (
        "outage",
        r"alpha has been out since 2026-.*: 2026-.* transient \(503 Service Unavailable\); 2026-",
        "understudy events DB --provider alpha --kind call_failed",
    ),
    "recovery/by-hand": (
        "outage",
        "alpha rests until 2026-.*; whether it is well can be found out now",
        "understudy probe DB alpha",
    ),
}
"""For each check: a log, what is found in it (a pattern), and the beginning of what is to be done."""


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The log of a name, made when it is first asked for."""
    folder = tmp_path_factory.mktemp("ailing")

    def made(name: str) -> Path:
        path = folder / f"{name}.db"
        if not path.exists():
            ailing.LOGS[name](path)
        return path

    return made


@pytest.fixture(scope="session")
def diagnosis(log: Callable[[str], Path]) -> Callable[[str], Diagnosis]:
    """All that is found in the log of a name, by check."""
    known: dict[str, Diagnosis] = {}

    def made(name: str) -> Diagnosis:
        if name not in known:
            found: dict[str, list[dict[str, Any]]] = {}
            for one in answered("doctor", log(name))["checks"]:
                found.setdefault(one["check"], []).append(one)
            known[name] = found
        return known[name]

    return made


def test_every_check_has_a_log_in_which_it_finds_something() -> None:
    assert FINDS.keys() == CHECKS.keys()


@pytest.mark.parametrize("check", FINDS)
def test_it_finds_what_is_the_matter_and_says_what_to_do(
    check: str, diagnosis: Callable[[str], Diagnosis], log: Callable[[str], Path]
) -> None:
    name, says, do = FINDS[check]
    found = diagnosis(name)[check]
    matching = [one for one in found if re.match(says, one["says"])]
    assert matching, found
    one = matching[0]
    assert one["verdict"] == "advice"
    assert one["do"].replace(str(log(name)), "DB").startswith(do)


def test_who_is_kept_out_by_its_pings_waits_for_no_request(diagnosis: Callable[[str], Diagnosis]) -> None:
    told = [one["says"] for one in diagnosis("unreachable")["recovery/by-hand"]]
    assert "the pings of alpha fail, and no request goes there until one succeeds" in told
    assert not [one for one in told if "no request has come" in one]


@pytest.mark.parametrize("check", FINDS)
def test_it_finds_nothing_where_nothing_is_the_matter(check: str, diagnosis: Callable[[str], Diagnosis]) -> None:
    (one,) = diagnosis("healthy")[check]
    assert (one["verdict"], one["do"]) == ("fine", "")
    assert one["says"].endswith(f": {one['looks_at']}")


def test_the_log_of_the_healthy_has_what_the_checks_look_at(log: Callable[[str], Path]) -> None:
    found = answered("report", "slowest", log("healthy"), "--since", "2020-01-01")["slowest"]
    assert {one["request_type"] for one in found} == {"fetch", "convert", "quote", "ping"}
    assert sum(one["requests"] for one in found) > 200


def test_symptoms_are_told_below_their_names_and_what_is_fine_in_a_line(log: Callable[[str], Path]) -> None:
    lines = said("doctor", log("dead")).splitlines()
    assert max(len(line) for line in lines if str(log("dead")) not in line) <= 100
    assert "A provider does not come back:" in lines
    assert "Providers respond slowly:" not in lines
    assert any(
        re.fullmatch(r"  fine    symptoms   \d\d of 31 checks found nothing \(--all shows each\)", one) for one in lines
    )
    whole = said("doctor", log("dead"), "--all")
    assert all(one.title in whole for one in SYMPTOMS)
    assert all(f" {name} " in whole for name in CHECKS)


def test_one_check_may_be_asked_for_alone(log: Callable[[str], Path]) -> None:
    found = answered("doctor", log("dead"), "--check", "recovery/rest")["checks"]
    assert [one["check"] for one in found] == ["recovery/rest"]
    assert [one["check"] for one in answered("doctor", log("dead"), "--check", "inbox")["checks"]] == ["inbox"]
    assert "recovery/rest" in refused("doctor", log("dead"), "--check", "recovery/rests")


def test_symptoms_of_before_the_window_are_not_told(log: Callable[[str], Path]) -> None:
    words = ("doctor", log("lossy"), "--check", "not-failing-over/thresholds")
    assert answered(*words)["checks"][0]["verdict"] == "advice"
    assert answered(*words, "--since", "2026-01-01T05:00:00Z")["checks"][0]["verdict"] == "fine"


def test_the_page_maps_each_step_of_the_lists_to_its_check() -> None:
    page = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([AB]), (.+?) \| (\d) \| (.+?) \| `([a-z-]+/[a-z-]+)` \|$", page, re.MULTILINE)
    assert [name for *_, name in rows] == list(CHECKS)
    steps: dict[tuple[str, str], list[int]] = {}
    for paper, symptom, step, *_ in rows:
        steps.setdefault((paper, symptom), []).append(int(step))
    assert [len(its) for its in steps.values()] == [5, 5, 5, 4, 4, 4, 4]
    assert all(its == list(range(1, len(its) + 1)) for its in steps.values())
