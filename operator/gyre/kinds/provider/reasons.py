"""Every reason that a Provider can give, with its meaning. Pure."""

from __future__ import annotations

from gyre.api.terms import Reason as Term


class Reason(Term):
    """Why a Provider is as it is."""

    PRICED = "Priced", "prices hold now"
    NO_NODES = "NoNodes", "no node of the cluster has the labels of spec.nodeSelector"
    CONTESTED = "Contested", "another Provider claims some of the same nodes, so those have no price"
    EXPIRED = "Expired", "no price of the list holds any more"
    NOT_YET = "NotYet", "no price of the list holds yet"
    UNPRICED = "Unpriced", "some node, or something on it, has no price"
    COMPLETE = "Complete", "every node that it chooses has a price for all that it offers"
