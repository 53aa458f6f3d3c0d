"""How accurate a model was found to be."""

from __future__ import annotations

from glassml.provenance.parts import Part, Scores
from glassml.scores import Kind, Score, Statistic, find_score

__all__ = ["Accuracy"]


class Accuracy(Part):
    """Scores that were measured, and how.

    Attributes:
        protocol: on which configurations they were measured.
        scores: the coefficients with their errors.
    """

    protocol: str
    scores: Scores

    @classmethod
    def cross_validated(cls, chosen_by: str | None, scores: tuple[Score, ...]) -> Accuracy:
        """Scores of a ridge fit on the data that were left out to choose its penalties."""
        left_out = chosen_by or "parts of the data left out in turn"
        protocol = f"cross-validation: {left_out}, which also chose the ridge penalty"
        return cls(protocol=protocol, scores=scores)

    def find(
        self, species: str, time: float, kind: Kind, statistic: Statistic = "pearson"
    ) -> Score | None:
        """One of the scores, None if it was not measured."""
        return find_score(self.scores, species, time, statistic, kind)
