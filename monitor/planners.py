"""Who is asked what a planner would do, as the configuration chooses: opened on first use, closed with the command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from monitor.collect.private import private_session
from monitor.config_model import Planning
from monitor.planner.planners import Planners
from monitor.planner.source import Limits
from monitor.planning import Planner


def planner_of(chosen: Planning) -> Planners:
    """Give the planner; nothing is started before it is asked."""
    return Planners(private_session, limits=Limits(plans=chosen.plans))


@asynccontextmanager
async def planning(chosen: Planning | None = None) -> AsyncIterator[Planner]:
    """Yield a planner; nothing of it is left behind."""
    planners = planner_of(chosen or Planning())
    try:
        yield planners
    finally:
        await planners.close()
