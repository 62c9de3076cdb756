"""The oracle: the loop that everybody writes, with `torch.nn`, `torch.optim` and `torch.optim.lr_scheduler`."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from paribus import seeding
from paribus.spec import recipe as spec
from paribus.training.cohort import Member


def network(layers: tuple[int, ...], state: dict[str, torch.Tensor]) -> nn.Sequential:
    parts: list[nn.Module] = []
    for i in range(1, len(layers)):
        linear = nn.Linear(layers[i - 1], layers[i])
        linear.weight.data.copy_(state[f"fc{i}.weight"])
        linear.bias.data.copy_(state[f"fc{i}.bias"])
        parts += [linear, nn.ReLU()]
    return nn.Sequential(*parts[:-1])


def optimizer(of: spec.Sgd | spec.Adam | spec.AdamW, parameters) -> torch.optim.Optimizer:
    if isinstance(of, spec.Sgd):
        return torch.optim.SGD(
            parameters, lr=of.lr, momentum=of.momentum, nesterov=of.nesterov, weight_decay=of.weight_decay
        )
    kind = torch.optim.AdamW if isinstance(of, spec.AdamW) else torch.optim.Adam
    return kind(parameters, lr=of.lr, betas=of.betas, eps=of.eps, weight_decay=of.weight_decay)


def schedule(of: spec.Schedule, optimizer: torch.optim.Optimizer, epochs: int):
    schedulers = torch.optim.lr_scheduler
    match of:
        case spec.Constant() | spec.Settle():
            return schedulers.LambdaLR(optimizer, lambda _: 1.0)
        case spec.Step():
            return schedulers.StepLR(optimizer, of.step_size, of.gamma)
        case spec.MultiStep():
            return schedulers.MultiStepLR(optimizer, of.milestones, of.gamma)
        case spec.Exponential():
            return schedulers.ExponentialLR(optimizer, of.gamma)
        case spec.Cosine():
            first = schedulers.LinearLR(optimizer, of.warmup_start, total_iters=of.warmup_epochs)
            then = schedulers.CosineAnnealingLR(optimizer, epochs - of.warmup_epochs, of.min_lr)
            return schedulers.SequentialLR(optimizer, [first, then], milestones=[of.warmup_epochs])
        case spec.ReduceOnPlateau():
            return schedulers.ReduceLROnPlateau(
                optimizer, factor=of.factor, patience=of.patience, threshold=of.threshold
            )


@torch.enable_grad()
def plain_loop(
    of: Member, epochs: int, dtype: torch.dtype = torch.float32
) -> tuple[nn.Sequential, list[float], list[float]]:
    """Train `of` for `epochs`: the network, the mean training loss of each epoch, and its learning rate."""
    recipe, train = of.recipe, of.splits.train
    net = network(recipe.network.layers, dict(of.state.tensors)).to(dtype)
    opt = optimizer(recipe.optimizer, net.parameters())
    sched = schedule(recipe.schedule, opt, recipe.training.epochs)
    inputs = torch.tensor(train.inputs)
    if of.splits.center is not None:
        inputs = inputs - torch.tensor(of.splits.center)
    inputs = inputs.to(dtype)
    labels = None if train.labels is None else torch.tensor(train.labels)
    losses: list[float] = []
    rates: list[float] = []
    for epoch in range(epochs):
        generator = torch.Generator().manual_seed(seeding.derive(of.seed, of.replicate, seeding.ORDER, epoch))
        order = torch.randperm(len(inputs), generator=generator)
        rates.append(opt.param_groups[0]["lr"])
        batch_losses: list[float] = []
        for rows in order.split(recipe.training.batch_size):
            output = net(inputs[rows])
            if labels is None:
                loss = functional.mse_loss(output, inputs[rows])
            else:
                loss = functional.cross_entropy(output, labels[rows], label_smoothing=recipe.loss.label_smoothing)
            opt.zero_grad()
            loss.backward()
            opt.step()
            batch_losses.append(loss.item())
        losses.append(sum(batch_losses) / len(batch_losses))
        if isinstance(recipe.schedule, spec.ReduceOnPlateau):
            sched.step(losses[-1])
        else:
            sched.step()
    return net, losses, rates


def largest_difference(net: nn.Sequential, tensors: dict[str, torch.Tensor]) -> float:
    """Of any parameter, relative to the largest of its tensor."""
    own = parameters(net)
    return max(((tensors[name] - own[name]).abs().max() / own[name].abs().max()).item() for name in own)


def root_mean_square_difference(exact: nn.Sequential, tensors: dict[str, torch.Tensor]) -> float:
    """Of the worst tensor, relative to the root mean square of its own."""
    own = parameters(exact)
    return max(((tensors[name] - own[name]).square().mean() / own[name].square().mean()).sqrt().item() for name in own)


def parameters(net: nn.Sequential) -> dict[str, torch.Tensor]:
    """As paribus names them."""
    linear = [part for part in net if isinstance(part, nn.Linear)]
    return {
        f"fc{i}.{name}": own.detach() for i, part in enumerate(linear, start=1) for name, own in part.named_parameters()
    }
