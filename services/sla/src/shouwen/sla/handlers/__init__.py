"""Load, decide, save, emit: what sla does when it hears facts, when time passes, and when a person asks."""
