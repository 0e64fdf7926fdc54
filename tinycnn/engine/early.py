"""Leaves whose gradients are wanted while backward still goes on, to send them to other processes meanwhile.

A leaf is older than every node, so its turn comes last. Where somebody listens, it comes just after the oldest node that
uses the leaf: its gradient is complete then.
"""
import math

from .tensor import Tensor

LISTENERS = []  # functions called at the end of each backward with the leaves that it reached


def turns(edges):
    """{leaf: its turn} of all leaves behind `edges` of the graph."""
    turn, seen, stack = {}, set(), [node for node, _ in edges]
    while stack:
        node = stack.pop()
        if node in seen or isinstance(node, Tensor):
            continue
        seen.add(node)
        for target, _ in filter(None, node.edges):
            if isinstance(target, Tensor):
                turn[target] = min(turn.get(target, math.inf), node.order - 0.5)
            else:
                stack.append(target)
    return turn
