"""`gyre cost show`, `gyre cost export`, `gyre prices import`: ledgers as tables and FOCUS files, OpenCost's prices as Providers.

Both only read: one a ledger of the cluster, the other a file; what they make goes to standard output or a file of the user's.
"""
