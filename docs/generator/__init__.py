"""Everything in the repository that is written by a program: ``make docs`` writes it, a test refuses drift."""
