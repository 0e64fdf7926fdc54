// What the text of a CUDA program sees when g++ compiles it: the threads of `emulation.h`, CUDA's own header for float16,
// and what CuPy's kernels use besides.
#pragma once
#include <cassert>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cuda_fp16.h>
#define THREADS_MAY_END
#include "../emulation.h"

#undef __host__
#undef __constant__
#undef __forceinline__
#undef assert
#define __host__
#define __constant__ static
#define __forceinline__ inline
#define assert(x)

using std::abs; using std::isfinite; using std::isinf; using std::isnan; using std::max; using std::min; using std::signbit;

// CUDA's max and min take two types; std's do not.
template <typename A, typename B> using IfTheyDiffer = std::enable_if_t<
    std::is_arithmetic_v<A> && std::is_arithmetic_v<B> && !std::is_same_v<A, B>, std::common_type_t<A, B>>;
template <typename A, typename B> static IfTheyDiffer<A, B> max(A a, B b) { return a > b ? a : b; }
template <typename A, typename B> static IfTheyDiffer<A, B> min(A a, B b) { return a < b ? a : b; }

static inline float rsqrt(float x) { return 1 / std::sqrt(x); }
static inline double rsqrt(double x) { return 1 / std::sqrt(x); }
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __clz(int x) { return x ? __builtin_clz(x) : 32; }

static inline long long __double_as_longlong(double x) {
    long long bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline double __longlong_as_double(long long bits) {
    double x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

// The x with erf(x) = y: from an approximation by Halley's method.
static inline double erfinv(double y) {
    if (!(std::fabs(y) < 1)) return std::fabs(y) == 1 ? y * INFINITY : NAN;
    double l = std::log((1 - y) * (1 + y)), a = 2 / (M_PI * 0.147) + l / 2;
    double x = std::copysign(std::sqrt(std::sqrt(a * a - l / 0.147) - a), y);
    for (int i = 0; i < 4; i++) {
        double step = (std::erf(x) - y) / (M_2_SQRTPI * std::exp(-x * x));
        x -= step / (1 + x * step);
    }
    return x;
}
static inline float erfinv(float y) { return (float)erfinv((double)y); }

// Only one thread runs at a time: to be atomic costs nothing.
#define ATOMIC(NAME, NEW)                                                                    \
    template <typename T, typename V> static T atomic##NAME(T* at, V v) {                    \
        T old = *at;                                                                         \
        *at = NEW;                                                                           \
        return old;                                                                          \
    }
ATOMIC(Add, old + T(v))
ATOMIC(Max, old < T(v) ? T(v) : old)
ATOMIC(Min, T(v) < old ? T(v) : old)
ATOMIC(Exch, T(v))
template <typename T> static T atomicCAS(T* at, T expected, T v) {
    T old = *at;
    if (old == expected) *at = v;
    return old;
}

namespace emulation {
    alignas(16) static char dynamic[48 << 10];  // the shared memory whose size the launch says

    static inline unsigned long long nanoseconds() {
        return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
    }
}
