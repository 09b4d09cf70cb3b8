"""`ElementwiseKernel` and `ReductionKernel`: CuPy's rules around a body, and g++ to execute it."""

import ctypes
import math
from typing import Any

import numpy as np

from . import memory
from .array import ndarray, number, wrapped
from .compiler import compiled

C_TYPES = {
    "float64": "double",
    "float32": "float",
    "int64": "long long",
    "int32": "int",
    "int16": "short",
    "int8": "signed char",
    "uint64": "unsigned long long",
    "uint32": "unsigned int",
    "uint16": "unsigned short",
    "uint8": "unsigned char",
    "bool": "bool",
}
PARTS = 32
"""A reduction is taken in so many partial sums, and then in pairs: on a GPU it's no plain loop."""


class RaceError(AssertionError):
    """A kernel writes entries that it also reads elsewhere, or writes them twice."""


class Parameter:
    """One parameter of a declaration such as "T x, raw uint8 table"."""

    def __init__(self, text: str) -> None:
        *keywords, ctype, self.name = text.split()
        if any(keyword != "raw" for keyword in keywords):
            raise Exception(f'Unknown keyword "{keywords[0]}"')
        self.raw = bool(keywords)
        self.dtype = None if len(ctype) == 1 else np.dtype(ctype)
        self.ctype = ctype if self.dtype is None else C_TYPES[self.dtype.name]


def parameters(text: str) -> list[Parameter]:
    return [Parameter(part) for part in text.split(",")] if text.strip() else []


def decide_types(inputs: list, outputs: list, given: list) -> tuple[list, dict]:
    """Return the dtype of each parameter, and that of each type variable such as T.

    The arrays decide, those for output first; where one T stands for two dtypes, CuPy refuses.
    A number (None in `given`) takes the dtype of its parameter.
    """
    known: dict[str, np.dtype] = {}
    pairs = list(zip(inputs + outputs, given, strict=True))
    for parameter, dtype in pairs[len(inputs) :] + pairs[: len(inputs)]:
        if dtype is None:
            continue
        want = parameter.dtype or known.setdefault(parameter.ctype, dtype)
        if want != dtype:
            raise TypeError(
                f"Type is mismatched. {parameter.name} {dtype} {want} {parameter.ctype}"
            )
    return [p.dtype or known[p.ctype] for p in inputs + outputs], known


def _arguments(kernel: Any, args: tuple, out: Any = None) -> tuple[list, list]:
    nin, nout = len(kernel.in_params), len(kernel.out_params)
    if len(args) not in (nin, nin + nout):
        raise TypeError(
            f"Wrong number of arguments for {kernel.name!r}. It must be either {nin} or "
            f"{nin + nout} (with outputs), but given {len(args)}."
        )
    outputs = list(args[nin:]) if out is None else [out]
    inputs = [arg if isinstance(arg, ndarray) else number(arg) for arg in args[:nin]]
    if any(not isinstance(array, ndarray) for array in outputs):
        raise TypeError("Output arguments type must be cupy.ndarray")
    return inputs, outputs


def _types(kernel: Any, inputs: list, outputs: list) -> tuple[list, dict]:
    missing = len(kernel.in_params + kernel.out_params) - len(inputs + outputs)
    dtypes = [getattr(a, "dtype", None) if isinstance(a, ndarray) else None for a in inputs]
    dtypes += [array.dtype for array in outputs] + [None] * missing
    return decide_types(kernel.in_params, kernel.out_params, dtypes)


def _loop_shape(kernel: Any, inputs: list, outputs: list) -> tuple[int, ...] | None:
    pairs = zip(kernel.in_params + kernel.out_params, inputs + outputs, strict=False)
    shapes = [a.shape for p, a in pairs if isinstance(a, ndarray) and not p.raw]
    return np.broadcast_shapes(*shapes) if shapes else None


def _no_race(kernel: Any, inputs: list, outputs: list) -> None:
    """Refuse what would depend on which entry a GPU happens to compute first."""
    arrays = [(p, a._host) for p, a in zip(kernel.in_params, inputs, strict=True) if _is(a)]
    made = [(p, a._host) for p, a in zip(kernel.out_params, outputs, strict=True)]
    for parameter, host in made:
        if not parameter.raw and any(
            stride == 0 and length > 1
            for stride, length in zip(host.strides, host.shape, strict=True)
        ):
            raise RaceError(f"{kernel.name} writes entries of {parameter.name} more than once")
        for other, read in arrays + made:
            if other is parameter or not np.may_share_memory(host, read):
                continue
            same = host.ctypes.data == read.ctypes.data and host.strides == read.strides
            if not (same and host.shape == read.shape and not other.raw) and _share(host, read):
                raise RaceError(f"{kernel.name} writes {parameter.name} where {other.name} lies")


