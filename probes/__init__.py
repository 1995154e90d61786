"""What is watched: one module per thing, each with one constant PROBE."""
