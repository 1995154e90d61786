"""Where a click leads: to our own page, whose address is a variable of each board, and from board to board."""

from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.dashboard import DashboardLinkType

PAGE = "${page}"
TAG = "pgarchitect"


@dataclass(frozen=True, kw_only=True)
class Link:
    """A link of a field; `url` may name labels of what was clicked."""

    title: str
    url: str
    elsewhere: bool = True
    """It opens beside the board."""

    def builder(self) -> dashboard.DashboardLink:
        """Give it in the form panels take."""
        return dashboard.DashboardLink(self.title).url(self.url).target_blank(self.elsewhere)


def label(name: str) -> str:
    """Name a label of the line that was clicked."""
    return f"${{__field.labels.{name}:percentencode}}"


def cell(name: str) -> str:
    """Name a field of the row that was clicked."""
    return f"${{__data.fields.{name}:percentencode}}"


FINDINGS = Link(title="Findings, with why and what to do", url=f"{PAGE}/findings?target={label('target')}")
STATEMENTS = Link(
    title="Statements, with their texts",
    url=f"{PAGE}/statements?target={label('target')}&database={label('database')}",
)
ROW_FINDINGS = Link(title="Findings of the server", url=f"{PAGE}/findings?target={cell('target')}")
ROW_RULE = Link(title="The rule's manual page", url=f"{PAGE}/rules/{cell('rule')}")
ROW_STATEMENTS = Link(
    title="Statements, with their texts",
    url=f"{PAGE}/statements?target={cell('target')}&database={cell('database')}",
)
ROW_DATABASE = Link(
    title="One database",
    url=f"/d/pgarchitect-database?var-datasource=${{datasource}}&var-page=${{page:percentencode}}"
    f"&var-target={cell('target')}&${{__url_time_range}}",
    elsewhere=False,
)


def top_links() -> list[dashboard.DashboardLink]:
    """Give the links above a board: the other boards, with what is chosen here, and our own page."""
    boards = dashboard.DashboardLink("Boards").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    page = dashboard.DashboardLink("pgarchitect").type(DashboardLinkType.LINK).url(f"{PAGE}/").target_blank(True)
    return [
        boards.include_vars(True).keep_time(True),
        page.icon("external link").tooltip("Findings with why, figures, and the SQL that mends them"),
    ]
