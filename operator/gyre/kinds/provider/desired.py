"""The children of a Provider: none. It is a fact that others read."""
