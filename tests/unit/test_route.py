"""The routing tree: what children inherit, which node takes an alert, and how its group is named."""

import pytest

from monitor.findings.matchers import parse_matcher
from monitor.findings.route import Branch, Route

CRITICAL = {"severity": "critical", "target": "shop", "rule": "pool.saturation", "database": ""}
WARNING = {**CRITICAL, "severity": "warning"}


def route(
    receiver: str | None = None, *matchers: str, routes: tuple[Route, ...] = (), continue_: bool = False
) -> Route:
    return Route(receiver=receiver, matchers=tuple(map(parse_matcher, matchers)), routes=routes, continue_=continue_)


def tree(*routes: Route) -> Branch:
    return route("root", routes=routes).resolved()


def takers(branch: Branch, labels: dict[str, str]) -> list[str]:
    return [taker.receiver for taker in branch.matching(labels)]


def test_a_root_alone_takes_everything() -> None:
    assert takers(tree(), WARNING) == ["root"]


def test_what_no_child_takes_goes_to_the_node_itself() -> None:
    """At each depth, not only at the root."""
    inner = route("inner", 'target="shop"', routes=(route("leaf", 'rule="pool.waiting"'),))
    assert takers(tree(inner), WARNING) == ["inner"]
    assert takers(tree(inner), {**WARNING, "target": "other"}) == ["root"]


def test_a_node_whose_child_takes_an_alert_does_not_hear_of_it() -> None:
    inner = route("inner", 'target="shop"', routes=(route("leaf", 'severity="warning"'),))
    assert takers(tree(inner), WARNING) == ["leaf"]


def test_the_first_child_that_matches_wins() -> None:
    children = (route("a", 'severity="critical"'), route("b"), route("c"))
    assert takers(tree(*children), CRITICAL) == ["a"]
    assert takers(tree(*children), WARNING) == ["b"]


def test_a_child_with_continue_lets_its_siblings_hear_too() -> None:
    """The example of the contract."""
    children = (route("ops", 'severity="critical"', continue_=True), route("am"), route("never"))
    assert takers(tree(*children), CRITICAL) == ["ops", "am"]
    assert takers(tree(*children), WARNING) == ["am"]


def test_a_last_child_with_continue_does_not_reach_its_parent() -> None:
    assert takers(tree(route("a", continue_=True)), WARNING) == ["a"]


def test_depth_comes_before_breadth() -> None:
    deep = route("deep", 'target="shop"', continue_=True, routes=(route("x", continue_=True), route("y")))
    assert takers(tree(deep, route("z")), WARNING) == ["x", "y", "z"]


def test_children_inherit_what_they_do_not_say() -> None:
    """Receiver, grouping and times; a child's own word counts for what is below it."""
    leaf = Route(group_wait=1.0)
    middle = Route(receiver="middle", group_by=("rule",), repeat_interval=60.0, routes=(leaf,))
    top = Route(receiver="root", group_by=("target",), group_interval=7.0, routes=(middle,)).resolved()
    (branch,) = top.routes[0].routes
    assert (branch.receiver, branch.group_by) == ("middle", ("rule",))
    assert (branch.group_wait, branch.group_interval, branch.repeat_interval) == (1.0, 7.0, 60.0)


def test_a_child_can_say_that_it_groups_by_nothing() -> None:
    top = Route(receiver="root", group_by=("target",), routes=(Route(group_by=()),)).resolved()
    assert top.routes[0].group_by == ()


def test_continue_and_mute_times_are_a_nodes_own() -> None:
    """As at Alertmanager."""
    middle = Route(continue_=True, mute_time_intervals=("nights",), routes=(Route(),))
    (branch,) = Route(receiver="root", routes=(middle,)).resolved().routes
    assert (branch.continue_, branch.mute_time_intervals) == (True, ("nights",))
    assert (branch.routes[0].continue_, branch.routes[0].mute_time_intervals) == (False, ())


def test_a_root_that_says_nothing_has_alertmanagers_times() -> None:
    root = tree()
    assert (root.group_by, root.group_wait, root.group_interval, root.repeat_interval) == ((), 30, 300, 14400)


def test_a_group_is_named_by_matchers_and_shared_labels_not_by_place() -> None:
    """A sibling that is put in front, or matchers in another order, change no name."""
    own = route("a", 'severity="critical"', 'target="shop"')
    turned = route("a", 'target="shop"', 'severity="critical"')
    (first,) = tree(own).matching(CRITICAL)
    (second,) = tree(route("new", 'rule="x"'), turned).matching(CRITICAL)
    assert first.group_name({"target": "shop"}) == second.group_name({"target": "shop"})
    assert first.group_name({"target": "shop"}) == '{}/{severity="critical",target="shop"}:{target="shop"}'


def test_an_empty_label_is_no_label() -> None:
    root = Route(receiver="root", group_by=("target", "database", "unheard_of")).resolved()
    assert root.shared(WARNING) == {"target": "shop"}


def test_three_dots_group_by_all_labels() -> None:
    root = Route(receiver="root", group_by=("...",)).resolved()
    assert root.shared(WARNING) == {"rule": "pool.saturation", "severity": "warning", "target": "shop"}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (Route(), "route: names no receiver"),
        (route("root", 'a="b"'), "route: the root takes every alert"),
        (
            Route(receiver="r", routes=(Route(group_by=("...", "rule")),)),
            r"route.routes\[0\].group_by: .* stands alone",
        ),
        (Route(receiver="r", group_by=("rule", "rule")), "route.group_by: names a label twice"),
        (Route(receiver="r", group_interval=0), "route.group_interval: must be longer than 0"),
        (Route(receiver="r", repeat_interval=0), "route.repeat_interval: must be longer than 0"),
        (Route(receiver="r", group_wait=-1), "route.group_wait: must be at least 0"),
        (Route(receiver="r", group_interval=float("nan")), "route.group_interval"),
        (Route(receiver="r", repeat_interval=1e12), "ten years"),
    ],
)
def test_a_tree_that_cannot_be_is_refused_with_its_place(wrong: Route, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        wrong.resolved()
