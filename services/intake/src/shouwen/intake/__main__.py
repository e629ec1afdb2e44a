"""The intake process."""

from shouwen.intake.app import create
from shouwen.intake.settings import IntakeSettings
from shouwen.runtime.service import main

main(create, IntakeSettings)
