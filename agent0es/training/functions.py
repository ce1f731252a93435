"""The steps of a transformer that autograd alone would do in more memory or more time. Each has its gradient by hand.

Weights are frozen: gradients go to inputs and adapters. What comes in and goes out has the precision of the weights,
sums over tokens of a softmax and norms are in fp32.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere
from torch import Tensor

from agent0es.training.packing import Family

LABELS_AT_ONCE = 256
"""Rows of logits that exist at a time: 150 MB with 151,936 tokens of vocabulary."""

_flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_flash_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


class AdaptedLinear(torch.autograd.Function):
    """y = x Wᵀ + bias + s (x Aᵀ) Bᵀ with W frozen; x (n, in), W (out, in).

    The layers that W consists of have adapters of their own: A holds theirs one below the other (Σ rank, in), and each
    B (its out, rank) writes to its own columns of y.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, scale: float, places: Sequence[slice], a: Tensor,
        *bs: Tensor,
    ) -> Tensor:  # fmt: skip
        a, bs = a.to(x.dtype), tuple(b.to(x.dtype) for b in bs)
        low = x @ a.T
        y = x @ weight.T if bias is None else torch.addmm(bias, x, weight.T)
        for place, b, part in zip(places, bs, low.split([b.shape[1] for b in bs], 1), strict=True):
            y[:, place].addmm_(part, b.T, alpha=scale)
        ctx.save_for_backward(x, weight, low, a, *bs)
        ctx.scale, ctx.places = scale, places
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        [grad] = grads
        x, weight, low, a, *bs = ctx.saved_tensors
        parts = low.split([b.shape[1] for b in bs], 1)
        grad_low = torch.cat([grad[:, place] @ b for place, b in zip(ctx.places, bs, strict=True)], 1).mul_(ctx.scale)
        grad_x = (grad @ weight).addmm_(grad_low, a) if ctx.needs_input_grad[0] else None
        grad_bs = [
            (grad[:, place].T @ part).float().mul_(ctx.scale) for place, part in zip(ctx.places, parts, strict=True)
        ]
        return grad_x, None, None, None, None, (grad_low.T @ x).float(), *grad_bs


class Normalised(torch.autograd.Function):
    """RMSNorm of x (n, width) in fp32, in the precision asked for. Keeps x and a number a row."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float, dtype: torch.dtype) -> Tensor:
        rate = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(eps).rsqrt_()
        ctx.save_for_backward(x, weight, rate)
        y: Tensor = (x * rate).mul_(weight)
        return y.to(dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        x, weight, rate = ctx.saved_tensors
        grad = grads[0] * weight
        inner = (grad * x).mean(-1, keepdim=True) * rate.pow(3)
        return grad.mul_(rate).addcmul_(x, inner, value=-1), None, None, None


class Gated(torch.autograd.Function):
    """silu(gate) × up; gate and up side by side in x (n, 2 × inner). Keeps x alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        gate, up = x.chunk(2, -1)
        return F.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        [grad], [x] = grads, ctx.saved_tensors
        gate, up = x.chunk(2, -1)
        both = torch.empty_like(x)
        to_gate, to_up = both.chunk(2, -1)
        to_gate.copy_(torch.ops.aten.silu_backward(grad * up, gate))
        torch.mul(F.silu(gate), grad, out=to_up)
        return both


