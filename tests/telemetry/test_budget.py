"""The lines of a day: crossed once, marked, said once."""

from datetime import datetime

import pytest
from msgspec.structs import replace
from telling import told

from mitmeter.budget import OVER_COST, OVER_TOKENS, Budget, Spent
from mitmeter.summary import marker, remark

NOON = datetime(2026, 11, 22, 12).timestamp()
DAY = 86_400.0
NOTHING = Spent()


class Heard:
    """What is said, and what is asked."""

    def __init__(self, spent: Spent = NOTHING) -> None:
        self.said: list[str] = []
        self.asked: list[float] = []
        self._spent = spent

    def spent_since(self, instant: float) -> Spent:
        self.asked.append(instant)
        return self._spent


def marks(budget: Budget, *started: float, usd: float = 1.0) -> list[tuple[str, ...]]:
    return [budget(told(started=at, cost_usd=usd)).anomalies for at in started]


@pytest.mark.parametrize(
    ("usd", "tokens", "marked"),
    [
        pytest.param(None, None, [(), (), ()], id="no line"),
        pytest.param(2.0, None, [(), (OVER_COST,), ()], id="cost"),
        pytest.param(None, 300, [(), (), (OVER_TOKENS,)], id="tokens"),
        pytest.param(2.0, 240, [(), (OVER_COST, OVER_TOKENS), ()], id="both"),
    ],
)
def test_who_crosses_a_line_is_marked(usd: float | None, tokens: int | None, marked: list) -> None:
    heard = Heard()
    assert marks(Budget(usd, tokens, heard.spent_since, heard.said.append), NOON, NOON, NOON) == marked
    assert len(heard.said) == sum(map(len, marked))


def test_a_new_day_begins_at_nothing() -> None:
    heard = Heard()
    budget = Budget(2.0, None, heard.spent_since, heard.said.append)
    assert marks(budget, NOON, NOON, NOON + DAY, NOON, NOON + DAY) == [(), (OVER_COST,), (), (), (OVER_COST,)]
    assert heard.asked == [datetime(2026, 11, 22).timestamp()]


def test_what_was_spent_before_counts() -> None:
    heard = Heard(Spent(usd=1.5))
    assert marks(Budget(2.0, None, heard.spent_since, heard.said.append), NOON) == [(OVER_COST,)]
    assert heard.said == ["$2.50 were spent today, which is beyond meter_warn_cost ($2.00)"]


def test_a_line_that_was_crossed_before_is_not_said_again() -> None:
    heard = Heard(Spent(usd=5.0))
    assert marks(Budget(2.0, None, heard.spent_since, heard.said.append), NOON) == [()]
    assert heard.said == []


def test_a_marked_flow_shows_it() -> None:
    exchange = replace(told(), anomalies=(OVER_COST,))
    assert marker(exchange) == ":moneybag:"
    assert "over the day's cost" in remark(exchange)
