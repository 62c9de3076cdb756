"""The process that opens a weight file of unknown origin, and can do nothing else.

It runs as a script of its own (see `external`): the file is its standard input, the weights as safetensors its standard
output. Before it reads the first byte it gives up opening files and sockets, writing to files, starting processes, and
all memory and time beyond what the weights need; so even a file that got around PyTorch's `weights_only` could do
little. The parent checks what this process writes as if it came from the file itself.

Exit code 0: the weights. 1: a line that says why there are none.
"""

from __future__ import annotations

import io
import json
import re
import resource
import sys
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NoReturn

import torch
from safetensors.torch import save

COUNTER = "num_batches_tracked"
"""The one whole number of a state dict: how many batches a batch normalisation has seen."""
CPU_S = 20
MAX_TENSORS = 1000
MAX_NAME_LENGTH = 100
WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Keys under which checkpoints have the state dict, beside epochs and optimizers: Lightning's and usual ones."""
_STATM = Path("/proc/self/statm")
_GLOBAL = re.compile(r"unsupported (?:global: )?GLOBAL ([\w.]{1,100})", re.IGNORECASE)


def main(max_bytes: int) -> None:
    """Convert standard input; `max_bytes` bounds the tensors, and the memory that reading them may take."""
    sys.excepthook = _report
    torch.set_num_threads(1)
    _load_once()
    _confine(4 * max_bytes + 2**28)
    file = sys.stdin.buffer
    sys.stdout.buffer.write(_converted(file, max_bytes))
    sys.stdout.flush()


def _load_once() -> None:
    """Convert weights of our own once, so that nothing is imported after files can no longer be opened."""
    buffer = io.BytesIO()
    torch.save({"fc1.weight": torch.zeros(1, 1)}, buffer)
    buffer.seek(0)
    _converted(buffer, 4)


def _converted(file: BinaryIO, max_bytes: int) -> bytes:
    """The tensors as safetensors, which sorts them; so their order in the state dict goes with them."""
    tensors = _checked(_loaded(file), max_bytes)
    return save(tensors, metadata={"order": json.dumps(list(tensors))})


def _loaded(file: BinaryIO) -> object:
    return torch.load(file, map_location="cpu", weights_only=True)


def _confine(more_bytes: int) -> None:
    """From here on: so much more memory, some seconds more, and no new file, no writing and no new process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = int(used.ru_utime + used.ru_stime) + CPU_S
    limits = {
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 0,
    }
    if _STATM.exists():  # elsewhere than on Linux, no limit of this kind is kept
        used_bytes = int(_STATM.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        limits[resource.RLIMIT_AS] = used_bytes + more_bytes
    for kind, limit in limits.items():
        resource.setrlimit(kind, (limit, limit))


def _checked(found: object, max_bytes: int) -> dict[str, torch.Tensor]:
    """A state dict, perhaps in a checkpoint, as float32 tensors with memory of their own; anything else is refused.

    Counters of batches stay whole numbers.
    """
    if isinstance(found, dict):
        found = next((found[key] for key in WRAPPERS if isinstance(found.get(key), dict)), found)
    if not isinstance(found, dict):
        _refuse(f"{_article(type(found).__name__)}, which is not a state dict")
    if not 1 <= len(found) <= MAX_TENSORS:
        _refuse(f"a dict of {len(found)} entries")
    values = 0
    for name, value in found.items():
        if not isinstance(name, str) or len(name) > MAX_NAME_LENGTH:
            _refuse("a dict whose keys are not names")
        if not isinstance(value, torch.Tensor):
            _refuse(f"{_article(type(value).__name__)} under {name}")
        plain = value.layout is torch.strided and value.device.type == "cpu" and not value.is_quantized
        is_counter = name.endswith(COUNTER) and value.dtype is torch.int64 and value.numel() == 1
        if not (plain and (value.is_floating_point() or is_counter)):
            _refuse(f"a tensor of {value.dtype} under {name}")
        values += value.numel()
    if 4 * values > max_bytes:
        _refuse(f"{values} values")
    return {name: _plain(value) for name, value in found.items()}


def _plain(value: torch.Tensor) -> torch.Tensor:
    kind = torch.float32 if value.is_floating_point() else torch.int64
    return value.detach().to(kind).clone().contiguous()


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiouAEIOU' else 'a'} {noun}"


def _refuse(reason: str) -> NoReturn:
    _answer(reason)
    sys.exit(1)


def _report(kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    """Why there are no weights. PyTorch's own words advise to switch `weights_only` off, so they are not repeated."""
    text = str(error).strip()
    found = _GLOBAL.search(text)
    if found:
        _answer(f"a pickle that asks for {found[1]}")
    elif "Weights only load failed" in text:
        _answer("a pickle of more than weights")
    elif kind is MemoryError or "allocate memory" in text:
        _answer("a file that asks for more memory than the weights need")
    else:
        _answer(f"a damaged file ({kind.__name__}: {text.partition(chr(10))[0]}"[:150] + ")")


def _answer(reason: str) -> None:
    sys.stdout.buffer.write(reason[:400].encode("utf-8", "replace"))
    sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
