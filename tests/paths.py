"""Where the project's directories are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
EXAMPLES = ROOT / "example_dags"
TESTS = ROOT / "tests"
