"""``python -m shouwen.review``: the service as a process."""

from shouwen.review.app import create
from shouwen.review.settings import ReviewSettings
from shouwen.runtime.service import main

main(create, ReviewSettings)
