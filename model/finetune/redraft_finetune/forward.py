"""The training forward: samples side by side in one sequence, the adapter merged into the weights for the length of a step.

Unmerged, an adapter of rank 8 adds two thin products to each matrix and a pass over its output; merged, a forward costs what
the base costs, and only the gradients of the adapter itself are thin. Samples share all matrix products; attention is
computed for each by itself, so that none sees another.
"""

import torch
import torch.nn.functional as F

# Query rows whose scores are computed at a time: keys behind them are never read.
BLOCK = 256
# The matrices of a layer that read the same input are one product.
GROUPS = [
    ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
    ["self_attn.o_proj"],
    ["mlp.gate_proj", "mlp.up_proj"],
    ["mlp.down_proj"],
]


class Group:
    """Matrices with the same input, and the adapter's factors beside each: `weight + scale * b @ a`."""

    def __init__(self, modules, factors, scale: float):
        self.base = torch.cat([module.weight for module in modules])
        biases = [module.bias for module in modules]
        self.bias = None if biases[0] is None else torch.cat(biases)
        self.sizes = [module.weight.shape[0] for module in modules]
        self.factors = factors
        self.scale = scale
        self.merged = torch.empty_like(self.base)
        self.merge()

    @torch.no_grad()
    def merge(self):
        """Takes the factors as they are now."""
        dtype = self.base.dtype
        rank = self.factors[0][0].shape[0]
        # One matrix for all a; for all b one with blocks, zero where a part does not read another's rank.
        self.a = torch.cat([a for a, _ in self.factors]).to(dtype)
        self.b = torch.zeros(sum(self.sizes), rank * len(self.sizes), dtype=dtype, device=self.base.device)
        row = 0
        for at, (size, (_, b)) in enumerate(zip(self.sizes, self.factors)):
            self.b[row : row + size, at * rank : (at + 1) * rank] = b.to(dtype)
            row += size
        torch.addmm(self.base, self.b, self.a, alpha=self.scale, out=self.merged)

    def __call__(self, x):
        return Beside.apply(x, self, *[factor for pair in self.factors for factor in pair])


class Beside(torch.autograd.Function):
    """The product with a group's merged matrices; the base gets no gradient, the factors do."""

    @staticmethod
    def forward(ctx, x, group, *_):
        ctx.group = group
        ctx.save_for_backward(x)
        return F.linear(x, group.merged, group.bias)

    @staticmethod
    def backward(ctx, dy):
        group, (x,) = ctx.group, ctx.saved_tensors
        dx = dy @ group.merged
        da = ((dy @ group.b).t() @ x).float() * group.scale
        db = (dy.t() @ (x @ group.a.t())).float() * group.scale
        rank, row, gradients = group.factors[0][0].shape[0], 0, []
        for at, size in enumerate(group.sizes):
            columns = slice(at * rank, (at + 1) * rank)
            gradients += [da[columns], db[row : row + size, columns]]
            row += size
        return dx, None, *gradients


class Attention(torch.autograd.Function):
    """Causal attention of one sample. q: (key heads, queries of each, tokens, size); k, v: (key heads, tokens, size)."""

    @staticmethod
    def forward(ctx, q, k, v):
        heads, each, length, size = q.shape
        out, kept = torch.empty_like(q), []
        for start in range(0, length, BLOCK):
            end = min(start + BLOCK, length)
            rows = q[:, :, start:end].reshape(heads, -1, size)
            scores = torch.bmm(rows, k[:, :end].transpose(1, 2)).view(heads, each, end - start, end).float()
            scores.mul_(size**-0.5)
            later = torch.ones(end - start, end, dtype=torch.bool, device=q.device).triu_(start + 1)
            scores.masked_fill_(later, -torch.inf)
            weights = torch.softmax(scores, -1).to(q.dtype)
            kept.append(weights)
            values = torch.bmm(weights.view(heads, -1, end), v[:, :end])
            out[:, :, start:end] = values.view(heads, each, end - start, size)
        ctx.save_for_backward(q, k, v, *kept)
        return out

    @staticmethod
    def backward(ctx, dout):
        q, k, v, *kept = ctx.saved_tensors
        heads, each, length, size = q.shape
        dq, dk, dv = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        for weights, start in zip(kept, range(0, length, BLOCK)):
            end = min(start + BLOCK, length)
            flat = weights.view(heads, -1, end)
            d = dout[:, :, start:end].reshape(heads, -1, size)
            dv[:, :end] += torch.bmm(flat.transpose(1, 2), d)
            dweights = torch.bmm(d, v[:, :end].transpose(1, 2))
            # The softmax's gradient, row by row.
            product = dweights * flat
            dscores = product.sub_(flat * product.sum(-1, keepdim=True, dtype=torch.float32).to(q.dtype))
            dscores.mul_(size**-0.5)
            dq[:, :, start:end] = torch.bmm(dscores, k[:, :end]).view(heads, each, end - start, size)
            dk[:, :end] += torch.bmm(dscores.transpose(1, 2), q[:, :, start:end].reshape(heads, -1, size))
        return dq, dk, dv


