"""How long something takes: the same each time, or drawn from a distribution."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: What each distribution is made of, and how a value of it is drawn. All are seconds but the last spread, which has no unit.
SHAPES: dict[str, tuple[tuple[str, ...], Callable[..., float]]] = {
    "uniform": (("least", "most"), random.Random.uniform),
    "exponential": (("mean",), lambda chance, mean: chance.expovariate(1 / mean) if mean else 0.0),
    "normal": (("mean", "deviation"), random.Random.normalvariate),
    "lognormal": (
        ("median", "sigma"),
        lambda chance, median, sigma: median * math.exp(chance.normalvariate(0.0, sigma)),
    ),
}
BOUNDS = ("least", "most")


@dataclass(frozen=True)
class Duration:
    """A number of seconds, or one word of `SHAPES` with its numbers.

    :param least: seconds; what is drawn below is that.
    :param most: seconds; what is drawn above is that.
    """

    shape: str | None
    numbers: tuple[float, ...]
    least: float = 0.0
    most: float = math.inf

    @classmethod
    def read(cls, name: str, said: Any) -> Duration:
        """``2.5``, or ``{"lognormal": [0.2, 1], "most": 10}``.

        :param name: what to call it if it is wrong.
        :raises ValueError: it is neither.
        """
        if _is_seconds(said):
            return cls(None, (float(said),))
        shapes = [key for key in said if key not in BOUNDS] if isinstance(said, dict) else []
        if len(shapes) != 1 or shapes[0] not in SHAPES:
            kinds = "; ".join(f"{shape}: {' and '.join(parts)}" for shape, (parts, _) in SHAPES.items())
            raise ValueError(f"{name} is {said!r}, not a number of seconds, or one of {kinds} (with least, most)")
        shape = shapes[0]
        numbers = said[shape] if isinstance(said[shape], list | tuple) else [said[shape]]
        bounds = {bound: said[bound] for bound in BOUNDS if bound in said}
        parts, _ = SHAPES[shape]
        if len(numbers) != len(parts) or not all(map(_is_seconds, [*numbers, *bounds.values()])):
            raise ValueError(f"{name}: {shape} takes {' and '.join(parts)}, numbers of at least 0, as do its bounds: {said!r}")
        made = cls(shape, tuple(map(float, numbers)), **bounds)
        if made.least > made.most or (shape == "uniform" and made.numbers[0] > made.numbers[1]):
            raise ValueError(f"{name}: the least is more than the most: {said!r}")
        return made

    @property
    def is_drawn(self) -> bool:
        """True if it is left to chance."""
        return self.shape is not None

    def draw(self, chance: random.Random | None) -> float:
        """Seconds; *chance* may be None if it is the same each time."""
        if self.shape is None or chance is None:
            return self.numbers[0]
        _, drawn = SHAPES[self.shape]
        return min(self.most, max(self.least, drawn(chance, *self.numbers)))


def _is_seconds(said: Any) -> bool:
    return isinstance(said, int | float) and not isinstance(said, bool) and 0 <= said < math.inf
