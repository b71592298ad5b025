"""Data: what a folder holds (`scan`), where its digest comes from, and a real data set to try things on (`flights`)."""
