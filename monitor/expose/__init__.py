"""Showing: metrics for Prometheus, the page, and the JSON API, all read from the shelf and never from a database."""
