"""The training of one network, with a number of steps that is fixed beforehand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 — as everybody calls it
from torch import Tensor

from .crops import Crop, Crops, Shown
from .network import STEP, Network

BATCH = 16  # crops in a step
RATE = 2e-3  # of learning, at its highest
Told = Callable[[float], None]


def learnt(shown: Sequence[Shown], size: int, steps: int, seed: int, told: Told) -> Network:
    """Return a network that learnt from examples in so many steps: the same one each time.

    size: of the crops, px; told: called with the share that is done. What is kept is the running
    mean of its weights.
    """
    torch.manual_seed(seed)
    network = Network(shown[0].pixels.shape[2])
    network.to(memory_format=torch.channels_last)
    crops = Crops(shown, size, np.random.default_rng(seed))
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, RATE, total_steps=max(steps, 2), pct_start=0.15
    )
    mean = {name: value.clone() for name, value in network.state_dict().items()}
    network.train()
    for step in range(steps):
        batch = crops.batch(BATCH)
        loss, verdicts = _loss(network, batch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimizer.step()
        schedule.step()
        _average(mean, network, min(0.998, (step + 1) / (step + 10)))
        for crop, verdict in zip(batch, verdicts, strict=True):
            if crop.source >= 0:
                crops.hard[crop.source] = (crops.hard[crop.source] + verdict) / 2
        told((step + 1) / steps)
    network.load_state_dict(mean)
    network.eval()
    return network


def _loss(network: Network, batch: Sequence[Crop]) -> tuple[Tensor, list[float]]:
    """Return what the network has to get lower, and how wrong it was about each crop."""
    image = torch.cat([each.image for each in batch]).contiguous(memory_format=torch.channels_last)
    mask = F.avg_pool2d(torch.cat([each.mask for each in batch]), STEP)
    mask = torch.maximum(mask, (mask > 0.25).float())
    bad = torch.tensor([each.bad for each in batch])
    told = torch.tensor([float(each.told) for each in batch])
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=_quick_halves()):
        verdict, heat = network(image)
    verdict, heat = verdict.float(), heat.float()
    places = told * (10.0 * _focal(heat, mask) + 0.5 * _dice(heat, mask))
    images = F.binary_cross_entropy_with_logits(verdict, bad, reduction="none")
    return (places + 0.5 * images).mean(), images.detach().tolist()


def _focal(heat: Tensor, mask: Tensor) -> Tensor:
    """Return how wrong the places are, those that are hard counting more: [n].

    Source: Lin and others (2017), with an exponent of 1.5.
    """
    wrong = F.binary_cross_entropy_with_logits(
        heat, mask, reduction="none", pos_weight=torch.tensor(2.0)
    )
    sure = torch.sigmoid(heat)
    right = sure * mask + (1 - sure) * (1 - mask)
    return (wrong * (1 - right) ** 1.5).mean((1, 2, 3))


def _dice(heat: Tensor, mask: Tensor) -> Tensor:
    """Return how little heat and mask lie over each other, 0 where there is no mask: [n]."""
    sure = torch.sigmoid(heat)
    both = (sure * mask).sum((1, 2, 3))
    each = sure.sum((1, 2, 3)) + mask.sum((1, 2, 3))
    return (1 - (2 * both + 1) / (each + 1)) * (mask.sum((1, 2, 3)) > 0).float()


def _average(mean: dict[str, Tensor], network: Network, keep: float) -> None:
    for name, value in network.state_dict().items():
        if value.dtype.is_floating_point:
            mean[name].mul_(keep).add_(value, alpha=1 - keep)
        else:
            mean[name].copy_(value)


def _quick_halves() -> bool:
    """Return whether this processor reckons with 16-bit numbers at full speed."""
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
