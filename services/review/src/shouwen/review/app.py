"""What review consists of."""

from shouwen.review import http, subscribers
from shouwen.review.settings import ReviewSettings
from shouwen.review.store import Protection
from shouwen.runtime.service import Service


def create(settings: ReviewSettings) -> Service:
    """Put the service together."""
    service = Service("review", settings)
    protection = Protection(keys=service.keys, hash_key=service.hash_key, seal=service.seal)
    service.hears(subscribers.subscriptions(protection))
    service.serves(http.routes(service.work, protection, time_zone=settings.time_zone))
    return service
