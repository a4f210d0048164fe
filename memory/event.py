"""What all events of a journal have in common."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field


class Event(BaseModel):
    """One line of the journal. A ``durable`` event is on disk (fsync) before ``Journal.append`` returns."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="strings")
    durable: ClassVar[bool] = False

    t: float = Field(0.0, description="active seconds since the run began")
