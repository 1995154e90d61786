"""Index advice: which indexes a workload lacks, and which could go."""
