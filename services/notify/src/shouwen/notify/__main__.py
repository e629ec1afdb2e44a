"""``python -m shouwen.notify``: the notify service as a process."""

from shouwen.notify.app import create
from shouwen.notify.settings import NotifySettings
from shouwen.runtime.service import main

if __name__ == "__main__":
    main(create, NotifySettings)
