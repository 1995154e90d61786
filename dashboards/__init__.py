"""Grafana boards, written in Python and checked in as JSON."""
