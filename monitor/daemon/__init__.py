"""The daemon: what holds the rooms together while `monitor run` lives."""
