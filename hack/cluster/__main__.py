"""`python hack/cluster`: runs the package from its folder, installed or not."""

import sys
from pathlib import Path

if not __package__:
    # Started as a folder: the interpreter put that folder itself first, and its modules must not be top-level names.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from cluster.cli import main

if __name__ == "__main__":
    sys.exit(main())
