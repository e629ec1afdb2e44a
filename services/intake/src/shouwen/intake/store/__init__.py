"""What intake keeps: in each room, one function for each named query of the ``.sql`` file of its name."""
