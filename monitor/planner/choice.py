"""Who is asked for what-if plans: a shadow of the server, the server itself by hypopg, or arithmetic.

"auto" takes the shadow where one can be had: it knows more kinds of indexes, may plan what the monitor's role may not
read, and costs the watched server nothing. That hypopg is installed does not say that we may plan on that server.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from monitor.errors import Needs, PlannerError, TargetError
from monitor.lending import Lend
from monitor.planner.arithmetic import Arithmetic
from monitor.planner.hypopg import hypopg
from monitor.planner.source import Limits
from monitor.planning import Planner, PlanSource
from monitor.shape import Shape


class Shadows(Planner, Protocol):
    """Opens shadows, and is closed at the end."""

    async def close(self) -> None:
        """Leave nothing behind."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Opens the best source that can be had; `source` is one of auto, shadow, hypopg, arithmetic."""

    shadows: Shadows
    source: str = "auto"
    limits: Limits = field(default_factory=Limits)
    lend: Lend | None = None
    """Lends sessions in the one database whose shapes are asked about."""

    def beside(self, lend: Lend) -> Choice:
        """Give the same choice with sessions on one database to be had."""
        return replace(self, lend=lend)

    @asynccontextmanager
    async def opened(self, shape: Shape) -> AsyncIterator[PlanSource]:
        """Give it; raises PlannerError where there is none."""
        async with AsyncExitStack() as stack:
            yield await self._chosen(shape, stack)

    async def close(self) -> None:
        """Stop what was started."""
        await self.shadows.close()

    async def _chosen(self, shape: Shape, stack: AsyncExitStack) -> PlanSource:
        if self.source == "arithmetic":
            return Arithmetic(shape, self.limits)
        if self.source == "hypopg":
            return await self._on_target(shape, stack)
        try:
            return await stack.enter_async_context(self.shadows.opened(shape))
        except PlannerError as error:
            if self.source == "shadow":
                raise
            return await self._without_shadow(shape, stack, str(error))

    async def _without_shadow(self, shape: Shape, stack: AsyncExitStack, because: str) -> PlanSource:
        if "hypopg" in shape.extensions and self.lend is not None:
            try:
                return await self._on_target(shape, stack)
            except PlannerError as error:
                because = f"{because}; {error}"
        return Arithmetic(shape, self.limits, because=because)

    async def _on_target(self, shape: Shape, stack: AsyncExitStack) -> PlanSource:
        if self.lend is None:
            raise PlannerError("hypopg: no session on the server is lent for planning; choose planner: {source: auto}")
        inner = await stack.enter_async_context(AsyncExitStack())
        try:
            session = await inner.enter_async_context(self.lend())
            return await inner.enter_async_context(hypopg(session, shape, self.limits))
        except TargetError as error:
            raise PlannerError(f"hypopg: {error}", Needs.TIME) from None
        except PlannerError:
            await inner.aclose()  # a session that is not used is given back at once
            raise
