"""The shape of the code: first docstrings, lengths of files and functions, and where failures may be caught broadly."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDERS = ("monitor", "probes", "tests", "benchmarks", "dashboards")
FILES = [path for folder in FOLDERS for path in sorted((CHECKOUT / folder).rglob("*.py"))]
SHIPPED = [path for path in FILES if path.relative_to(CHECKOUT).parts[0] in {"monitor", "probes"}]
DOCSTRING_LINES, FILE_LINES, FUNCTION_LINES = 5, 300, 50

BROAD = {
    "monitor/catalog.py": 1,  # an entry point's import
    "monitor/rules/evaluate.py": 2,  # a rule, an advisor
    "monitor/collect/runner.py": 1,  # a run
    "monitor/daemon/courier.py": 1,  # a delivery
    "monitor/draw/messages.py": 1,  # a user's template
}
"""The only places that may catch everything, and how often."""


def name(path: Path) -> str:
    return path.relative_to(CHECKOUT).as_posix()


EACH_FILE = pytest.mark.parametrize("path", FILES, ids=name)
EACH_SHIPPED = pytest.mark.parametrize("path", SHIPPED, ids=name)


@EACH_FILE
def test_a_file_says_first_what_it_is_for(path: Path) -> None:
    """In one to five lines; an empty __init__.py has nothing to say."""
    text = path.read_text(encoding="utf-8")
    if path.name == "__init__.py" and not text.strip():
        return
    docstring = ast.get_docstring(ast.parse(text)) or ""
    assert 1 <= len(docstring.splitlines()) <= DOCSTRING_LINES or is_drawing(docstring)


def is_drawing(docstring: str) -> bool:
    """Tell the drawn error tree, which is longer by design (STYLE §The models: httpx)."""
    return "├──" in docstring


@EACH_SHIPPED
def test_a_file_can_be_read_in_one_go(path: Path) -> None:
    """Docstrings are not counted: those of rules are manual pages."""
    text = path.read_text(encoding="utf-8")
    told = sum(lines(each) for each in ast.walk(ast.parse(text)) if is_text(each))
    assert len(text.splitlines()) - told < FILE_LINES


@EACH_SHIPPED
def test_a_function_fits_on_a_screen(path: Path) -> None:
    too_long = [f"{each.name}: {length(each)} lines" for each in functions(path) if length(each) > FUNCTION_LINES]
    assert too_long == []


@EACH_SHIPPED
def test_failures_are_caught_broadly_in_few_places_only(path: Path) -> None:
    """Elsewhere one catches what one can name."""
    found = [ast.unparse(each) for each in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if is_broad(each)]
    assert len(found) <= BROAD.get(name(path), 0), found


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for each in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
            yield each


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function, its decorators and its docstring left out."""
    return lines(function) - sum(lines(each) for each in function.body[:1] if is_text(each))


def lines(node: ast.AST) -> int:
    first, last = getattr(node, "lineno", 1), getattr(node, "end_lineno", 0)
    return int(last) - int(first) + 1


def is_text(node: ast.AST) -> bool:
    """Tell a docstring, also one under a field."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def is_broad(node: ast.AST) -> bool:
    """Tell `except:`, `except Exception` and `except BaseException`, alone or in a tuple; suppress() counts too.

    A handler that cleans up and ends in a bare `raise` swallows nothing.
    """
    if isinstance(node, ast.ExceptHandler):
        last = node.body[-1]
        if isinstance(last, ast.Raise) and last.exc is None:
            return False
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        return any(each is None or is_everything(each) for each in caught)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "suppress":
        return any(is_everything(each) for each in node.args)
    return False


def is_everything(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in {"Exception", "BaseException"}
