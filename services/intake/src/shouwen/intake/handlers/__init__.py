"""What intake does: each function loads, lets the domain decide, saves, and emits. None commits or publishes."""
