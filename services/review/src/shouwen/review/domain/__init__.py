"""What review decides, without any I/O: identifiers, names that resemble, and the life of a list entry."""
