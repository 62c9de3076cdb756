"""Thresholds at which a unit, a run or a data set is reported, each with its reason."""

from __future__ import annotations

DEAD_VARIANCE = 1e-12
"""A hidden unit is dead if the variance of its activation over the training examples is at most this.

Dead means constant: then no example moves its incoming weights differently from another, and the layers above see a
bias. A ReLU that is 0 everywhere has variance 0. A saturated tanh or sigmoid is 1 within the spacing of float32 there,
1.2e-7, which is a variance of about 1e-14; the limit leaves room for some such steps.
"""

DEAD_SHARE = 0.5
"""A network is dead if at least this share of its hidden units is: it has half of the width that it is said to have.

Single dead units are a finding, and no reason to disqualify an arm: what is left may still be the best network.
"""

UNMOVED_COSINE = 0.9
"""A hidden unit is unmoved if the cosine between its incoming weights and its initial ones is above this.

0.9 is an angle of 26 degrees. Independent random weights of 784 inputs have a cosine of 0 with standard deviation
1/28, so a cosine above 0.9 is no chance: training has changed the unit's weights little. It may still be used.
"""

COLLAPSE_VARIATION = 0.01
"""A network has collapsed if its outputs vary over the training examples by less than this share of the inputs.

Variance summed over features, outputs over inputs. One principal component of natural images explains more than 1 %,
so a network below it gives nearly the same output for every input.
"""

COLLAPSE_ERROR = 1.1
"""A network that still trains has collapsed if its error is at most this many times that of the mean of its inputs.

Outputs that are nearly the same for every input are no fault before that: an autoencoder learns the mean first, and
then what differs between the inputs. A tenth is more than an epoch's noise, and less than what is left to learn.
"""

EQUAL_VARIANCE = 1e-12
"""Training examples are equal if their mean variance per feature is at most this: rounding of a mean leaves less."""

MEMORISED_SHARE = 0.5
"""A network has memorised wrong labels from this share of them on.

With K classes, one that learned nothing of the wrong labels predicts them at most as often as chance, 1 / (K - 1):
below one half for 3 classes and more.
"""

MEMORISING_RISE = 0.05
"""Memorising begins at the first epoch whose share of predicted wrong labels is this much above its least value so far.

A network that does not memorise predicts some wrong labels by chance, how many depending on the classes and on the
noise: so the share is compared with its own least value. Of 1,000 wrong labels a share varies by 0.016 at most
(standard deviation), so a rise of five points is not chance.
"""

OVERFIT_RISE = 0.02
"""A run overfits if its smoothed validation loss ends this share above its minimum: more than smoothing leaves of the
noise from epoch to epoch."""

OVERFIT_WINDOW = 5
"""Epochs that the validation loss is averaged over before its minimum is looked for."""

OVERFIT_EPOCHS = 20
"""Runs with fewer epochs are not judged: four windows are the least that show a fall and a rise."""

UNLEARNED_GAIN = 0.05
"""A classifier has not learned if its training accuracy is above the largest class's share by less than this part of
what is left, that is below p + 0.05 (1 - p).

A constant output is right for the share p. The part above it allows for the chance accuracy of a network that depends
on its input at random.
"""

IMBALANCE_RATIO = 10.0
"""Classes are imbalanced if the largest has this many times the training examples of the smallest.

A network that ignores the smallest of two such classes is still right for 91 % of the examples.
"""

SCALE_RATIO = 100.0
"""Columns have very different scales if the largest standard deviation of one is this many times the smallest.

A gradient step moves the weights of a column in proportion to its scale, so the curvature of the loss differs by the
square of this ratio: 10,000, where one learning rate serves some columns and not others.
"""

LARGE_INPUT = 30.0
"""An input is large if its absolute value as the network sees it is above this.

Standardised inputs of 30 are thirty standard deviations from their mean: an outlier, or a code such as -999 for a
missing value. Unscaled ones saturate a tanh at once, and give a ReLU network outputs of that size before training.
"""

UNLEARNED_R2 = 0.05
"""A regression has not learned if its predictions explain less than this share of the training targets' variance.

An autoencoder, whose targets are its inputs, has then collapsed. The mean of the targets explains nothing, R2 = 0; the
part above it allows for what a network explains by chance.
"""

UNSTABLE_RISE = 1.0
"""Training is unstable if an epoch's loss exceeds the lowest loss before it by this share: it is twice as large.

The mean loss over an epoch's batches differs by a few per cent from epoch to epoch where training is stable.
"""

UNSTABLE_LOSS = 0.02
"""... and if it gives up this share of what the loss had fallen by since the first epoch.

A loss that has fallen to a thousandth doubles by noise alone, which loses nothing of what was learned.
"""

CONSTANT_LOSS_SHARE = 0.99
"""A network is no better than a constant output from this share of the loss of the best constant output on.

It then explains at most 1 % of the targets' variance, the limit of `COLLAPSE_VARIATION`.
"""

EIGENFACE_COSINE = 0.9
"""A unit resembles an eigenface if the cosine of its weights with it is at least this, or at most its negative.

0.9 is an angle of 26 degrees, as for `UNMOVED_COSINE`: 81 % of the weights' squared length is that one eigenface.
"""

SMOOTH_CORRELATION = 0.8
"""A unit's weights are a smooth image if neighbouring pixels correlate by this much: two thirds of what varies is then
shared with the neighbour (0.8 squared is 0.64)."""

NOISE_CORRELATION = 0.1
"""A unit's weights are noise if neighbouring pixels correlate by less than this: 1 % of what varies is shared.

Independent weights of 64 x 64 pixels correlate by 0 with standard deviation 1/64.
"""
