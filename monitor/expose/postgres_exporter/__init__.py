"""What we read under the names of postgres_exporter (0.20): a table of what stands where, and the page made of it.

Nothing here is imported before `compat: [postgres_exporter]` asks for it.
"""