def _is(array: Any) -> bool:
    return isinstance(array, ndarray)


def _share(a: np.ndarray, b: np.ndarray) -> bool:
    try:
        return np.shares_memory(a, b, max_work=10_000)
    except np.exceptions.TooHardError:
        return True


def _declarations(kernel: Any, known: dict) -> str:
    types = "".join(f"typedef {C_TYPES[d.name]} {t};\n" for t, d in sorted(known.items()))
    return types + kernel.preamble + "\n"


def _words(numbers: Any) -> Any:
    numbers = list(numbers)
    return (ctypes.c_ssize_t * max(len(numbers), 1))(*numbers)


class _Layout:
    """The memory of all parameters, as a compiled function takes it."""

    def __init__(self, hosts: list[np.ndarray], raw: list[bool], ndim: int) -> None:
        self.keep = hosts
        self.data = (ctypes.c_void_p * len(hosts))(*(host.ctypes.data for host in hosts))
        entries = [[0] * ndim if r else host.strides for host, r in zip(hosts, raw, strict=True)]
        self.strides = _words(stride for strides in entries for stride in strides)
        self.raw_dims = _words(len(host.shape) for host in hosts)
        self.raw = _words(
            word
            for host, r in zip(hosts, raw, strict=True)
            for word in (
                (*host.shape, *[0] * (32 - host.ndim), *host.strides, *[0] * (32 - host.ndim))
                if r
                else ()
            )
        )


def _names(kernel: Any, bound: list[Parameter]) -> str:
    """Bind the names of these parameters to an entry, in a loop over entries."""
    lines = []
    for k, parameter in enumerate(kernel.in_params + kernel.out_params):
        if parameter in bound and not parameter.raw:
            const = "const " if parameter in kernel.in_params else ""
            ctype, name = parameter.ctype, parameter.name
            lines.append(f"{const}{ctype} &{name} = *({ctype}*)_at.at[{k}];")
    return "\n".join(lines)


def _raw_names(kernel: Any) -> str:
    lines, at = [], 0
    for k, parameter in enumerate(kernel.in_params + kernel.out_params):
        if parameter.raw:
            const = "const " if parameter in kernel.in_params else ""
            lines.append(
                f"_Raw<{const}{parameter.ctype}> {parameter.name} = "
                f"{{_data[{k}], _raw_dims[{k}], _raw + {at}, _raw + {at + 32}}};"
            )
            at += 64
    return "\n".join(lines)


ENTRY = (
    'extern "C" _word run(_word _size, _word _ndim, const _word* _lengths, char* const* _data,'
    " const _word* _strides, const _word* _raw_dims, const _word* _raw"
)


def _run(kernel: Any, source: str, arguments: tuple, layout: _Layout, more: tuple = ()) -> None:
    size, lengths = arguments
    if size:
        memory.launch(kernel.name)
    outside = compiled(source)(
        ctypes.c_ssize_t(size),
        ctypes.c_ssize_t(len(lengths)),
        _words(lengths),
        layout.data,
        layout.strides,
        layout.raw_dims,
        layout.raw,
        *more,
    )
    if outside:
        raise IndexError(f"{kernel.name} asks a raw array for an entry that is not there")


def _as_host(value: Any, dtype: np.dtype) -> np.ndarray:
    if isinstance(value, ndarray):
        return value._host
    with np.errstate(all="ignore"):
        return np.array(value, dtype)


