"""The index exam: what an index advisor should propose, must not propose and should drop, proved by building it."""
