"""What becomes of a finding over time: the ledger that follows it from suspicion to its end."""
