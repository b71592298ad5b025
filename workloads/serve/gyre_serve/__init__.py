"""A predictor: one verified version of one model behind the Open Inference Protocol, as docs/serve-contract.md says."""
