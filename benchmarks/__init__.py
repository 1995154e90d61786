"""What the monitor costs, measured side by side with its relatives: `make bench`."""
