"""`python -m gyre_train`: the driver of one attempt of a TrainingJob, as docs/run-contract.md says."""

import sys

from gyre_train.driver import main

if __name__ == "__main__":
    sys.exit(main())
