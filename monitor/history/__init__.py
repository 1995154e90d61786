"""What was: counters hour by hour, gauges over time, and what used to be usual."""
