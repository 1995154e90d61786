"""A generic plan, as EXPLAIN gives it in JSON, in plain words: the node that is expected to cost most, and why."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, cast

from monitor.probe import identifier, plural, redact, size

Node: TypeAlias = Mapping[str, object]

CONDITION_SHOWN = 200
PARTS = 2
"""From so many scanned partitions on they are told as one."""
_PREFIX = "select "


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a plan does not say: tables' full names and rows (by bare name), and the memory of one sort in bytes."""

    names: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[str, float] = field(default_factory=dict)
    work_mem: float = 4 * 1024 * 1024


@dataclass(kw_only=True)
class _Step:
    """A node, how often it is run, what it costs by itself, and its children."""

    node: Node
    loops: float
    own: float = 0.0
    children: list[_Step] = field(default_factory=list)


def costly(text: str, around: Surroundings) -> tuple[str, float]:
    """Give the costly node in words, and the plan's cost; raises ValueError where the JSON is no plan."""
    try:
        root = cast("Node", json.loads(text)[0]["Plan"])
    except (IndexError, KeyError, TypeError) as error:
        raise ValueError("no plan") from error
    steps = [*_steps(root)]
    worst = max(steps, key=lambda step: step.own)
    total = _figure(root, "Total Cost")
    part = f"; {min(worst.own / total, 1.0):.0%} of the estimated cost" if total else ""
    return _words(worst, around) + part, total


def _steps(root: Node) -> Iterator[_Step]:
    """Walk the plan; a node's own cost is its cost less its children's, each as often as it runs."""
    waiting = [_Step(node=root, loops=1.0)]
    while waiting:
        step = waiting.pop()
        step.children = [*_children(step)]
        inner = sum(child.loops * _figure(child.node, "Total Cost") for child in step.children)
        step.own = max(step.loops * _figure(step.node, "Total Cost") - inner, 0.0)
        if _kind(step.node) in {"Append", "Merge Append"}:
            step.children = _told_as_one(step)
        yield step
        waiting.extend(step.children)


def _children(step: _Step) -> Iterator[_Step]:
    nodes = _plans(step.node)
    for node in nodes:
        yield _Step(node=node, loops=step.loops * _runs(step.node, node, nodes))


def _runs(parent: Node, child: Node, siblings: Sequence[Node]) -> float:
    """Tell how often a child runs for one run of its parent, by the planner's estimate."""
    cost = _figure(child, "Total Cost")
    if _kind(parent) == "Limit" and cost > 0:  # it stops early
        return min(_figure(parent, "Total Cost") / cost, 1.0)
    if _relation(child) == "SubPlan" and cost > 0 and "hashed" not in str(parent.get("Filter", "")):
        rest = sum(_figure(each, "Total Cost") for each in siblings if _relation(each) != "SubPlan")
        return max((_figure(parent, "Total Cost") - rest) / cost, 1.0)
    if _kind(parent) == "Nested Loop" and _relation(child) == "Inner":
        return max([1.0, *(_figure(each, "Plan Rows") for each in siblings if _relation(each) == "Outer")])
    return 1.0


def _told_as_one(step: _Step) -> list[_Step]:
    """Let an Append stand for its partitions: many small scans are one big one."""
    parts = [child for child in step.children if "Relation Name" in child.node]
    if len(parts) < PARTS:
        return step.children
    step.own += sum(part.loops * _figure(part.node, "Total Cost") for part in parts)
    return [child for child in step.children if "Relation Name" not in child.node]


def _words(step: _Step, around: Surroundings) -> str:
    kind, node = _kind(step.node), step.node
    often = f", about {plural(round(step.loops), 'time')} over" if step.loops >= 1.5 else ""  # noqa: PLR2004 - two, rounded
    if kind in _READING:
        return _READING[kind](node, around) + often + _filtered(node)
    if kind in _WORKING:
        return _WORKING[kind](node, around) + often
    return f"spends most in a node of the kind {_plain(kind)} (about {_rows(node)}){often}{_filtered(node)}"


def _whole(node: Node, around: Surroundings) -> str:
    relation = str(node.get("Relation Name", ""))
    there = around.rows.get(relation, -1.0)
    size_of = f" (about {_counted(there)})" if there >= 0 else ""
    kept = f" and keeps about {_counted(_figure(node, 'Plan Rows'))}" if "Filter" in node else ""
    return f"reads the whole of {_table(node, around)}{size_of}{kept}"


def _by_index(node: Node, around: Surroundings) -> str:
    index, condition = _name(node, "Index Name"), _condition(node, "Index Cond")
    if not condition:
        return f"walks all of index {index} of {_table(node, around)}, for about {_rows(node)}"
    return f"looks into {_table(node, around)} by index {index} {condition}, for about {_rows(node)}"


def _by_bitmap(node: Node, around: Surroundings) -> str:
    indexes = sorted({_name(each, "Index Name") for each in _below(node) if "Index Name" in each})
    by = f" by index {', '.join(indexes)}" if indexes else ""
    recheck = _condition(node, "Recheck Cond")
    return f"collects about {_rows(node)} of {_table(node, around)}{by}" + (f" {recheck}" if recheck else "")


def _by_function(node: Node, _around: Surroundings) -> str:
    return f"calls the function {_name(node, 'Function Name')}, into which the planner does not see"


def _elsewhere(node: Node, around: Surroundings) -> str:
    return f"reads {_table(node, around)} from another server"


