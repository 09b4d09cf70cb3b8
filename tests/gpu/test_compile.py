"""NVIDIA's compiler takes every kernel, for four generations of GPUs, without a GPU."""

import importlib
import pkgutil

import pytest

import minivae
from gpu import nvrtc
from gpu.real import cupy
from minivae.engine.gpu.kernels import Reduction, specs

pytestmark = pytest.mark.slow

each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


@pytest.fixture(autouse=True)
def known():
    nvrtc.require_known_cupy()


@each_dtype
@pytest.mark.parametrize("spec", specs(), ids=lambda spec: spec.name)
def test_every_kernel_compiles(spec, dtype):
    texts = nvrtc.sources(spec.build(cupy), dtype)
    assert texts
    for types, text in texts.items():
        for architecture in nvrtc.ARCHITECTURES:
            made = nvrtc.binary(text, architecture)
            assert made.startswith(b"\x7fELF"), (types, architecture)


ONE_INPUT = [
    spec
    for spec in specs()
    if isinstance(spec, Reduction) and "," not in spec.inputs + spec.outputs
]


@each_dtype
@pytest.mark.parametrize("spec", ONE_INPUT, ids=lambda spec: spec.name)
def test_a_reduction_of_one_input_compiles_as_cub_has_it(spec, dtype):
    """For its faster form CuPy writes other names in the place of the parameters'."""
    (ctype, name), (out_type, out_name) = spec.inputs.split(), spec.outputs.split()
    texts = spec.map.replace(name, "in0"), spec.reduce, spec.post.replace(out_name, "out0")
    made = cupy.ReductionKernel(
        f"{ctype} in0", f"{out_type} out0", *texts, spec.identity, f"minivae_{spec.name}"
    )
    for text in nvrtc.sources(made, dtype).values():
        assert nvrtc.binary(text, "80").startswith(b"\x7fELF")


WRONG = {
    "a name that is not there": ("T x", "y = exponential(x)"),
    "two types in max": ("T x", "y = max(x, 0)"),
    "an input is written to": ("T x", "x = 1; y = x"),
    "no semicolon": ("T x", "T e = x y = e"),
}


@each_dtype
@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_body_is_refused(wrong, dtype):
    inputs, body = WRONG[wrong]
    made = cupy.ElementwiseKernel(inputs, "T y", body, "wrong")
    (text,) = nvrtc.sources(made, dtype).values()
    with pytest.raises(cupy.cuda.compiler.CompileException):
        nvrtc.binary(text, "80")


@each_dtype
def test_a_wrong_reduction_is_refused(dtype):
    made = cupy.ReductionKernel("T x", "T y", "x * z", "a + b", "y = a", "0", "wrong")
    (text,) = nvrtc.sources(made, dtype).values()
    with pytest.raises(cupy.cuda.compiler.CompileException):
        nvrtc.binary(text, "80")


def test_an_architecture_that_is_not_there_is_refused():
    made = cupy.ElementwiseKernel("T x", "T y", "y = x", "right")
    (text,) = nvrtc.sources(made, "float32").values()
    with pytest.raises(cupy.cuda.compiler.CompileException):
        nvrtc.binary(text, "13")


def test_every_kernel_is_in_the_list():
    """A module of minivae that defines one and is not imported for the list would be left out."""
    listed = {spec.name for spec in specs()}
    for module in pkgutil.walk_packages(minivae.__path__, "minivae."):
        if not module.name.endswith("__main__") and ".solutions" not in module.name:
            importlib.import_module(module.name)
    assert {spec.name for spec in specs()} == listed


def test_names_of_kernels_are_used_once():
    names = [spec.name for spec in specs()]
    assert len(names) == len(set(names))


def test_another_cupy_is_refused_in_a_sentence(monkeypatch):
    monkeypatch.setattr(nvrtc, "moved", True)
    with pytest.raises(pytest.fail.Exception, match=r"^CuPy internals moved: .*\.$"):
        nvrtc.require_known_cupy()
