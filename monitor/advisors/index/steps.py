"""A plan's nodes in turn: how often each is run, what stands above it, and whether only its first rows are wanted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from monitor.planning import Node

_ORDERLESS = frozenset({"Sort", "Incremental Sort", "Aggregate", "Hash", "WindowAgg", "SetOp", "ModifyTable"})
"""Below them a LIMIT above them shortens nothing."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A node of a plan in its place."""

    node: Node
    loops: float = 1.0
    above: tuple[Node, ...] = ()
    """The nodes above it, the nearest first."""
    limited: bool = False
    """A LIMIT above it takes its first rows."""


def steps(plan: Node) -> Iterator[Step]:
    """Walk a plan from its top."""
    waiting = [Step(node=plan)]
    while waiting:
        step = waiting.pop()
        yield step
        waiting.extend(reversed([*_below(step)]))


def _below(step: Step) -> Iterator[Step]:
    kind = step.node.get("Node Type")
    limited = kind == "Limit" or (step.limited and kind not in _ORDERLESS)
    above = (step.node, *step.above)
    for child in children(step.node):
        relation = child.get("Parent Relationship")
        apart = relation in {"InitPlan", "SubPlan"}
        yield Step(node=child, loops=_loops(step, child), above=above, limited=limited and not apart)


def _loops(step: Step, child: Node) -> float:
    """Estimate how often a child is run: what is kept aside, and an InitPlan, once for each of its parent's runs."""
    relation, kind = child.get("Parent Relationship"), step.node.get("Node Type")
    if kind == "Materialize" or relation == "InitPlan":
        return 1.0
    if relation == "SubPlan":
        return step.loops * max(figure(step.node, "Plan Rows"), 1.0)
    if kind == "Nested Loop" and relation == "Inner":
        outer = next((each for each in children(step.node) if each.get("Parent Relationship") == "Outer"), {})
        return step.loops * max(figure(outer, "Plan Rows"), 1.0)
    return step.loops


def children(node: Node) -> Sequence[Node]:
    """Give the nodes right below."""
    plans = node.get("Plans")
    return cast("Sequence[Node]", plans) if isinstance(plans, list) else ()


def figure(node: Node, key: str) -> float:
    """Give a number of a node; 0 where it has none."""
    value = node.get(key)
    return float(value) if isinstance(value, int | float) else 0.0


def listed(node: Node, key: str) -> list[str]:
    """Give a list of texts of a node."""
    texts = node.get(key)
    return [str(each) for each in texts] if isinstance(texts, list) else []
