"""Files of weights as the code of other authors writes them, with random numbers."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from glassml.importing.tensor_bundle import masked_crc32c
from glassml.models import Eignn, build, shift_inputs

__all__ = [
    "bapst_tensors",
    "botan_tensors",
    "bundle_table",
    "eignn_network",
    "eignn_tensors",
    "field",
    "resealed",
    "tensor_entry",
    "varint",
    "write_bapst",
    "write_botan",
    "write_bundle",
    "write_eignn",
]

_MAGIC = 0xDB4775248B80FB57
_DTYPES = {"float32": 1, "float64": 2}


def varint(value: int) -> bytes:
    """A number in groups of seven bits, as protocol buffers and LevelDB write it."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F)
    return bytes([group | 0x80 for group in groups[:-1]] + groups[-1:])


def field(number: int, value: int | bytes) -> bytes:
    """A field of a protocol buffer: a number, or bytes with their length."""
    if isinstance(value, bytes):
        return varint(8 * number + 2) + varint(len(value)) + value
    return varint(8 * number) + varint(value)


def tensor_entry(
    shape: tuple[int, ...], offset: int, content: bytes, *, dtype: int = 1, **other: int
) -> bytes:
    """The description of a tensor in a table.

    ``other`` are the fields ``shard``, ``size`` and ``checksum``.
    """
    sizes = b"".join(field(2, field(1, size)) for size in shape)
    checksum = other.get("checksum", masked_crc32c(content))
    return (
        field(1, dtype)
        + field(2, sizes)
        + field(3, other.get("shard", 0))
        + field(4, offset)
        + field(5, other.get("size", len(content)))
        + varint(8 * 6 + 5)
        + struct.pack("<I", checksum)
    )


def _block(pairs: list[tuple[bytes, bytes]], compression: int = 0) -> bytes:
    """A block whose keys share what they have in common with the one before."""
    content, last = b"", b""
    for key, value in pairs:
        same = next((k for k, (a, b) in enumerate(zip(key, last, strict=False)) if a != b), None)
        same = min(len(key), len(last)) if same is None else same
        content += varint(same) + varint(len(key) - same) + varint(len(value))
        content += key[same:] + value
        last = key
    content += struct.pack("<II", 0, 1) + bytes([compression])
    return content + struct.pack("<I", masked_crc32c(content))


def bundle_table(
    entries: Mapping[bytes, bytes],
    *,
    per_block: int = 5,
    compression: int = 0,
    repeat_first: bool = False,
    places: list[tuple[int, int]] | None = None,
) -> bytes:
    """A table of LevelDB of these keys and values, some in each block.

    It may name its first block again at the end, which no table does. ``places`` receives where
    each block begins and ends, without its checksum.
    """
    pairs = sorted(entries.items())
    content, listed, ends = b"", [], []
    for k in range(0, len(pairs), per_block):
        block = _block(pairs[k : k + per_block], compression)
        handle = varint(len(content)) + varint(len(block) - 5)
        listed.append((pairs[min(k + per_block, len(pairs)) - 1][0], handle))
        ends.append((len(content), len(content) + len(block) - 4))
        content += block
    if repeat_first:
        listed.append((b"\xff", listed[0][1]))
    handles = b""
    for block in (_block([]), _block(listed)):
        handles += varint(len(content)) + varint(len(block) - 5)
        ends.append((len(content), len(content) + len(block) - 4))
        content += block
    if places is not None:
        places.extend(ends)
    return content + handles.ljust(40, b"\0") + struct.pack("<Q", _MAGIC)


def resealed(content: bytearray, places: list[tuple[int, int]]) -> bytes:
    """A table that was changed, with the right checksums of its blocks."""
    for begin, end in places:
        content[end : end + 4] = struct.pack("<I", masked_crc32c(bytes(content[begin:end])))
    return bytes(content)


def write_bundle(table: Path, tensors: Mapping[str, np.ndarray]) -> Path:
    """A checkpoint of TensorFlow: ``NAME.index`` and, beside it, the numbers."""
    entries, content = {b"": field(1, 1) + field(3, field(1, 1))}, b""
    for name, values in sorted(tensors.items()):
        stored = values.astype(values.dtype.newbyteorder("<")).tobytes()
        dtype = _DTYPES[values.dtype.name]
        entries[name.encode()] = tensor_entry(values.shape, len(content), stored, dtype=dtype)
        content += stored
    data = table.with_name(table.name.removesuffix(".index") + ".data-00000-of-00001")
    data.write_bytes(content)
    table.write_bytes(bundle_table(entries))
    return table


