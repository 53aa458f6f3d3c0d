"""Configurations become graphs: particles are nodes, pairs within the cutoff directed edges."""

from __future__ import annotations

from glassml.graph.building import build_graph, collate, first_edge
from glassml.graph.cache import GraphCache

__all__ = ["GraphCache", "build_graph", "collate", "first_edge"]
