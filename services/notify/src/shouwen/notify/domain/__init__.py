"""Who is told what, in which words, and when a failed attempt is repeated. Pure: no clock, no database, no network."""
