"""Telling people: one file a receiver, each with one method `send`; delivery.py queues and retries for all of them."""
