"""What a backend needs besides its answers, for one that trains and serves nothing: a base class for plug-ins."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence

from agent0es.errors import ModelNotFound
from agent0es.models.base import Capabilities, Completion, Deployment, GenerationRequest, Health, Weights
from agent0es.models.waiting import side_by_side


class SimpleBackend(ABC):
    """A model behind one method, which answers one request. It serves no adapters, and streams a text as one piece."""

    name: str
    """Of the model that answers, as the log is to have it."""
    capabilities: Capabilities
    """What it can do. The settings that it can't take are named in each completion: `capabilities.left_out(request)`.
    """
    weights: Weights | None = None
    """Nothing to train from."""

    @abstractmethod
    async def complete(self, request: GenerationRequest) -> Completion:
        """The answer to one request; many may be asked at once.

        Raises GenerationFailed where another try may help, RequestRefused where the request itself can't be answered.
        """

    async def generate(self, requests: Sequence[GenerationRequest], adapter: str | None = None) -> list[Completion]:
        """All answers, asked for side by side; where one fails, the others are asked for no longer."""
        if adapter is not None:
            raise ModelNotFound(f"adapter {adapter} is not deployed: {self.name} serves none")
        return await side_by_side(self.complete(request) for request in requests)

    async def stream(self, request: GenerationRequest, adapter: str | None = None) -> AsyncIterator[str]:
        """The whole text."""
        [completion] = await self.generate([request], adapter)
        yield completion.text

    async def health(self) -> Health:
        """It is well until its answers say otherwise."""
        return Health(ok=True, detail=self.name)

    async def deploy(self, deployment: Deployment) -> None:
        """Raises ModelNotFound: no adapter is served."""
        raise ModelNotFound(f"adapter {deployment.name}: {self.name} serves none")

    async def retire(self, name: str) -> None:  # noqa: B027
        """Nothing was deployed."""

    async def close(self) -> None:  # noqa: B027
        """Nothing is open."""
