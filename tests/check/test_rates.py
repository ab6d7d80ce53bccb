"""The rates that `python -m tests.check.rates` prints, for a few functions and only our checker."""

from __future__ import annotations

from tests.check.rates import ours, random_examples, rates
from tests.effort import effort


def test_no_false_alarm_and_nothing_missed():
    """No right derivative is rejected (1 in 200 where waves are shorter than steps), and no wrong one is accepted."""
    found = rates(random_examples(effort(10, 1000)), ours)
    assert found["right", "rejected"] <= effort(0, 5)
    assert {name for (name, verdict), count in found.items() if verdict == "accepted" and count} == {"right"}
    assert found["nan", "rejected"] == effort(10, 1000)
