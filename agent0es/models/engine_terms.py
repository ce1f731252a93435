"""Between the port and an engine: a request as one text in the model's own format, and the answer as a completion."""

from agent0es.models.base import Completion, GenerationRequest, Usage
from agent0es.models.chat_template import ChatTemplate
from agent0es.models.engine_messages import EngineRequest, Generated
from agent0es.models.thinking import split_thinking


def in_its_terms(request: GenerationRequest, template: ChatTemplate) -> EngineRequest:
    """Raises RequestRefused where the chat template refuses the messages."""
    return EngineRequest(
        prompt=template.render(request.messages, request.prefill),
        max_tokens=request.max_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        stop=(*request.stop, *template.other_ends),
        seed=request.seed,
        json_schema=request.json_schema,
    )


def completion(
    generated: Generated, request: GenerationRequest, template: ChatTemplate, model: str, adapter: str | None
) -> Completion:
    """What an engine answered, and who it was. What a model thought is told apart where its template knows thinking."""
    begins = template.thinks and not request.prefill
    thinking, text = split_thinking(generated.text) if begins else (None, generated.text)
    return Completion(
        text=text,
        thinking=thinking,
        finish_reason=generated.finish_reason,
        usage=Usage(generated.prompt_tokens, len(generated.token_ids), generated.cached_tokens),
        model=model,
        adapter=adapter,
        seconds=generated.seconds,
        token_ids=generated.token_ids,
        logprobs=generated.logprobs,
    )
