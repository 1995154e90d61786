"""Asking: sessions under guards, the runner of probes, and the growth of counters."""
