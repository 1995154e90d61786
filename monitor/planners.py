"""Who is asked what a planner would do, as the configuration chooses: opened on first use, closed with the command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from monitor.collect.private import private_session
from monitor.config.model import Planning
from monitor.lending import Lending
from monitor.planner.choice import Choice
from monitor.planner.planners import Planners
from monitor.planner.source import Limits

PATIENT = Limits(plans=3000, seconds=60.0)
"""Somebody waits for the answer, once; a daemon asks every half hour for as long as it lives."""


def planner_of(chosen: Planning, limits: Limits | None = None) -> Choice:
    """Give the planner; nothing is started before it is asked."""
    limits = limits or Limits(plans=chosen.plans)
    return Choice(shadows=Planners(private_session, limits=limits), source=chosen.source, limits=limits)


@asynccontextmanager
async def planning(chosen: Planning | None = None, limits: Limits | None = None) -> AsyncIterator[Lending]:
    """Yield a planner; nothing of it is left behind."""
    choice = planner_of(chosen or Planning(), limits)
    try:
        yield choice
    finally:
        await choice.close()
