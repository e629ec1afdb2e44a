"""Who a client is, who may put them on the list of dishonest clients, and whom a name resembles. Pure."""