class ElementwiseKernel:
    """A body that is executed for each entry of the broadcast inputs."""

    def __init__(
        self,
        in_params: str,
        out_params: str,
        operation: str,
        name: str = "kernel",
        reduce_dims: bool = True,
        preamble: str = "",
        no_return: bool = False,
        return_tuple: bool = False,
        **kwargs: Any,
    ) -> None:
        if not name.isidentifier():
            raise ValueError(f'Invalid kernel name: "{name}"')
        self.in_params, self.out_params = parameters(in_params), parameters(out_params)
        if any(p.name == "i" for p in self.in_params + self.out_params):
            raise ValueError("Can not use 'i' as a parameter name")
        self.operation, self.name, self.preamble = operation, name, preamble
        self.no_return, self.return_tuple = no_return, return_tuple
        self.loop_prep = kwargs.pop("loop_prep", "")
        self.after_loop = kwargs.pop("after_loop", "")
        kwargs.pop("options", None)
        if kwargs:
            raise TypeError(f"Wrong arguments {kwargs}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        size = kwargs.pop("size", -1)
        kwargs.pop("stream", None), kwargs.pop("block_size", None)
        if kwargs:
            raise TypeError(f"Wrong arguments {kwargs}")
        inputs, outputs = _arguments(self, args)
        shape = _loop_shape(self, inputs, outputs)
        if size != -1:
            if shape is not None:
                raise ValueError(
                    "Specified 'size' can be used only if all of the ndarray are 'raw'."
                )
            shape = (size,)
        if shape is None:
            raise ValueError("Loop size is undecided.")
        dtypes, known = _types(self, inputs, outputs)
        if not outputs:
            if size == -1 and any(p.raw for p in self.out_params):
                raise ValueError("Output array size is Undecided")
            outputs = [_new(shape, dtype) for dtype in dtypes[len(inputs) :]]
        for parameter, array in zip(self.out_params, outputs, strict=True):
            if not parameter.raw and array.shape != shape:
                raise ValueError("Out shape is mismatched")
        if math.prod(shape):
            _no_race(self, inputs, outputs)
            self._execute(inputs, outputs, shape, dtypes, known)
        if self.no_return:
            return None
        return outputs[0] if len(outputs) == 1 and not self.return_tuple else tuple(outputs)

    def _execute(
        self, inputs: list, outputs: list, shape: tuple, dtypes: list, known: dict
    ) -> None:
        raw = [p.raw for p in self.in_params + self.out_params]
        hosts = [_as_host(a, d) for a, d in zip(inputs + outputs, dtypes, strict=True)]
        wide = [h if r else np.broadcast_to(h, shape) for h, r in zip(hosts, raw, strict=True)]
        if all(r or h.flags.c_contiguous for h, r in zip(wide, raw, strict=True)):
            shape = (math.prod(shape),)  # one loop
            wide = [h if r else h.reshape(-1) for h, r in zip(wide, raw, strict=True)]
        source = f"""{_declarations(self, known)}
{ENTRY}) {{
_outside = 0;
_Index _ind = {{_size}};
_Walk<{len(wide)}> _at(_ndim, _lengths, _strides, _data);
{_raw_names(self)}
{self.loop_prep};
for (_word i = 0; i < _ind.size(); ++i, _at.step()) {{
{_names(self, self.in_params + self.out_params)}
{self.operation};
}}
{self.after_loop};
return _outside;
}}
"""
        _run(self, source, (math.prod(shape), shape), _Layout(wide, raw, len(shape)))


def _new(shape: tuple, dtype: np.dtype) -> ndarray:
    return wrapped(memory.allocated(np.empty(shape, dtype)))


class ReductionKernel:
    """An expression of each entry of the broadcast inputs, joined along axes."""

    def __init__(
        self,
        in_params: str,
        out_params: str,
        map_expr: str,
        reduce_expr: str,
        post_map_expr: str,
        identity: Any,
        name: str = "reduce_kernel",
        reduce_type: str | None = None,
        reduce_dims: bool = True,
        preamble: str = "",
        options: tuple = (),
    ) -> None:
        if not name.isidentifier():
            raise ValueError(f'Invalid kernel name: "{name}"')
        self.in_params, self.out_params = parameters(in_params), parameters(out_params)
        self.map_expr, self.reduce_expr = map_expr, reduce_expr
        self.post_map_expr = post_map_expr
        self.identity = "" if identity is None else str(identity)
        self.name, self.preamble = name, preamble
        self.reduce_type = reduce_type or self.out_params[0].ctype

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        out, axis = kwargs.pop("out", None), kwargs.pop("axis", None)
        keepdims = kwargs.pop("keepdims", False)
        kwargs.pop("stream", None)
        if kwargs:
            raise TypeError(f"Wrong arguments {kwargs}")
        inputs, outputs = _arguments(self, args, out)
        shape = _loop_shape(self, inputs, [])
        if shape is None:
            raise ValueError("Loop size is undecided.")
        dtypes, known = _types(self, inputs, outputs)
        axes = _axes(axis, len(shape))
        kept = [d for d in range(len(shape)) if d not in axes]
        sizes = [1 if d in axes else n for d, n in enumerate(shape)]
        out_shape = tuple(sizes) if keepdims else tuple(sizes[d] for d in kept)
        if not outputs:
            outputs = [_new(out_shape, dtype) for dtype in dtypes[len(inputs) :]]
        if any(array.shape != out_shape for array in outputs):
            raise ValueError("Out shape is mismatched")
        if outputs[0].size:
            if not self.identity and 0 in shape:
                raise ValueError(
                    f"zero-size array to reduction operation {self.name} which has no identity"
                )
            _no_race(self, inputs, outputs)
            self._execute(inputs, outputs, shape, (kept, axes), dtypes, known)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _execute(
        self, inputs: list, outputs: list, shape: tuple, order: tuple, dtypes: list, known: dict
    ) -> None:
        kept, axes = order
        raw = [p.raw for p in self.in_params + self.out_params]
        if any(raw) and kept and min(axes, default=0) < max(kept):
            raise NotImplementedError("Illegal conditions")
        hosts = [_as_host(a, d) for a, d in zip(inputs, dtypes, strict=False)]
        wide = [
            h if r else np.broadcast_to(h, shape).transpose(*kept, *axes)
            for h, r in zip(hosts, raw, strict=False)
        ]
        outer, inner = tuple(shape[d] for d in kept), tuple(shape[d] for d in axes)
        made = [array._host.reshape(outer)[(...,) + (None,) * len(axes)] for array in outputs]
        for view, array in zip(made, outputs, strict=True):
            if not np.may_share_memory(view, array._host):
                raise NotImplementedError("the stand-in cannot write to an output of these strides")
        source = self._source(known)
        layout = _Layout(wide + made, raw, len(shape))
        count = math.prod(inner)
        more = (ctypes.c_ssize_t(len(outer)), ctypes.c_ssize_t(count))
        _run(self, source, (math.prod(outer), outer + inner), layout, more)

    def _source(self, known: dict) -> str:
        start, started = f"_type_reduce({self.identity})", "true"
        if not self.identity:
            start, started = "_type_reduce()", "false"
        return f"""{_declarations(self, known)}
#define REDUCE(a, b) ({self.reduce_expr})
#define POST_MAP(a) ({self.post_map_expr})
typedef {self.reduce_type} _type_reduce;
{ENTRY}, _word _outer, _word _count) {{
_outside = 0;
enum {{ _PARTS = {PARTS}, _K = {len(self.in_params) + len(self.out_params)} }};
{_raw_names(self)}
_word _outer_strides[(_K + 1) * 32], _inner_strides[(_K + 1) * 32], _inner = _ndim - _outer;
for (_word _k = 0; _k < _K; ++_k)
    for (_word _d = 0; _d < _ndim; ++_d)
        (_d < _outer ? _outer_strides[_k * _outer + _d] : _inner_strides[_k * _inner + _d - _outer])
            = _strides[_k * _ndim + _d];
_Walk<_K> _over(_outer, _lengths, _outer_strides, _data);
for (_word _o = 0; _o < _size; ++_o, _over.step()) {{
    _type_reduce _s[_PARTS];
    bool _started[_PARTS];
    for (int _k = 0; _k < _PARTS; ++_k) {{
        _s[_k] = {start};
        _started[_k] = {started};
    }}
    _Walk<_K> _at(_inner, _lengths + _outer, _inner_strides, _over.at);
    for (_word _j = 0; _j < _count; ++_j, _at.step()) {{
        {_names(self, self.in_params)}
        _type_reduce _mapped = static_cast<_type_reduce>({self.map_expr});
        int _k = _j % _PARTS;
        _s[_k] = _started[_k] ? REDUCE(_s[_k], _mapped) : _mapped;
        _started[_k] = true;
    }}
    for (int _half = _PARTS / 2; _half > 0; _half /= 2)
        for (int _k = 0; _k < _half; ++_k)
            if (_started[_k + _half]) _s[_k] = REDUCE(_s[_k], _s[_k + _half]);
    {{
    _Walk<_K>& _at = _over;
    {_names(self, self.out_params)}
    POST_MAP(_s[0]);
    }}
}}
return _outside;
}}
"""


def _axes(axis: Any, ndim: int) -> list[int]:
    if axis is None:
        return list(range(ndim))
    axes = axis if isinstance(axis, tuple) else (axis,)
    for one in axes:
        if not -ndim <= one < ndim:
            raise np.exceptions.AxisError(one, ndim)
    return sorted({one % ndim for one in axes})
