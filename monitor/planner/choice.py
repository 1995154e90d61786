"""Who is asked for what-if plans: the server itself where it has hypopg, else a shadow of it, else arithmetic."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from monitor.errors import PlannerError, TargetError
from monitor.planner.arithmetic import Arithmetic
from monitor.planner.hypopg import hypopg
from monitor.planner.planners import Planners
from monitor.planner.source import Limits
from monitor.planning import PlanSource
from monitor.probe import Session
from monitor.shape import Shape

OnTarget: TypeAlias = Callable[[Shape], AbstractAsyncContextManager[Session] | None]
"""Lends a session on the server that a shape was read from; None where none can be had."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Opens the best source that can be had; `source` is one of auto, shadow, hypopg, arithmetic."""

    shadows: Planners
    source: str = "auto"
    limits: Limits = field(default_factory=Limits)
    on_target: OnTarget | None = None

    @asynccontextmanager
    async def opened(self, shape: Shape) -> AsyncIterator[PlanSource]:
        """Give it; raises PlannerError where there is none."""
        async with AsyncExitStack() as stack:
            yield await self._best(shape, stack)

    async def close(self) -> None:
        """Stop what was started."""
        await self.shadows.close()

    async def _best(self, shape: Shape, stack: AsyncExitStack) -> PlanSource:
        if self.source == "hypopg" or (self.source == "auto" and "hypopg" in shape.extensions):
            try:
                return await self._on_target(shape, stack)
            except (PlannerError, TargetError):
                if self.source == "hypopg":
                    raise
        if self.source == "arithmetic":
            return Arithmetic(shape, self.limits)
        try:
            return await stack.enter_async_context(self.shadows.opened(shape))
        except PlannerError as error:
            if self.source != "auto":
                raise
            return Arithmetic(shape, self.limits, because=str(error))

    async def _on_target(self, shape: Shape, stack: AsyncExitStack) -> PlanSource:
        lent = self.on_target(shape) if self.on_target is not None else None
        if lent is None:
            raise PlannerError("hypopg: no session on the server is lent for planning; choose planner: {source: auto}")
        session = await stack.enter_async_context(lent)
        return await stack.enter_async_context(hypopg(session, shape, self.limits))
