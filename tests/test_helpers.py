"""Test modules share only fixtures and tests/helpers."""

import ast

from .helpers.paths import REPOSITORY


def test_no_module_imports_a_test_module_or_a_conftest():
    for path in (REPOSITORY / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf8"))):
            if isinstance(node, ast.ImportFrom):
                name = (node.module or "").rpartition(".")[2]
                where = f"{path}:{node.lineno}"
                assert not name.startswith("test_") and name != "conftest", where
