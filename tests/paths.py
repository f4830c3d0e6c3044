"""Where the project's directories are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
EXAMPLES = ROOT / "example_dags"
TESTS = ROOT / "tests"
#: Inputs with their right outcomes; a folder of that name beside the project has the newest.
CASES = next(folder for folder in (ROOT.parent / "shared" / "cases", TESTS / "cases") if folder.is_dir())
