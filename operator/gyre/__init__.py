"""gyre: the whole life of a machine-learning model on Kubernetes, from declarative resources."""

__version__ = "0.1.0"