def bapst_tensors(width: int = 4, seed: int = 0) -> dict[str, np.ndarray]:
    """The tensors of a network of Bapst et al., with one of the optimiser and an unused decoder."""
    rng, w = np.random.default_rng(seed), width
    tensors = {"beta1_power": np.float32(0.9) * np.ones((), np.float32)}
    for name, sizes in {
        "graph_independent/node_model": (1, w, w),
        "graph_independent/edge_model": (3, w, w),
        "graph_network/edge_block": (6 * w, w, w),
        "graph_network/node_block": (3 * w, w, w),
        "graph_independent_1/node_model": (w, w, w, 1),
        "graph_independent_1/edge_model": (w, w, w),
    }.items():
        for k in range(len(sizes) - 1):
            place = f"Graph/{name}/mlp/linear_{k}"
            tensors[f"{place}/w"] = 0.5 * rng.normal(size=sizes[k : k + 2]).astype(np.float32)
            tensors[f"{place}/b"] = 0.5 * rng.normal(size=sizes[k + 1]).astype(np.float32)
    tensors["Graph/graph_network/edge_block/mlp/linear_0/w/Adam"] = np.zeros((2, 2), np.float32)
    return tensors


def botan_tensors(width: int = 4, seed: int = 0) -> dict[str, torch.Tensor]:
    """The tensors of a network of BOTAN."""
    rng, w = torch.Generator().manual_seed(seed), width
    tensors = {}
    for name, sizes in {
        "node_encoder": (1, w, w),
        "edge_encoder": (3, w, w),
        "decoder": (w, w, w, 1),
        "network.edge_model.mlp": (4 * w, w, w),
        "network.node_model.mlp": (3 * w, w, w),
    }.items():
        for k in range(len(sizes) - 1):
            shape = (sizes[k + 1], sizes[k])
            tensors[f"{name}.fc{k + 1}.weight"] = 0.5 * torch.randn(shape, generator=rng)
            tensors[f"{name}.fc{k + 1}.bias"] = 0.5 * torch.randn(shape[0], generator=rng)
    return tensors


def write_bapst(table: Path, width: int = 4) -> Path:
    """A checkpoint of a small network of Bapst et al."""
    return write_bundle(table, bapst_tensors(width))


def write_botan(path: Path, width: int = 4) -> Path:
    """A file of a small network of BOTAN."""
    torch.save(botan_tensors(width), path)
    return path


def eignn_network(times: Sequence[float], seed: int = 1) -> Eignn:
    """A small EIGNN with random parameters and statistics."""
    torch.manual_seed(seed)
    model = build(
        "eignn", times=tuple(times), width=6, n_layers=2, scalar_inputs=shift_inputs("cage")
    )
    assert isinstance(model, Eignn)
    with torch.no_grad():
        for name, value in model.named_buffers():
            if "running" in name:
                value.add_(torch.rand_like(value))
    return model


def eignn_tensors(model: Eignn) -> dict[str, torch.Tensor]:
    """The state of a model by the names of the authors' code, with a constant of e3nn."""
    own = model.state_dict()
    result = {
        "lin_embedding.weight": own["encoder.weight"],
        "lin_embedding.bias": own["encoder.bias"],
        "lin_cat.weight": own["merge.weight"],
        "lin_cat.bias": own["merge.bias"],
        "agg_3.nn.lins.0.weight": own["last_message.weight"],
        "agg_3.nn.lins.0.bias": own["last_message.bias"],
        "out.lins.0.weight": own["mix.weight"],
        "out.lins.1.weight": own["decoder.weight"],
    }
    for kind in ("weight", "bias", "running_mean", "running_var"):
        result[f"out.norms.0.module.{kind}"] = own[f"mix_norm.{kind}"]
    modules = (
        ("I2EConv.lin1", "gate"),
        ("I2EConv.lin2", "gate_of_order"),
        ("I2EConv.lin3", "renewal"),
        ("E2IConv.lin_cat", "filter"),
        ("E2IConv.lin_r", "message"),
    )
    for k in range(model.n_layers):
        for theirs, ours in modules:
            for kind in ("weight", "bias"):
                result[f"interactions.{k}.{theirs}.{kind}"] = own[f"layers.{k}.{ours}.{kind}"]
        place = f"interactions.{k}"
        result[f"{place}.I2EConv.o3_lin.weight"] = own[f"layers.{k}.path_weight"]
        result[f"{place}.I2EConv.tp.w3j_1_1_2"] = torch.zeros(3, 3, 5)
        result[f"{place}.norm.weight"] = own[f"layers.{k}.norm_weight"]
        result[f"{place}.norm.bias"] = own[f"layers.{k}.norm_bias"]
        result[f"{place}.norm.mean_scale"] = own[f"layers.{k}.mean_scale"]
        for kind in ("weight", "bias", "running_mean", "running_var"):
            result[f"{place}.e_norm.{kind}"] = own[f"layers.{k}.vector_norm.{kind}"]
    return result


def write_eignn(path: Path, net: dict[str, torch.Tensor]) -> Path:
    """As the authors' code saves a training: parameters, those of the optimiser, the epoch."""
    weight = torch.nn.Parameter(torch.ones(2, 3))
    optimiser = torch.optim.Adam([weight], lr=1e-3, betas=(0.95, 0.999))
    weight.sum().backward()
    optimiser.step()
    torch.save({"net": net, "optimizer": optimiser.state_dict(), "epoch": 99}, path)
    return path
