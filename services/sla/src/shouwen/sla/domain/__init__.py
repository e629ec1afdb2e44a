"""What a clock is, when it is due, and why. Pure: time, facts and packs are arguments."""
