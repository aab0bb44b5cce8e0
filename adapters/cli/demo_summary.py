"""A demonstration's figures, for people and for scripts."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from understudy.adapters.cli.output import answer, facts, painted, table
from understudy.adapters.cli.verify import findings
from understudy.adapters.demo.findings import Avoided, Course, Findings, percentile_ms
from understudy.events.counted import counted
from understudy.replay.verify import Verification

_HEADER: Final = ("trouble", "provider", "from", "until", "noticed after", "failed calls", "back after")
_FIGURES: Final = _HEADER[2:]
_PERCENTS: Final = (50, 95, 99)
_LONG_MS: Final = 10


def print_summary(found: Findings, check: Verification, *, seconds: float) -> None:
    """Print what came of it, and what verifying the log says."""
    facts(
        [
            ("requests", f"{found.accepted:,} in {seconds:.1f} s, {found.orders:,} of them orders"),
            ("success rate", _success(found)),
            ("failovers", f"{found.failovers:,}, in {counted(found.calls, 'call')}"),
            ("orders", _orders(found)),
            ("answered after", f"{_three(found.took_us)} (p50, p95, p99)"),
            ("added by us", f"{_three(found.before_us)} before the call, where no failover was needed"),
            ("added to reads", _added(found.reads_added_us)),
            ("added to orders", f"{_added(found.orders_added_us)}; one in doubt waits for a look-up"),
            *findings(check),
        ]
    )
    answer()
    table(_HEADER, [_row(one) for one in found.courses], numbers=_FIGURES)


def as_json_object(found: Findings, check: Verification, *, seconds: float) -> dict[str, object]:
    """The same for scripts: times in milliseconds, `success_rate` a fraction."""
    return {
        "seconds": round(seconds, 3),
        "requests": found.accepted,
        "orders": found.orders,
        "success_rate": round(found.success_rate, 6),
        "failed": found.failed,
        "told_unknown": found.told_unknown,
        "failovers": found.failovers,
        "calls": found.calls,
        "orders_executed": found.executed,
        "orders_executed_twice": found.executed_twice,
        "answered_ms": _percentiles(found.took_us),
        "before_call_ms": _percentiles(found.before_us),
        "added_to_reads_ms": _percentiles(found.reads_added_us),
        "added_to_orders_ms": _percentiles(found.orders_added_us),
        "troubles": [_json_of(one) for one in found.courses],
        "verify": {
            "ok": check.ok,
            "events": check.events,
            "head_chain": check.head_chain,
            "identical": check.identical,
            "differs": check.differs,
        },
    }


def _success(found: Findings) -> str:
    others = [(found.failed, "failed"), (found.accepted - found.served - found.failed, "not settled")]
    told = "".join(f"; {count:,} {word}" for count, word in others if count)
    return painted(f"{found.success_rate * 100:.3f} %{told}", "yellow" if told else "green")


def _orders(found: Findings) -> str:
    twice = painted(f"{found.executed_twice:,} twice", "red") if found.executed_twice else "none twice"
    return f"{found.executed:,} executed, {twice}: so say the servers' own books"


def _added(lengths_us: Sequence[int]) -> str:
    return f"{_three(lengths_us)} by a failover, {counted(len(lengths_us), 'time')}" if lengths_us else "nothing"


def _three(lengths_us: Sequence[int]) -> str:
    told = [percentile_ms(lengths_us, percent) for percent in _PERCENTS]
    return f"{', '.join('-' if one is None else _ms(one) for one in told)} ms"


def _ms(length_ms: float) -> str:
    """Whole milliseconds; of a short one two more digits."""
    return f"{length_ms:,.0f}" if length_ms >= _LONG_MS else f"{length_ms:.2f}"


def _row(course: Course) -> list[str]:
    trouble = course.trouble
    return [
        trouble.what,
        trouble.provider,
        f"{trouble.from_s:.1f} s",
        f"{trouble.until_s:.1f} s",
        _noticed(course),
        f"{course.failed:,}",
        _back(course),
    ]


def _noticed(course: Course) -> str:
    if course.noticed_ms is not None:
        return f"{course.noticed_ms:,.0f} ms"
    if course.already:
        return "was out" if course.already is Avoided.OUT else "was behind"
    return "not" if course.calls else "not asked"


def _back(course: Course) -> str:
    if course.back_ms is not None:
        return f"{course.back_ms:,.0f} ms"
    return "not yet" if course.already or course.noticed_ms is not None else "-"


def _percentiles(lengths_us: Sequence[int]) -> dict[str, object]:
    return {"count": len(lengths_us), **{f"p{one}": percentile_ms(lengths_us, one) for one in _PERCENTS}}


def _json_of(course: Course) -> dict[str, object]:
    return {
        **asdict(course.trouble),
        "already": (course.already or Avoided.NOT).name.lower(),
        "noticed_ms": course.noticed_ms,
        "calls": course.calls,
        "failed": course.failed,
        "back_ms": course.back_ms,
    }
