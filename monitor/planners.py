"""Who is asked what a planner would do, as the configuration chooses: opened on first use, closed with the command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from monitor.collect.private import private_session
from monitor.config_model import Planning
from monitor.planner.planners import Planners
from monitor.planner.shadow import Limits
from monitor.planning import Planner


@asynccontextmanager
async def planning(chosen: Planning | None = None) -> AsyncIterator[Planner]:
    """Yield a planner; nothing of it is left behind."""
    planners = Planners(private_session, limits=Limits(plans=(chosen or Planning()).plans))
    try:
        yield planners
    finally:
        await planners.close()
