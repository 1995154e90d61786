"""Judging: rules over measurements, rules about ourselves, and the threshold rule of YAML probes."""
