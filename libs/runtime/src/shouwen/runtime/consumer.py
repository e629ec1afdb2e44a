"""Kafka in. (The consumer itself follows; the registration stands.)"""

from shouwen.runtime.subscriptions import Batch, Each, Subscriptions, UnknownFact

__all__ = ["Batch", "Each", "Subscriptions", "UnknownFact"]
