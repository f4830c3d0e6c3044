"""What the tests share is in helper modules."""

from __future__ import annotations

import ast

from tests.paths import ROOT, TESTS


def test_no_test_file_is_imported() -> None:
    """A file of tests can be moved, cut or renamed without another one to change with it."""
    for path in TESTS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            imported = [name for name in names if name.startswith("tests.") and ".test_" in name]
            assert not imported, f"{path.relative_to(ROOT)} imports {imported[0]}"
