"""The training of one network, with a number of steps that is fixed beforehand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 — as everybody calls it
from torch import Tensor

from .crops import FAR, Crop, Crops, Shown, halved
from .network import MULTIPLE, STEP, Network, even

BATCH = 32  # crops in a step
RATE = 3e-3  # of learning, at its highest
REVIEWS = 8  # times that the good images are gone through for what is taken for a defect
DOUBTS = 12  # places of each that are then shown more often
RIM = 3  # places: further inside a large defect nothing is asked, since texture alone tells it
UNSURE = 0.5  # how bad a crop is of which nobody can say it
WARMING = 0.15  # share of a lesson in which the rate rises to its highest
Told = Callable[[float], None]
Used = Callable[[], float]


def learnt(
    shown: Sequence[Shown],
    size: int,
    steps: int,
    seed: int,
    told: Told,
    used: Used = lambda: 0.0,
) -> tuple[Network, int]:
    """Return a network that learnt from examples, and its steps: as many as asked, and the same
    network each time, unless time ran out.

    size: of the crops, px; told: called with the share that is done; used: gives the share of its
    time that is used up: where that is ahead of the steps, the lesson ends sooner, in good order.
    What is kept is the running mean of its weights.
    """
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    network = Network(shown[0].pixels.shape[2])
    network.to(memory_format=torch.channels_last)
    crops = Crops(shown, size, random)
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=0.02, fused=True)
    mean = {name: value.clone() for name, value in network.state_dict().items()}
    step, done = 0, 0.0
    while done < 1:
        if step and step % max(1, steps // REVIEWS) == 0:
            _review(network, crops, random)
        network.train()
        for part in optimizer.param_groups:
            part["lr"] = _rate(done)
        batch = crops.batch(BATCH)
        loss, wrong = _loss(network, batch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimizer.step()
        _average(mean, network, min(0.998, (step + 1) / (step + 10)))
        for crop, much in zip(batch, wrong, strict=True):
            if crop.source >= 0:
                crops.hard[crop.source] = (crops.hard[crop.source] + much) / 2
        step += 1
        done = max(step / steps, used())
        told(min(done, 1.0))
    network.load_state_dict(mean)
    network.eval()
    return network, step


def _rate(done: float) -> float:
    """Return the rate of learning at a share of the lesson: it rises, then falls to nothing.

    Source: Smith and Topin (2017), along cosines.
    """
    if done < WARMING:
        return RATE * (0.52 - 0.48 * math.cos(math.pi * done / WARMING))
    return RATE * (0.5 + 0.5 * math.cos(math.pi * (done - WARMING) / (1 - WARMING)))


def _review(network: Network, crops: Crops, random: np.random.Generator) -> None:
    """Go through half of the good images, and let what is taken for a defect be shown again."""
    network.eval()
    for one, whole in crops.good():
        if random.random() < 0.5:
            continue
        far = random.random() < FAR
        image = halved(whole) if far else whole
        height, width = image.shape[2:]
        filled = F.pad(image, (0, -width % MULTIPLE, 0, -height % MULTIPLE), mode="replicate")
        with torch.no_grad():
            heat = _heat(network, filled)[0, 0, : -(-height // STEP), : -(-width // STEP)]
        places = heat.flatten().topk(min(DOUBTS, heat.numel()))[1].numpy()
        places = np.column_stack(np.divmod(places, heat.shape[1])) * STEP + STEP // 2
        places = places * 2 if far else places
        crops.doubt(one, places, float(F.softplus(heat.max())))


def _loss(network: Network, batch: Sequence[Crop]) -> tuple[Tensor, list[float]]:
    """Return what the network has to get lower, and how wrong it was about each crop."""
    mask = torch.cat([each.mask for each in batch])
    bad = torch.tensor([each.bad for each in batch])
    told = torch.tensor([float(each.told) for each in batch])
    wanted, asked = _targets(mask)
    seen = wanted.sum((1, 2, 3)) > 0
    bad = torch.where((bad == 1) & (told > 0) & ~seen, UNSURE, bad)
    heat = _heat(network, torch.cat([each.image for each in batch]))
    wrong = F.binary_cross_entropy_with_logits(heat, wanted, reduction="none").flatten(1)
    wanted, calm = wanted.flatten(1), (asked * (1 - wanted)).flatten(1)
    found = (wrong * wanted).sum(1) / (wanted.sum(1) + 1e-6)
    quiet = (wrong * calm).sum(1) / (calm.sum(1) + 1e-6)
    worst = (wrong * calm).topk(max(1, wrong.shape[1] // 50), 1)[0].mean(1)
    verdict = torch.logsumexp(2 * heat.flatten(1), 1) / 2 - 1
    images = F.binary_cross_entropy_with_logits(verdict, bad, reduction="none")
    places = told * (0.5 * found + quiet + 0.5 * worst)
    return (places + 0.3 * images * (bad != UNSURE)).mean(), images.detach().tolist()


def _targets(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return which places are to be hot, and about which anything is asked: [n, 1, h / 8, w / 8].

    mask: [n, 1, h, w]. A place is hot where a fifth of one of its quarters is defect; the inside of
    a large defect, and what a defect only touches, may be anything.
    """
    quarter = F.avg_pool2d(mask, STEP // 2)
    hot = (F.max_pool2d(quarter, 2) > 0.2).float()
    touched = (F.max_pool2d(mask, STEP) > 0).float()
    whole = (F.avg_pool2d(mask, STEP) > 0.9).float()
    inside = -F.max_pool2d(-whole, RIM, 1, RIM // 2)
    hot = hot * (1 - inside)
    return hot, 1 - torch.maximum((touched - hot).clamp_min(0), inside)


def _heat(network: Network, image: Tensor) -> Tensor:
    lit = even(image).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=_quick_halves()):
        heat: Tensor = network(lit)
    return heat.float()


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
