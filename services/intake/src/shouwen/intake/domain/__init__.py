"""What intake decides, without any input or output: time, ids and stored state are arguments."""
