"""What changes training inputs at random, anew in each epoch."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from annotated_types import Ge, Le
from pydantic import AfterValidator, Strict, model_validator

from paribus.spec.fields import Fraction, Frozen, NotNegative

MAX_SHIFT = 1000
MIN_MIXUP = 0.1


class Noise(Frozen):
    """Noise that is added to each feature: normal with the standard deviation `gaussian`, or uniform from -`uniform` to
    `uniform`. 0 adds none."""

    gaussian: NotNegative = 0.0
    uniform: NotNegative = 0.0

    @property
    def present(self) -> bool:
        return self.gaussian > 0 or self.uniform > 0

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.gaussian and self.uniform:
            raise ValueError("noise takes gaussian or uniform, and not both: set one of them to 0")
        return self


def _none_or_enough(mixup: float) -> float:
    if 0 < mixup < MIN_MIXUP:
        raise ValueError(f"must be 0, or from {MIN_MIXUP} on: below, hardly any example is mixed")
    return mixup


class Augmentation(Frozen):
    """What is done to training inputs, drawn anew for each example in each epoch; evaluation sees clean ones.

    In this order: `flip` mirrors an image, left and right, with probability 1/2. `shift` moves it by up to this many
    pixels along each axis, each move equally likely, and fills with zeros. `noise` is added to each feature. `zeroed`
    is the probability with which a feature is set to zero. `mixup` mixes each example, inputs and label, with another
    one of the epoch: the example's own share is drawn from a beta distribution whose parameters are both `mixup`
    (Zhang et al.: "mixup: beyond empirical risk minimization", 2018); 0 mixes none. An autoencoder's target stays the
    clean example: for it, this is the corruption of a denoising autoencoder (Vincent et al. 2010).

    For images, noise and zeros are on the scale of the image, and what leaves the range of its values is clipped. For
    rows of a table they are on the scale of what the network sees, after `data.scale`: with "standardise", a noise of
    0.1 is a tenth of each feature's standard deviation, and a zeroed feature has its mean.
    """

    shift: Annotated[int, Strict(), Ge(0), Le(MAX_SHIFT)] = 0
    flip: Literal["none", "horizontal"] = "none"
    noise: Noise = Noise()
    zeroed: Fraction = 0.0
    mixup: Annotated[float, Strict(), Ge(0), Le(1000), AfterValidator(_none_or_enough)] = 0.0

    @property
    def present(self) -> bool:
        """Whether anything is changed at all."""
        return self.moves_pixels or self.noise.present or self.zeroed > 0 or self.mixup > 0

    @property
    def moves_pixels(self) -> bool:
        """Whether it makes sense for images only."""
        return self.shift > 0 or self.flip != "none"
