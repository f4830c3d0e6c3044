"""How long something takes: the same each time, or drawn from a distribution."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_provider_hubchan.emulator.model.numbers import is_number

#: The parameters of each distribution, and how a value is drawn. All are seconds, but *sigma*, which has no unit.
DISTRIBUTIONS: dict[str, tuple[tuple[str, ...], Callable[..., float]]] = {
    "uniform": (("least", "most"), random.Random.uniform),
    "exponential": (("mean",), lambda rng, mean: rng.expovariate(1 / mean) if mean else 0.0),
    "normal": (("mean", "deviation"), random.Random.normalvariate),
    "lognormal": (("median", "sigma"), lambda rng, median, sigma: median * math.exp(rng.normalvariate(0.0, sigma))),
}
BOUNDS = ("least", "most")


@dataclass(frozen=True)
class Duration:
    """A number of seconds, or a distribution of `DISTRIBUTIONS` with its parameters.

    :param distribution: its name, None for a fixed number of seconds.
    :param parameters: of the distribution, or the fixed number of seconds.
    :param least: seconds; a lower value that is drawn becomes this.
    :param most: seconds; a higher value that is drawn becomes this.
    """

    distribution: str | None
    parameters: tuple[float, ...]
    least: float = 0.0
    most: float = math.inf

    @classmethod
    def parse(cls, name: str, spec: Any) -> Duration:
        """Read a duration like ``2.5`` or ``{"lognormal": [0.2, 1], "most": 10}``.

        :param name: what the error calls it.
        :raises ValueError: it is neither.
        """
        if is_number(spec):
            return cls(None, (float(spec),))
        distributions = [key for key in spec if key not in BOUNDS] if isinstance(spec, dict) else []
        if len(distributions) != 1 or distributions[0] not in DISTRIBUTIONS:
            kinds = "; ".join(f"{each}: {' and '.join(names)}" for each, (names, _) in DISTRIBUTIONS.items())
            raise ValueError(f"{name} is {spec!r}, not a number of seconds, or one of {kinds} (with least, most)")
        distribution = distributions[0]
        values = spec[distribution] if isinstance(spec[distribution], list | tuple) else [spec[distribution]]
        bounds = {bound: spec[bound] for bound in BOUNDS if bound in spec}
        names, _ = DISTRIBUTIONS[distribution]
        if len(values) != len(names) or not all(map(is_number, [*values, *bounds.values()])):
            raise ValueError(
                f"{name}: {distribution} takes {' and '.join(names)}, numbers of at least 0, as do its bounds: {spec!r}"
            )
        duration = cls(distribution, tuple(map(float, values)), **bounds)
        if duration.least > duration.most or (distribution == "uniform" and duration.parameters[0] > duration.parameters[1]):
            raise ValueError(f"{name}: the least is more than the most: {spec!r}")
        return duration

    @property
    def is_random(self) -> bool:
        """True if it is drawn from a distribution."""
        return self.distribution is not None

    def draw(self, rng: random.Random | None) -> float:
        """Seconds.

        :param rng: what to draw with; may be None if the duration is not random.
        """
        if self.distribution is None or rng is None:
            return self.parameters[0]
        _, draw = DISTRIBUTIONS[self.distribution]
        return min(self.most, max(self.least, draw(rng, *self.parameters)))
