// CUDA on a CPU, one thread after the other: enough of it to run our kernels and compare their numbers with NumPy's.
//
// The threads of a block are coroutines. One runs until it ends or reaches __syncthreads, then the next; when all have
// arrived, the first continues. A kernel whose threads do not all reach the same __syncthreads would hang on a GPU, and is
// reported here. Blocks run one after the other, so that `static` serves for __shared__. Between two __syncthreads the first
// thread does all its work before the second begins, or, with EMULATION_BACKWARD in the environment, the last one before the
// last but one: where a __syncthreads is missing, one of the two orders finds what is not there yet, or not there any more.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <ucontext.h>
#include <utility>
#include <vector>

using std::erf; using std::exp; using std::expm1; using std::log; using std::sqrt; using std::tanh;

#define __global__
#define __device__
#define __shared__ static
#define __launch_bounds__(...)
#define EMULATED

struct Place { unsigned x = 1, y = 1, z = 1; };
static Place threadIdx, blockIdx, blockDim, gridDim;

namespace emulation {
    const int STACK = 32768;
    struct Coroutine { ucontext_t context; std::vector<char> stack; long steps = 0; bool done = false; };
    static std::vector<Coroutine> threads;
    static ucontext_t scheduler;
    static unsigned current;
    static void (*body)(void*);
    static void* argument;

    static void run() {
        body(argument);
        threads[current].done = true;
        swapcontext(&threads[current].context, &scheduler);
    }

    // Run body(argument) as every thread of every block.
    static void grid(void (*what)(void*), void* with) {
        body = what, argument = with;
        bool backward = std::getenv("EMULATION_BACKWARD");
        threads.resize(blockDim.x);
        for (Coroutine& t : threads) t.stack.resize(STACK);
        for (blockIdx.y = 0; blockIdx.y < gridDim.y; blockIdx.y++)
            for (blockIdx.x = 0; blockIdx.x < gridDim.x; blockIdx.x++) {
                for (Coroutine& t : threads) {
                    getcontext(&t.context);
                    t.context.uc_stack.ss_sp = t.stack.data();
                    t.context.uc_stack.ss_size = STACK;
                    t.context.uc_link = nullptr;
                    t.done = false, t.steps = 0;
                    makecontext(&t.context, run, 0);
                }
                for (bool more = true; more;) {
                    more = false;
                    for (unsigned i = 0; i < blockDim.x; i++) {
                        current = backward ? blockDim.x - 1 - i : i;
                        if (threads[current].done) continue;
                        threadIdx.x = current;
                        threads[current].steps++;
                        swapcontext(&scheduler, &threads[current].context);
                        more = true;
                    }
                    for (Coroutine& t : threads)
                        if (t.done != threads[0].done || t.steps != threads[0].steps) {
                            std::fprintf(stderr, "a thread passed __syncthreads without the others\n");
                            std::abort();
                        }
                }
            }
    }

    // Call a kernel with arguments that lie where `args` points, as CUDA's launch does.
    template <typename... A, std::size_t... I> void call(void (*kernel)(A...), void** args, std::index_sequence<I...>) {
        kernel(*static_cast<std::decay_t<A>*>(args[I])...);
    }
    template <typename... A> void launch(void (*kernel)(A...), unsigned x, unsigned y, unsigned threads, void** args) {
        struct Call { void (*kernel)(A...); void** args; } what = {kernel, args};
        gridDim.x = x, gridDim.y = y, blockDim.x = threads;
        grid([](void* c) { call(((Call*)c)->kernel, ((Call*)c)->args, std::index_sequence_for<A...>()); }, &what);
    }
}

static inline int __float_as_int(float x) {
    int bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float __int_as_float(int bits) {
    float x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

template <typename N> static N settled(N x) { return x; }
template <typename T> static T __ldg(const T* at) { return *at; }

static inline void __syncthreads() {
    emulation::Coroutine& me = emulation::threads[emulation::current];
    unsigned number = emulation::current;
    swapcontext(&me.context, &emulation::scheduler);
    threadIdx.x = number;
}

// d += a b for the 16 x 8 numbers of a and the 8 x 8 numbers of b that the threads of a warp hold together, as PTX lays them
// out for mma.m16n8k8: each shows what it holds, in one of two places in turn, and computes its own four results from what
// all have shown. Tensor cores look only at the upper 19 bits.
static void mma(float& d0, float& d1, float& d2, float& d3, float a0, float a1, float a2, float a3, float b0, float b1) {
    static struct { float a[4], b[2]; } held[2][1024];
    static int turns[1024];
    auto upper = [](float x) { return __int_as_float(__float_as_int(x) & 0xffffe000); };
    unsigned me = threadIdx.x, p = me % 32 / 4, q = me % 4;
    auto& all = held[turns[me]++ % 2];
    all[me] = {{upper(a0), upper(a1), upper(a2), upper(a3)}, {upper(b0), upper(b1)}};
    __syncthreads();
    auto* warp = all + me / 32 * 32;
    for (unsigned k = 0; k < 8; k++) {
        float left[2], right[2];
        for (unsigned half = 0; half < 2; half++) {
            left[half] = warp[p * 4 + k % 4].a[half + k / 4 * 2];
            right[half] = warp[(2 * q + half) * 4 + k % 4].b[k / 4];
        }
        d0 += left[0] * right[0], d1 += left[0] * right[1], d2 += left[1] * right[0], d3 += left[1] * right[1];
    }
}
