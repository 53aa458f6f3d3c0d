"""Configurations become graphs: particles are nodes, pairs within the cutoff directed edges."""

from __future__ import annotations

from glassml.graph.cache import GraphCache
from glassml.graph.neighbours import build_graph, collate, first_edge

__all__ = ["GraphCache", "build_graph", "collate", "first_edge"]
