"""The test service as a process of its own."""

from ledger import LedgerSettings, create
from shouwen.runtime.service import main

main(create, LedgerSettings)
