"""Reading monitor.yaml: its keys, its values, its mistakes; and the files that `discovery` names."""
