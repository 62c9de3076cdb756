"""What is loaded and checked for a study before its runs are planned, so that it is done once."""

from __future__ import annotations

from paribus.data.pool import Splits
from paribus.errors import UserError
from paribus.seeding import Stream, Streams
from paribus.spec.modules import UserModule
from paribus.spec.network import Module
from paribus.spec.study import Arm, Study
from paribus.training.devices import Device
from paribus.training.modules import ModuleChecks, check_key, checked


class Loaded:
    """Data and modules that were loaded and checked for one study on one device, and need not be again."""

    def __init__(self, study: Study, device: Device) -> None:
        self.splits: dict[tuple[str, Stream, Stream], Splits] = {}
        self.contents: dict[str, str] = {}
        self.modules = _Modules(study, device)

    def with_modules_unchecked(self, study: Study, device: Device) -> Loaded:
        """The same data, with modules that are to be checked again."""
        again = Loaded(study, device)
        again.splits, again.contents = self.splits, self.contents
        return again


class _Modules:
    """The modules of a study's arms, each checked once before training."""

    def __init__(self, study: Study, device: Device) -> None:
        self._folder, self._device = study.folder, device
        self._of_arm: dict[str, UserModule] = {}
        self._checked: dict[tuple[object, ...], UserModule] = {}
        self._checks = ModuleChecks()

    def of(self, arm: Arm, splits: Splits, streams: Streams) -> UserModule | None:
        """The module of an arm; None where it has another network. Raises UserError for what cannot be trained."""
        if not isinstance(arm.recipe.network, Module):
            return None
        if self._device.family != "cpu":
            place, remedy = f"arm {arm.name}, key network.kind", "leave --device out"
            given = arm.recipe.network.kind
            raise UserError("must not be module on a GPU: modules train on the CPU", given=given, place=place,
                            remedy=remedy)  # fmt: skip
        if arm.name not in self._of_arm:
            key = check_key(arm.recipe)
            if key not in self._checked:
                self._checked[key] = checked(arm.name, arm.recipe, splits, streams, self._folder, self._checks)
            self._of_arm[arm.name] = self._checked[key]
        return self._of_arm[arm.name]