def _sorted(node: Node, around: Surroundings) -> str:
    rows = _plans(node)[0] if _plans(node) else node
    keys = _listed(node, "Sort Key")
    return f"sorts about {_rows(rows)}{f' by {keys}' if keys else ''}{_spill(rows, around)}"


def _hashed(node: Node, around: Surroundings) -> str:
    rows = _plans(node)[0] if _plans(node) else node
    return f"builds a hash table of about {_rows(rows)}{_spill(rows, around)}"


def _joined(node: Node, _around: Surroundings) -> str:
    condition = _condition(node, "Hash Cond") or _condition(node, "Merge Cond") or _condition(node, "Join Filter")
    sides = " with ".join(_rows(each) for each in _plans(node)[:2])
    how = {"Hash Join": "by a hash table", "Merge Join": "in sorted order"}.get(_kind(node), "row by row")
    return f"joins about {sides} {how}" + (f" {condition}" if condition else "")


def _grouped(node: Node, around: Surroundings) -> str:
    rows = _plans(node)[0] if _plans(node) else node
    keys = _listed(node, "Group Key")
    spill = _spill(node, around) if node.get("Strategy") == "Hashed" else ""
    into = f" into about {_counted(_figure(node, 'Plan Rows'))} by {keys}" if keys else ""
    return f"{'groups' if keys else 'sums up'} about {_rows(rows)}{into}{spill}"


def _stored(node: Node, around: Surroundings) -> str:
    return f"keeps about {_rows(node)} aside to read them again{_spill(node, around)}"


def _common(node: Node, _around: Surroundings) -> str:
    return f"reads about {_rows(node)} of the WITH part {_name(node, 'CTE Name')}"


def _appended(node: Node, around: Surroundings) -> str:
    parts = [each for each in _plans(node) if "Relation Name" in each]
    if len(parts) < PARTS:
        return f"puts {len(_plans(node))} results together, about {_rows(node)}"
    whole = sum(_kind(each) == "Seq Scan" for each in parts)
    how = f", {whole} of them as a whole," if whole else ""
    return f"reads {len(parts)} partitions or parts{how} such as {_table(parts[0], around)}, for about {_rows(node)}"


def _limited(node: Node, _around: Surroundings) -> str:
    return f"stops after about {_rows(node)}"


_READING = {
    "Seq Scan": _whole,
    "Sample Scan": _whole,
    "Index Scan": _by_index,
    "Index Only Scan": _by_index,
    "Bitmap Heap Scan": _by_bitmap,
    "Function Scan": _by_function,
    "Table Function Scan": _by_function,
    "Foreign Scan": _elsewhere,
    "CTE Scan": _common,
}
_WORKING = {
    "Sort": _sorted,
    "Incremental Sort": _sorted,
    "Hash": _hashed,
    "Hash Join": _joined,
    "Merge Join": _joined,
    "Nested Loop": _joined,
    "Aggregate": _grouped,
    "Group": _grouped,
    "Materialize": _stored,
    "Memoize": _stored,
    "Append": _appended,
    "Merge Append": _appended,
    "Limit": _limited,
}


def _filtered(node: Node) -> str:
    """Say what drops rows after they were read."""
    condition = _condition(node, "Filter") or _condition(node, "Join Filter")
    if condition:
        return f": filter {condition}"
    return ": its filter holds a subquery" if "Filter" in node else ""


def _condition(node: Node, key: str) -> str:
    """Give a condition without any constant (a view's own may stand in it); "" where that cannot be promised."""
    text = str(node.get(key, ""))
    bare = redact(_PREFIX + text) if text else ""
    return _cut(bare.removeprefix(_PREFIX)) if bare.startswith(_PREFIX) else ""


def _listed(node: Node, key: str) -> str:
    """Give sort or group keys, without constants; those that cannot be read are left out."""
    keys = node.get(key)
    texts = [str(each) for each in keys] if isinstance(keys, list) else []
    clean = redact(f"{_PREFIX}from t order by {', '.join(texts)}") if texts else ""
    return _cut(clean.partition(" order by ")[2])


def _spill(rows: Node, around: Surroundings) -> str:
    width = _figure(rows, "Plan Rows") * _figure(rows, "Plan Width")
    if width <= around.work_mem:
        return ""
    return f", some {size(width)}: more than work_mem ({size(around.work_mem)}), so by way of temporary files"


def _table(node: Node, around: Surroundings) -> str:
    relation = str(node.get("Relation Name", ""))
    return around.names.get(relation) or identifier(relation)


def _name(node: Node, key: str) -> str:
    return identifier(str(node.get(key, "")))


def _rows(node: Node) -> str:
    return _counted(_figure(node, "Plan Rows"))


def _counted(rows: float) -> str:
    return plural(round(rows), "row")


def _plain(kind: str) -> str:
    return "".join(letter for letter in kind if letter.isalnum() or letter == " ")


def _kind(node: Node) -> str:
    return str(node.get("Node Type", ""))


def _relation(node: Node) -> str:
    return str(node.get("Parent Relationship", ""))


def _plans(node: Node) -> Sequence[Node]:
    plans = node.get("Plans")
    return cast("Sequence[Node]", plans) if isinstance(plans, list) else ()


def _below(node: Node) -> Iterator[Node]:
    waiting = [*_plans(node)]
    while waiting:
        each = waiting.pop()
        yield each
        waiting.extend(_plans(each))


def _figure(node: Node, key: str) -> float:
    value = node.get(key)
    return float(value) if isinstance(value, int | float) else 0.0


def _cut(text: str) -> str:
    return text if len(text) <= CONDITION_SHOWN else text[: CONDITION_SHOWN - 1] + "…"
