"""How long tests wait for what should come soon: as long as it takes on a machine much slower and busier than ours.

Waiting ends when the thing is there, so patience costs nothing but in a test that fails. Speed is measured elsewhere.
"""

import os

PATIENCE = float(os.environ.get("PGARCHITECT_PATIENCE", "4"))
"""The seconds a test names are those of a quiet machine; they are multiplied by this."""