def norm(x, weight, epsilon: float):
    wide = x.float()
    return weight * (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + epsilon)).to(x.dtype)


class Forward:
    """The forward of a Qwen 2 model with adapters in training.

    `core` is the model, `factors` maps a layer's number and a part's name (`self_attn.q_proj`) to its pair of factors.
    """

    def __init__(self, core, factors, scale: float):
        self.core, self.config = core, core.config
        self.layers = []
        for number, layer in enumerate(core.model.layers):
            groups = []
            for names in GROUPS:
                modules = [layer.get_submodule(name) for name in names]
                modules = [getattr(module, "base_layer", module) for module in modules]
                groups.append(Group(modules, [factors[number, name] for name in names], scale))
            self.layers.append((layer.input_layernorm.weight, layer.post_attention_layernorm.weight, groups))

    def merge(self):
        for *_, groups in self.layers:
            for group in groups:
                group.merge()

    def states(self, sequences: list[list[int]], device):
        """The last hidden states of some sequences, one after the other: (tokens of all, width)."""
        config = self.config
        heads, kv = config.num_attention_heads, config.num_key_value_heads
        size = config.hidden_size // heads
        lengths = [len(sequence) for sequence in sequences]
        ids = torch.tensor([token for sequence in sequences for token in sequence], device=device)
        positions = torch.cat([torch.arange(length, device=device) for length in lengths])
        x = F.embedding(ids, self.core.model.embed_tokens.weight)
        cos, sin = self.core.model.rotary_emb(x[None], positions[None])
        cos, sin = cos[0, :, None], sin[0, :, None]
        for before, after, (qkv, output, gate_up, down) in self.layers:
            parts = qkv(norm(x, before, config.rms_norm_eps)).view(len(ids), heads + 2 * kv, size)
            turned, v = parts[:, : heads + kv], parts[:, heads + kv :]
            low, high = turned.chunk(2, dim=-1)
            turned = turned * cos + torch.cat([-high, low], dim=-1) * sin
            attended, start = [], 0
            for length in lengths:
                rows = slice(start, start + length)
                q = turned[rows, :heads].reshape(length, kv, heads // kv, size).permute(1, 2, 0, 3).contiguous()
                k = turned[rows, heads:].transpose(0, 1).contiguous()
                out = Attention.apply(q, k, v[rows].transpose(0, 1).contiguous())
                attended.append(out.permute(2, 0, 1, 3).reshape(length, heads * size))
                start += length
            x = x + output(torch.cat(attended))
            gate, up = gate_up(norm(x, after, config.rms_norm_eps)).chunk(2, dim=-1)
            x = x + down(F.silu(gate) * up)
        return norm(x, self.core.model.norm.weight, config.rms_norm_eps)

    def answers(self, pack, device):
        """What the output layer reads at each position that predicts a token of the samples' answers."""
        states = self.states([sample.prompt + sample.answer[:-1] for sample in pack], device)
        wanted, start = [], 0
        for sample in pack:
            end = start + len(sample.prompt) + len(sample.answer) - 1
            wanted += range(start + len(sample.prompt) - 1, end)
            start = end
        return states[torch.tensor(wanted, device=device)]
