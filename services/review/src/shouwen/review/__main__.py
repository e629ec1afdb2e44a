"""``python -m shouwen.review``: the review service as a process."""

from shouwen.review.app import create
from shouwen.review.settings import ReviewSettings
from shouwen.runtime.service import main

if __name__ == "__main__":
    main(create, ReviewSettings)
