"""Studies: transfer, refitted decoders, few-shot curves, sweeps and the benchmark."""

from __future__ import annotations

from glassml.studies.few_shot import FewShot, FewShotPoint, few_shot, few_shot_table
from glassml.studies.refit import Refit, RefitDecoder, refit, refit_table, untrained
from glassml.studies.transfer import (
    PublishedCell,
    Transfer,
    TransferCell,
    read_published_transfer,
    transfer,
    transfer_table,
)

__all__ = [
    "FewShot",
    "FewShotPoint",
    "PublishedCell",
    "Refit",
    "RefitDecoder",
    "Transfer",
    "TransferCell",
    "few_shot",
    "few_shot_table",
    "read_published_transfer",
    "refit",
    "refit_table",
    "transfer",
    "transfer_table",
    "untrained",
]
