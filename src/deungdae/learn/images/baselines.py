"""What a network has to beat: always good, PCA, nearest neighbour of texture, ridge."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 — as everybody calls it
from numpy.typing import NDArray
from torch import Tensor, nn

from .network import even

SMALL = 64, 64  # height and width of images for PCA
FINE = 192, 192  # and for textures
PARTS = 24  # principal components
FILTER = 6  # px: textures are told apart by cosines over so many
MEMORY = 2000  # stretches of good texture that are kept
PENALTY = 10.0  # of ridge regression, on features of spread 1

Array = NDArray[np.float64]


class Always(nn.Module):  # type: ignore[misc]
    """Says of every image that it is good."""

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of the images and of their places, all the same."""
        nothing = image.mean((1, 2, 3)) * 0 - 1
        return nothing, nothing[:, None, None, None]


class Reconstruction(nn.Module):  # type: ignore[misc]
    """How far an image is from what the principal components of good ones can make."""

    def __init__(self, good: Tensor) -> None:
        super().__init__()
        flat = self._flat(good).numpy()
        mean = flat.mean(0)
        parts = _components(flat - mean)
        self.register_buffer("mean", torch.from_numpy(mean))
        self.register_buffer("parts", torch.from_numpy(parts))
        self.shape = good.shape[1:]
        self.scale = _Scale(self._far(good))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of the images and of their places."""
        far = self.scale(self._far(image))
        return far.amax((1, 2, 3)), far

    def _far(self, image: Tensor) -> Tensor:
        flat = self._flat(image) - self.mean
        rest = flat - (flat @ self.parts.T) @ self.parts
        square = (rest * rest).reshape(-1, *self.shape).mean(1, keepdim=True)
        return torch.log(F.avg_pool2d(square, 5, 2, 2, count_include_pad=False) + 1e-4)

    @staticmethod
    def _flat(image: Tensor) -> Tensor:
        return even(image)[:, : image.shape[1]].flatten(1)


class Neighbour(nn.Module):  # type: ignore[misc]
    """How far each stretch of texture is from the most similar one of the good images."""

    def __init__(self, good: Tensor, seed: int) -> None:
        super().__init__()
        self.texture = _Texture()
        known = torch.cat([_places(self.texture(each[None])) for each in good])
        chance = np.random.default_rng(seed).permutation(len(known))[:MEMORY]
        known = known[torch.from_numpy(np.sort(chance))]
        self.register_buffer("middle", known.mean(0))
        self.register_buffer("spread", known.std(0) + 1e-3)
        self.register_buffer("known", (known - self.middle) / self.spread)
        self.scale = _Scale(torch.cat([self._far(each[None]) for each in good]))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of the images and of their places."""
        far = self.scale(self._far(image))
        return far.amax((1, 2, 3)), far

    def _far(self, image: Tensor) -> Tensor:
        texture = self.texture(image)
        place = (_places(texture) - self.middle) / self.spread
        square = (place * place).sum(1, keepdim=True) + (self.known * self.known).sum(1)
        nearest = (square - 2 * place @ self.known.T).amin(1).clamp_min(0)
        return torch.log(nearest + 0.1).reshape(-1, 1, *texture.shape[2:])


class Ridge(nn.Module):  # type: ignore[misc]
    """A straight line through the means and extremes of an image's textures."""

    def __init__(self, images: Tensor, bad: NDArray[np.bool_]) -> None:
        super().__init__()
        self.texture = _Texture()
        told = torch.cat([self._told(each[None]) for each in images]).numpy().astype(np.float64)
        middle, spread = told.mean(0), told.std(0) + 1e-3
        weight, level = _line((told - middle) / spread, bad)
        self.register_buffer("middle", torch.from_numpy(middle.astype(np.float32)))
        self.register_buffer("weight", torch.from_numpy((weight / spread).astype(np.float32)))
        self.level = level

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of the images and of their places."""
        logit = (self._told(image) - self.middle) @ self.weight + self.level
        texture = self.texture(image)
        half = texture.shape[1]
        place = texture - texture.mean((2, 3), keepdim=True)
        share = (place * self.weight[:half, None, None]).sum(1, keepdim=True)
        return logit, logit[:, None, None, None] + share

    def _told(self, image: Tensor) -> Tensor:
        texture = self.texture(image)
        return torch.cat([texture.mean((2, 3)), texture.amax((2, 3))], 1)


class _Texture(nn.Module):  # type: ignore[misc]
    """The strength of cosines in stretches of 8 px: [n, filters, h / 8, w / 8]."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("bank", torch.from_numpy(_cosines()))

    def forward(self, image: Tensor) -> Tensor:
        flat = even(image.mean(1, keepdim=True))[:, 1:]
        return F.avg_pool2d(F.conv2d(flat, self.bank, stride=2, padding=2).abs(), 4)


class _Scale(nn.Module):  # type: ignore[misc]
    """Brings distances to mean 0 and spread 1 of the highest one in a good image."""

    def __init__(self, good: Tensor) -> None:
        super().__init__()
        highest = good.amax((1, 2, 3))
        self.middle = float(highest.mean())
        self.spread = float(highest.std()) + 1e-3

    def forward(self, far: Tensor) -> Tensor:
        return (far - self.middle) / self.spread


def _components(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the principal components of rows about 0, float32[k, m], by way of their products:
    there are fewer images than pixels."""
    count = min(PARTS, len(rows) - 1)
    _, vectors = np.linalg.eigh((rows @ rows.T).astype(np.float64))
    parts = vectors[:, ::-1][:, :count].T.astype(np.float32) @ rows
    length = np.linalg.norm(parts, axis=1, keepdims=True)
    found: NDArray[np.float32] = parts / np.maximum(length, 1e-6)
    return found


def _places(texture: Tensor) -> Tensor:
    return texture.permute(0, 2, 3, 1).flatten(0, 2)


def _cosines() -> NDArray[np.float32]:
    """Return the two-dimensional cosines without the constant one, float32[35, 1, 6, 6]."""
    n = np.arange(FILTER)
    base = np.cos(np.pi * (2 * n[None] + 1) * n[:, None] / (2 * FILTER))
    base /= np.linalg.norm(base, axis=1, keepdims=True)
    both = np.einsum("ay,bx->abyx", base, base).reshape(-1, 1, FILTER, FILTER)
    kept: NDArray[np.float32] = both[1:].astype(np.float32)
    return kept


def _line(told: Array, bad: NDArray[np.bool_]) -> tuple[Array, float]:
    """Return weights and level of the ridge regression on ±1, both kinds counting alike."""
    share = np.where(bad, 0.5 / max(1, bad.sum()), 0.5 / max(1, (~bad).sum())) * len(bad)
    target = np.where(bad, 1.0, -1.0)
    level = float(np.average(target, weights=share))
    middle = np.average(told, axis=0, weights=share)
    shifted = told - middle
    square = (shifted * share[:, None]).T @ shifted + PENALTY * np.eye(told.shape[1])
    weight = np.linalg.solve(square, (shifted * share[:, None]).T @ (target - level))
    return weight, level - float(middle @ weight)
