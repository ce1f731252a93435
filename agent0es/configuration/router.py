"""What a user can set about the router: who may answer, at what price, and how it is decided."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from agent0es.configuration.models import StudentSettings
from agent0es.configuration.section import Section
from agent0es.configuration.sources import short


class RoutedModelSettings(StudentSettings):
    """A model that the router may ask, how, and at what price."""

    demonstrations: int = Field(default=0, ge=0, le=16)
    """Worked examples before the question, those most like it, for a model without an adapter."""
    input_price: float | None = Field(default=None, ge=0.0)
    """US dollars for a million tokens read; `null` for the published price, or 0 in this machine's memory."""
    output_price: float | None = Field(default=None, ge=0.0)
    """The same for a million tokens written."""

    @model_validator(mode="after")
    def _both_prices(self) -> "RoutedModelSettings":
        if (self.input_price is None) != (self.output_price is None):
            raise ValueError("input_price and output_price belong together: set both, or none")
        return self


class CloudModelSettings(RoutedModelSettings):
    """The same for the model behind the local one, which is taken to be a larger one that works in a chat."""

    temperature: float = Field(default=0.0, ge=0.0, le=2.0)
    """Sampling temperature; 0 is greedy."""
    max_tokens: int = Field(default=1024, ge=1, le=32768)
    """Most tokens in one turn. What a request may cost at most follows from it."""
    prompt: Literal["short", "tools", "guide"] = "guide"
    """What it is told, as `models.student.prompt`."""
    observations: Literal["continued", "turns"] = "turns"
    """Where a tool's result stands, as `models.student.observations`."""
    reminders: int = Field(default=1, ge=0, le=8)
    """How often it is asked for a call or an answer, as `models.student.reminders`."""


class BudgetSettings(Section):
    """The most that the router may spend, in US dollars. No request is made that might pass one of these."""

    per_day: float | None = Field(default=None, ge=0.0)
    """In a day (UTC), by all processes that use the store; `null` for no limit."""
    per_run: float | None = Field(default=None, ge=0.0)
    """On behalf of one run or batch."""
    per_request: float | None = Field(default=None, ge=0.0)
    """For one question."""


class RouterSettings(Section):
    """Who answers a question: `agent0es ask`, and models whose backend is `router`."""

    local: RoutedModelSettings = RoutedModelSettings(stop=("\n",), demonstrations=8)
    """The model that is asked first. An adapter of it that is in use in the store answers, asked as in its run."""
    cloud: CloudModelSettings | None = None
    """The model behind it, which costs more; `null` for none."""
    confidence_threshold: float = Field(default=0.7, ge=0.0, le=1.0)
    """The local answer is taken where it is at least this likely to be right; once ten answers of the other model were
    judged in the domain: where the other one is likelier to be right by at most 1 less this."""
    cache_size: int = Field(default=10000, ge=0)
    """Answers that are kept, those used last; 0 for none."""
    drafts: int = Field(default=3, ge=0, le=16)
    """Attempts of the local model (k), from which follows how sure it is: the first greedy, the others sampled. 0 to
    decide before it is asked."""
    signals: dict[str, float] = Field(default={"agreement": 1.0, "confidence": 0.5, "neighbours": 1.0})
    """Signal (entry point in the group `agent0es.router_signals`) to its weight in the prediction."""
    budget: BudgetSettings = BudgetSettings()
    """The most that may be spent."""
    mean_cost: float | None = Field(default=None, gt=0.0)
    """Most US dollars that a question may cost on average: the threshold is lowered until earlier questions bear that
    out. Needs `budget.per_request`, the most that one may cost; `null` for no bound."""
    timeout_seconds: float = Field(default=120.0, gt=0.0, le=3600.0)
    """Most seconds for the attempts of one model; then the next one is asked."""
    compare: bool = False
    """Ask both models each question, and take the answer that would be taken without. `agent0es route calibrate` learns
    from it."""

    @model_validator(mode="after")
    def _bounded(self) -> "RouterSettings":
        if self.mean_cost is not None and self.budget.per_request is None:
            raise ValueError("mean_cost needs budget.per_request: set the most that one question may cost")
        return self

    @field_validator("signals")
    @classmethod
    def _weights(cls, signals: dict[str, float]) -> dict[str, float]:
        for name, weight in signals.items():
            if weight <= 0.0:
                raise ValueError(f"{short(name)} must have a weight above 0; leave out a signal that is not wanted")
        return signals
