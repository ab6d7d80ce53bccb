"""How many digits a program prints, and how far off a number may be because of them.

What agrees with the right number in all printed digits counts as right. Not here: how numbers are read, and what they
mean. Read next: `check.foreign.answers`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from autograd_mini.check.mistakes.diagnosis import single


class Precision:
    """How many digits a program prints: what agrees with the right number in all of them counts as right.

    A program that prints 15 digits anywhere, a single digit everywhere, or whole numbers, does not round.
    """

    def __init__(self, words: Sequence[str] = ()) -> None:
        words = [word for word in words if "n" not in word.lower()]
        numbers = [re.sub("e.*|[-+]", "", word.lower()) for word in words]
        digits = [*map(_digits, words)]
        decimals = {len(number.partition(".")[2]) for number in numbers}
        is_fixed = len(decimals) == 1 and len(numbers) > 2 and not any("e" in word.lower() for word in words)
        self.decimals = min(decimals) if is_fixed and 2 <= min(decimals) < 15 else None
        telling = [count for count in digits if count >= 2]
        most = max(digits, default=0) if self.decimals is None else min(telling, default=2)
        self.digits = most if 2 <= most < 15 and decimals != {0} else 17
        # Whether they may have been computed in single precision, in spite of how they are printed.
        self.is_single = self.digits < 17 and all(
            abs(single(x) - x) <= 0.51 * _unit(word) for word in words if math.isfinite(x := float(word))
        )
        self.least = 0.0 if self.decimals is None else 10.0 ** (1 - self.decimals)  # smaller ones have fewer digits

    def number(self, word: str, right: float) -> float | None:
        """Return a number as it is meant: the right one if it agrees, None if too few digits are printed to tell."""
        x = float(word)
        if not (math.isfinite(x) and math.isfinite(right)) or abs(x - right) > self.rounding(word):
            return x
        # With fixed decimals, a small number agrees because it is small.
        return right if right == 0.0 or abs(right) >= self.least else None

    def rounding(self, word: str) -> float:
        """Return how far off a number may be because it is printed with few digits."""
        if self.decimals is not None:
            return 0.51 * 10.0**-self.decimals
        x = abs(float(word))
        if self.digits == 17 or not 0.0 < x < math.inf:
            return 0.0
        return float(0.51 * 10.0 ** (1 - self.digits + math.floor(math.log10(x))))


def _digits(word: str) -> int:
    return len(re.sub("e.*|[-+.]", "", word.lower()).lstrip("0"))


def _unit(word: str) -> float:
    """Return what 1 in the last digit of a number means."""
    mantissa, _, exponent = word.lower().partition("e")
    return float(f"1e{int(exponent or 0) - len(mantissa.partition('.')[2])}")  # 0 or inf if it is no float
