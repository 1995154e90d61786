"""Drawing: the one look of page and reports, as jinja2 templates over what lies on the shelf."""
