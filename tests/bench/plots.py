"""docs/images: the quota and the memory as pictures."""

from __future__ import annotations

import matplotlib

from tests.bench.peers import STRATEGIES
from tests.bench.quota import FOREIGN, Ran
from tests.properties.simulation import Case

matplotlib.use("Agg")

from matplotlib import pyplot

from tests.paths import DOCS

IMAGES = DOCS / "images"
#: Of Okabe and Ito's palette, which all eyes can tell apart.
BLUE, ORANGE = "#0072B2", "#E69F00"


def quota(ran: dict[tuple[Case, str], Ran]) -> None:
    """Used and 429s of four processes at 190, alone and beside a foreign program."""
    figure, panels = pyplot.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    figure.suptitle("Four processes on one account, 190 requests per 10 s (simulated, medians)")
    for panel, title, what in (
        (panels[0], "quota used, %", "used"),
        (panels[1], "requests refused with 429, %", "refused"),
    ):
        for offset, foreign, colour, label in (
            (-0.2, 0.0, BLUE, "alone"),
            (0.2, FOREIGN, ORANGE, f"beside a program that takes {FOREIGN:.0%} for a while"),
        ):
            values = [100 * getattr(ran[Case(clients=4, limit=190, foreign=foreign), name], what) for name in STRATEGIES]
            bars = panel.barh([at + offset for at in range(len(values))], values, 0.38, color=colour, label=label)
            panel.bar_label(bars, fmt="%.1f", padding=2, fontsize=8)
        panel.set_xlabel(title)
        panel.set_xlim(0, 115)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(range(len(STRATEGIES)), STRATEGIES)
    panels[0].set_ylabel("strategy")
    panels[0].invert_yaxis()
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    _save(figure, "quota.png")


def memory(megabytes: dict[int, float]) -> None:
    """Peak memory over the number of updates."""
    figure, panel = pyplot.subplots(figsize=(6, 3.4), layout="constrained")
    panel.plot(list(megabytes), list(megabytes.values()), marker="o", color=BLUE)
    for updates, value in megabytes.items():
        panel.annotate(f"{value:.1f} MB", (updates, value), textcoords="offset points", xytext=(0, 7), ha="center", fontsize=8)
    panel.set_xscale("log")
    panel.set_xticks(list(megabytes), [f"{updates:,}" for updates in megabytes])
    panel.minorticks_off()
    panel.margins(x=0.12)
    panel.set_ylim(0, max(10.0, 1.25 * max(megabytes.values())))
    panel.set_title("Peak memory of one task")
    panel.set_xlabel("updates in the batch, from a JSON Lines file")
    panel.set_ylabel("MB above a task of one update")
    panel.spines[["top", "right"]].set_visible(False)
    _save(figure, "memory.png")


def _save(figure: pyplot.Figure, name: str) -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    figure.savefig(IMAGES / name, dpi=90)
