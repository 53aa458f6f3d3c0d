"""The report of an evaluation: numbers, figures and one self-contained page."""

from __future__ import annotations

from glassml.analysis.report.options import ReportOptions
from glassml.analysis.report.writing import write_report

__all__ = ["ReportOptions", "write_report"]
