"""Index advice: which indexes the workload lacks, proved by a planner, and which it could do without."""