class Attention(torch.autograd.Function):
    """Causal attention of packed texts: q (tokens, heads, size), k and v (tokens, key heads, size).

    A token of a rest sees the common beginning of its family and its own text up to itself. Both are computed alone and
    put together by their sums of exponentials; with that of both, the gradient of either is computed alone, too (as in
    ring attention, arXiv 2310.01889). So no beginning is copied for each text, and no key head for each query head.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, batch: Sequence[Family]) -> Tensor:
        out = torch.empty_like(q)
        sums = q.new_empty(q.shape[:2], dtype=torch.float32)
        for family in batch:
            first, rests = family.first, family.rests
            padded = [part[rests][family.padded] for part in (q, k, v)]
            seen, total = _attend(True, *padded)
            seen, total = seen.flatten(0, 1)[family.unpadded], total.flatten(0, 1)[family.unpadded]
            if first.stop > first.start:
                [out[first]], [sums[first]] = _attend(True, *(part[None, first] for part in (q, k, v)))
                [before], [of_before] = _attend(False, q[None, rests], k[None, first], v[None, first])
                share = torch.sigmoid(of_before - total)[..., None]
                seen = torch.lerp(seen.float(), before.float(), share)
                total = torch.logaddexp(total, of_before)
            out[rests], sums[rests] = seen, total
        ctx.save_for_backward(q, k, v, out, sums)
        ctx.batch = batch
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        [grad] = grads
        q, k, v, out, sums = ctx.saved_tensors
        to_q, to_k, to_v = (torch.empty_like(part) for part in (q, k, v))
        for family in ctx.batch:
            first, rests, padded, present = family.first, family.rests, family.padded, family.present
            padded_q, padded_k, padded_v, padded_out = (part[rests][padded] for part in (q, k, v, out))
            results = _attend_backward(
                True,
                grad[rests][padded] * present[..., None, None],
                *(padded_q, padded_k, padded_v, padded_out),
                sums[rests][padded].masked_fill(~present[..., None], torch.inf),
            )
            own_q, own_k, own_v = (part.flatten(0, 1)[family.unpadded] for part in results)
            if first.stop > first.start:
                of_first = (part[None, first] for part in (grad, q, k, v, out, sums))
                [first_q], [first_k], [first_v] = _attend_backward(True, *of_first)
                [before_q], [before_k], [before_v] = _attend_backward(
                    False, grad[None, rests], q[None, rests], k[None, first], v[None, first], out[None, rests],
                    sums[None, rests],
                )  # fmt: skip
                to_q[first], to_k[first], to_v[first] = first_q, first_k + before_k, first_v + before_v
                own_q = own_q + before_q
            to_q[rests], to_k[rests], to_v[rests] = own_q, own_k, own_v
        return to_q, to_k, to_v, None


def _attend(causal: bool, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """q (texts, tokens, heads, size) to what was seen, in that shape, and the logarithms of the sums of exponentials,
    in fp32 (texts, tokens, heads)."""
    seen, sums = _flash(_by_head(q, k), _keys(k, q), _keys(v, q), 0.0, causal)
    return _by_token(seen, q), sums.unflatten(0, (len(q), -1)).flatten(1, 2).transpose(1, 2)


def _attend_backward(
    causal: bool, grad: Tensor, q: Tensor, k: Tensor, v: Tensor, out: Tensor, sums: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    by_head = _by_head(sums[..., None], k)[..., 0]
    to_q, to_k, to_v = _flash_backward(
        _by_head(grad, k), _by_head(q, k), _keys(k, q), _keys(v, q), _by_head(out, k), by_head, 0.0, causal
    )
    to_k, to_v = (part.sum(1).unflatten(0, (len(k), -1)).transpose(1, 2) for part in (to_k, to_v))
    return _by_token(to_q, q), to_k, to_v


def _by_head(x: Tensor, k: Tensor) -> Tensor:
    """(texts, tokens, heads, size) to (texts × key heads, heads of each, tokens, size)."""
    grouped: Tensor = x.unflatten(2, (k.shape[2], -1)).permute(0, 2, 3, 1, 4)
    return grouped.flatten(0, 1)


def _by_token(x: Tensor, q: Tensor) -> Tensor:
    """Back from `_by_head` to the shape of q."""
    grouped: Tensor = x.unflatten(0, (len(q), -1)).permute(0, 3, 1, 2, 4)
    return grouped.reshape(q.shape)


def _keys(x: Tensor, q: Tensor) -> Tensor:
    """Keys or values as `_by_head` has queries, one in memory for all query heads that use it."""
    heads = q.shape[2] // x.shape[2]
    return x.transpose(1, 2).flatten(0, 1)[:, None].expand(-1, heads, -1, -1)


class LogProbabilities(torch.autograd.Function):
    """log softmax(x Wᵀ) at a label a row: x (n, width), W (vocabulary, width), labels (n,), to fp32 (n,).

    The gradient is computed on the way, while the logits are there: a row's is (one-hot of its label - softmax) W, and
    that is all that is kept.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, labels: Tensor) -> Tensor:
        found = x.new_empty(len(x), dtype=torch.float32)
        to_x = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        for start in range(0, len(x), LABELS_AT_ONCE):
            rows = slice(start, start + LABELS_AT_ONCE)
            label = labels[rows, None]
            logits = torch.log_softmax((x[rows] @ weight.T).float(), -1)
            found[rows] = logits.gather(1, label)[:, 0]
            if to_x is not None:
                logits.exp_().neg_().scatter_add_(1, label, torch.ones_like(label, dtype=torch.float32))
                to_x[rows] = logits.to(x.dtype) @ weight
        if to_x is not None:
            ctx.save_for_backward(to_x)
        return found

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        [to_x] = ctx.saved_tensors
        return (to_x * grads[0][:, None]).to(to_x.dtype), None, None
