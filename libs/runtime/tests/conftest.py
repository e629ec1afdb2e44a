"""The small test service ``ledger`` beside this file, importable here and in processes that tests start."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
