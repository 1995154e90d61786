"""The pages that have charts, as bytes."""

from __future__ import annotations

from monitor.draw import auth, indexes, pools, tables
from monitor.draw.canvas import Canvas, Courses
from monitor.draw.page import FIRST, Drawer
from monitor.status import Glance


class Charted:
    """Draws pools, tables and auth into a drawer's sheets."""

    def __init__(self, drawer: Drawer) -> None:
        self._drawer = drawer

    def pools(self, glance: Glance, scene: pools.Scene, courses: Courses) -> bytes:
        """Draw connection slots and pools."""
        canvas = Canvas(scene.charted, courses, glance.now, scene.sheet.asked.hours)
        return self._fill("pools.html", glance, scene, canvas, charts=pools.charts(scene, canvas), sorts=pools.SORTS)

    def tables(self, glance: Glance, scene: tables.Scene, courses: Courses) -> bytes:
        """Draw tables and indexes."""
        canvas = Canvas(scene.charted, courses, glance.now, scene.sheet.asked.hours)
        plots, sorts = tables.charts(scene, canvas), [*tables.SORTS]
        scans = indexes.sparks(scene.listing, canvas)
        return self._fill("tables.html", glance, scene, canvas, charts=plots, sorts=sorts, scans=scans)

    def indexes(self, glance: Glance, scene: indexes.Scene, courses: Courses) -> bytes:
        """Draw the indexes of a server."""
        canvas = Canvas(scene.charted, courses, glance.now, scene.asked.hours)
        scans, sorts = indexes.sparks(scene.listing, canvas), [*indexes.SORTS]
        return self._fill("indexes.html", glance, scene, canvas, scans=scans, sorts=sorts)

    def auth(self, glance: Glance, scene: auth.Scene, courses: Courses) -> bytes:
        """Draw links, sweeps, accounts, sessions and sign-ups."""
        canvas = Canvas(scene.charted, courses, glance.now, scene.sheet.asked.hours)
        return self._fill("auth.html", glance, scene, canvas, charts=auth.charts(scene, canvas))

    def _fill(self, template: str, glance: Glance, scene: object, canvas: Canvas, **context: object) -> bytes:
        known = {"scene": scene, "no_hours": canvas.reason, "first": FIRST}
        return self._drawer.page(template, glance, **known, **context)
