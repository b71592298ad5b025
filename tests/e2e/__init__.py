"""gyre on a real cluster: `make smoke` (one scenario) and `make e2e` (all), against what `hack/cluster up` brought about.

Promises   every test has a namespace of its own in which pods must be *restricted*; every wait is for a condition, with a
           limit; a failure prints what an operator would look at. Figures are printed at the end and in build/e2e.json.
Never      sleeps to synchronise, touches a namespace that it did not make, or leaves a pod running.

GYRE_E2E_OPERATOR=keep leaves the operator that runs already (one under development, on the host, say) as it is.
"""
