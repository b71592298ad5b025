"""`gyre cost export` and `gyre prices import`: the ledgers as FOCUS files, and OpenCost's price files as Providers.

Both only read: one a ledger of the cluster, the other a file; what they make goes to standard output or a file of the user's.
"""
