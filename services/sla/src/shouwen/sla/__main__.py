"""``python -m shouwen.sla`` serves."""

from shouwen.sla.app import create
from shouwen.sla.settings import SlaSettings

if __name__ == "__main__":
    create(SlaSettings()).run()  # pyright: ignore[reportCallIssue] (the environment gives the values)
