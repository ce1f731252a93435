"""An evaluation by itself: one way of answering, on a suite of problems. It is no run, and is never trained on."""

from typing import Any, Literal

from pydantic import Field

from agent0es.domain.task import Task, Verification
from agent0es.domain.values import Value

AnswerFormat = Literal["tools", "cot", "program"]
"""How problems are answered: as the student of the configuration works; in words that end in `Answer:`; by one program
that prints the answer."""


class Way(Value):
    """Who answers, and how."""

    format: AnswerFormat
    """tools, cot or program."""
    shots: int = Field(ge=0)
    """Worked examples before the problem, where there are so many for its domain."""
    adapter: str | None
    """Adapter that answers; None is the base model."""
    adapter_run: str | None
    """Run that trained it."""
    samples: int = Field(ge=1)
    """Answers to each problem (k)."""
    temperature: float = Field(ge=0.0)
    """Sampling temperature; 0 is greedy."""
    max_tokens: int = Field(ge=1)
    """Most tokens in one turn."""


class EvaluationStarted(Value):
    """An evaluation began. Stream `evaluation/<evaluation>`."""

    type: Literal["EvaluationStarted"] = "EvaluationStarted"
    version: Literal[2] = 2
    suite: str
    """What is asked: names of a suite, of domains or of families, or a file's name."""
    way: Way
    """Who answers, and how."""
    seed: int
    """The sampling derives from it."""
    configuration: dict[str, Any]
    """The full configuration, defaults included; secrets are left out."""
    code_version: str
    """Version of agent0es that started it."""
    weights: dict[str, str]
    """Model name to sha256 of its weights."""
    prompts: dict[str, str]
    """Kind of problem to sha256 of what is said before it: instructions and worked examples."""
    plugins: dict[str, str] = Field(default_factory=dict)
    """What it uses (`<entry point group>:<name>`) to the package and version that it comes from."""


class ProblemAsked(Value):
    """A problem belongs to an evaluation from now on. Stream `problem/<evaluation>/<problem>`."""

    type: Literal["ProblemAsked"] = "ProblemAsked"
    version: Literal[1] = 1
    problem: int
    """Number of the problem, from 0."""
    source: str
    """Where it comes from: a family, or a line of a file."""
    posed: Task
    """The problem with its answer. From a file of strangers it is hostile."""


class LenientlyJudged(Value):
    """What an attempt probably meant was judged, where the format was missed. Stream of the attempt."""

    type: Literal["LenientlyJudged"] = "LenientlyJudged"
    version: Literal[1] = 1
    attempt: str
    """Name of the attempt."""
    answer: str
    """The last boxed text, else the last number; of code all that was written. Hostile."""
    verification: Verification
    """The judgement."""


class Tally(Value):
    """How many of some problems were solved."""

    solved: float
    """Problems solved; with several samples the sum of the shares of right ones."""
    problems: int
    """Problems asked."""


class EvaluationCompleted(Value):
    """All problems that were asked for were answered. With a higher limit more may follow. Stream as EvaluationStarted.

    Shares are of problems. Strict is what the verifier took from an answer in the format that was asked for.
    """

    type: Literal["EvaluationCompleted"] = "EvaluationCompleted"
    version: Literal[1] = 1
    problems: int
    """Problems asked: the first ones of the suite."""
    samples: int
    """Answers to each."""
    pass_at: dict[str, float]
    """k, in digits, to pass@k, strict: the unbiased estimator of arXiv 2107.03374, eq. 1."""
    low: float
    """Lower end of the 95% Wilson interval of pass@1 over problems."""
    high: float
    """Upper end."""
    lenient: float
    """pass@1 where the last number or boxed text counts, too."""
    lenient_low: float
    """Lower end of its interval."""
    lenient_high: float
    """Upper end."""
    majority: float | None
    """Share of the problems whose most frequent answer is right (majority@k); None with one sample."""
    unanswered: float
    """Share of the answers without one in the format that was asked for."""
    undecided: float
    """Share of the answers that the verifier could not judge. They count as wrong."""
    with_tool: float
    """Share of the answers for which a tool was called."""
    prompt_tokens: float
    """Tokens read for an answer, mean."""
    completion_tokens: float
    """Tokens written for an answer, mean."""
    by_domain: dict[str, Tally]
    """Task domain to its problems."""
    by_family: dict[str, Tally]
    """Family, or kind of file, to its problems; `domain/family` where several domains have one of that name."""
    by_difficulty: dict[str, Tally]
    """Difficulty, with two places, to the problems of it."""
