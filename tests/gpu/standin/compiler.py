"""Bodies in C++ become machine code of the CPU, by g++; each text is compiled once and kept."""

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

PRELUDE = """
#include <math.h>
#include <stddef.h>
#define __device__
#define __forceinline__ inline
#define __restrict__

typedef ptrdiff_t _word;
template <class X> X max(X a, X b) { return a > b ? a : (b != b ? b : (a == a ? b : a)); }
template <class X> X min(X a, X b) { return a < b ? a : (b != b ? b : (a == a ? b : a)); }
inline float rsqrt(float x) { return 1 / sqrtf(x); }
inline double rsqrt(double x) { return 1 / sqrt(x); }

static _word _outside;  // an entry that is not there was asked for

struct _Index {  // CuPy's _ind
    _word count;
    _word size() const { return count; }
};

template <class X> struct _Raw {  // a parameter declared raw: indexed by the body itself
    char* data; _word ndim; const _word* lengths; const _word* strides;
    _word size() const {
        _word n = 1;
        for (_word d = 0; d < ndim; ++d) n *= lengths[d];
        return n;
    }
    const _word* shape() const { return lengths; }
    X& operator[](_word at) const {
        static X nowhere = X();
        if (at < 0 || at >= size()) { _outside = 1; return nowhere; }
        char* p = data;
        for (_word d = ndim; d-- > 0; at /= lengths[d]) p += at % lengths[d] * strides[d];
        return *(X*)p;
    }
};

template <int K> struct _Walk {  // all entries of a shape, the last axis first
    _word ndim; const _word* lengths; const _word* strides; char* at[K + 1]; _word place[32];
    _Walk(_word ndim, const _word* lengths, const _word* strides, char* const* data)
        : ndim(ndim), lengths(lengths), strides(strides) {
        for (int k = 0; k < K; ++k) at[k] = data[k];
        for (_word d = 0; d < ndim; ++d) place[d] = 0;
    }
    void step() {
        for (_word d = ndim; d-- > 0;) {
            bool more = ++place[d] < lengths[d];
            _word by = more ? 1 : 1 - lengths[d];
            for (int k = 0; k < K; ++k) at[k] += by * strides[k * ndim + d];
            if (more) return;
            place[d] = 0;
        }
    }
};
"""
"""What CuPy puts before a body, as far as bodies use it."""

COMMAND = ("g++", "-x", "c++", "-std=c++17", "-O1", "-ffp-contract=off", "-fPIC", "-shared", "-w")


class CompileException(Exception):
    """What CuPy raises where a body does not compile."""


@functools.cache
def folder() -> Path:
    """Where the machine code is kept between runs, and shared by the processes of one."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(home) / "minivae-tests" / "kernels"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError:
        path = Path(tempfile.mkdtemp(prefix="minivae-kernels-"))
    return path


@functools.cache
def _version() -> str:
    if shutil.which(COMMAND[0]) is None:
        raise CompileException("g++ is needed to execute the kernels' bodies; install it.")
    return subprocess.run([COMMAND[0], "--version"], capture_output=True, text=True).stdout


@functools.cache
def compiled(source: str) -> ctypes._CFuncPtr:
    """Compile a text that defines `run`, and return that function."""
    text = PRELUDE + source
    key = hashlib.sha256("\0".join([*COMMAND, _version(), text]).encode()).hexdigest()[:24]
    library = folder() / f"{key}.so"
    if not library.exists():
        handle, name = tempfile.mkstemp(dir=folder(), suffix=".so")
        os.close(handle)
        done = subprocess.run(
            [*COMMAND, "-", "-o", name], input=text, capture_output=True, text=True
        )
        if done.returncode:
            os.unlink(name)
            raise CompileException(done.stderr)
        os.replace(name, library)  # whole or not at all, for several processes compile
    run = ctypes.CDLL(str(library)).run
    run.restype = ctypes.c_ssize_t
    return run
