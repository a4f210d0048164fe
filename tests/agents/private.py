"""A task that looks private, and what of it must be in no prompt: other tests search what their runs sent for the same words."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tests.agents.searching import CARD

NAME = "/home/anna.schmidt/St Mary Clinic/patients-2024.npz"
COLUMNS = ("diagnosis_hiv", "income_eur", "insurance_id")
NODES = ("patient-004711", "ICD-B20")
SECRETS = ("anna", "schmidt", "mary", "clinic", "patients", "npz", *COLUMNS, *NODES)
CARD_OF_PRIVATE_TASK = CARD.model_copy(update={"name": NAME})
# Absolute paths, whatever they lead to; "train/val/test" is none.
_PATHS = re.compile(r"(?<![\w.])(?:~|/(?:home|Users|root|tmp|data|mnt|etc|var))/[\w.-]+|\b[A-Za-z]:\\\w+")


def leaks(texts: Iterable[str]) -> list[str]:
    """Secrets and paths in these texts; empty where nothing leaks."""
    whole = "\n".join(texts)
    return [word for word in SECRETS if word.lower() in whole.lower()] + _PATHS.findall(whole)
