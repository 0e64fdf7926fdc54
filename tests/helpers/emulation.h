// CUDA on a CPU, one thread after the other: enough of it to run kernels and compare their numbers with NumPy's.
//
// The threads of a block are coroutines. One runs until it ends or reaches a barrier, __syncthreads for the block or
// __syncwarp for 32 neighbours, then the next; in the next round those go on for whom all others have arrived. Threads that
// wait for each other, or end without having passed as many __syncthreads as the others, might hang on a GPU, and are
// reported here. Blocks run one after the other, so that `static` serves for __shared__. Between two barriers the first
// thread does all its work before the second begins, or, with EMULATION_BACKWARD in the environment, the last one before the
// last but one: where a barrier is missing, one of the two orders finds what is not there yet, or not there any more.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <ucontext.h>
#include <utility>
#include <vector>

using std::erf; using std::exp; using std::expm1; using std::log; using std::sqrt; using std::tanh;

// CUDA's own headers, where they are included, have meanings for these that only its compiler understands.
#undef __global__
#undef __device__
#undef __shared__
#undef __launch_bounds__
#define __global__
#define __device__
#define __shared__ static
#define __launch_bounds__(...)
#define EMULATED

struct Place { unsigned x = 1, y = 1, z = 1; };
static Place threadIdx, blockIdx, blockDim, gridDim;

namespace emulation {
    const unsigned STACK = 65536, WARP = 32, LARGEST = 1024;
    struct Barrier { unsigned members = 0, arrived = 0; long opened = 0; };
    struct Coroutine {
        ucontext_t context;
        std::vector<char> stack;
        Barrier* at;  // the barrier where it waits,
        long number;  // and which opening of it
        long blocks;  // how often it came to __syncthreads
        bool done;
    };
    static Barrier block, warps[LARGEST / WARP];
    static std::vector<Coroutine> threads;
    static ucontext_t scheduler;
    static unsigned current;
    static void (*body)(void*);
    static void* argument;

    static void report(const char* what) {
        std::fprintf(stderr, "%s\n", what);
        std::abort();
    }

    static void open_if_all_are_here(Barrier& barrier) {
        if (barrier.arrived == barrier.members) barrier.arrived = 0, barrier.opened++;
    }

    static void wait(Barrier& barrier) {
        Coroutine& me = threads[current];
        me.at = &barrier, me.number = barrier.opened;
        barrier.arrived++;
        open_if_all_are_here(barrier);
        swapcontext(&me.context, &scheduler);
    }

    static void run() {
        body(argument);
        threads[current].done = true;
        for (Barrier* barrier : {&block, &warps[current / WARP]}) {
            barrier->members--;
            open_if_all_are_here(*barrier);
        }
        swapcontext(&threads[current].context, &scheduler);
    }

    static void place(unsigned thread) {
        threadIdx = {thread % blockDim.x, thread / blockDim.x % blockDim.y, thread / blockDim.x / blockDim.y};
    }

    static void start(Coroutine& thread) {
        getcontext(&thread.context);
        thread.stack.resize(STACK);
        thread.context.uc_stack.ss_sp = thread.stack.data();
        thread.context.uc_stack.ss_size = STACK;
        thread.context.uc_link = nullptr;
        thread.at = nullptr, thread.blocks = 0, thread.done = false;
        makecontext(&thread.context, run, 0);
    }

    static void run_block(bool backward) {
        unsigned count = threads.size(), left = count;
        block = {count};
        for (unsigned w = 0; w < LARGEST / WARP; w++) warps[w] = {w * WARP < count ? std::min(WARP, count - w * WARP) : 0};
        for (Coroutine& thread : threads) start(thread);
        while (left) {
            bool moved = false;
            for (unsigned i = 0; i < count; i++) {
                current = backward ? count - 1 - i : i;
                Coroutine& thread = threads[current];
                if (thread.done || (thread.at && thread.at->opened == thread.number)) continue;
                place(current);
                swapcontext(&scheduler, &thread.context);
                moved = true, left -= thread.done;
            }
            if (!moved) report("threads wait for each other at different barriers");
        }
#ifndef THREADS_MAY_END  // before the others do; newer GPUs do not wait for them, and some of CuPy's kernels rely on that
        for (Coroutine& thread : threads)
            if (thread.blocks != threads[0].blocks) report("a thread passed __syncthreads without the others");
#endif
    }

    // Run body(argument) as every thread of every block; without barriers in it, a thread is no more than a call.
    static void grid(void (*what)(void*), void* with, bool barriers) {
        unsigned count = blockDim.x * blockDim.y * blockDim.z;
        bool backward = std::getenv("EMULATION_BACKWARD");
        body = what, argument = with;
        threads.resize(barriers ? count : 0);
        for (blockIdx.z = 0; blockIdx.z < gridDim.z; blockIdx.z++)
            for (blockIdx.y = 0; blockIdx.y < gridDim.y; blockIdx.y++)
                for (blockIdx.x = 0; blockIdx.x < gridDim.x; blockIdx.x++)
                    if (barriers) run_block(backward);
                    else for (unsigned i = 0; i < count; i++) place(backward ? count - 1 - i : i), what(with);
    }

    // Call a kernel with arguments that lie where `args` points, as CUDA's launch does. The shape: the grid's x, y, z in
    // blocks, the block's x, y, z in threads.
    template <typename... A, std::size_t... I> void call(void (*kernel)(A...), void** args, std::index_sequence<I...>) {
        kernel(*static_cast<std::decay_t<A>*>(args[I])...);
    }
    template <typename... A> void launch(void (*kernel)(A...), const unsigned* shape, void** args, bool barriers = true) {
        struct Call { void (*kernel)(A...); void** args; } what = {kernel, args};
        gridDim = {shape[0], shape[1], shape[2]}, blockDim = {shape[3], shape[4], shape[5]};
        grid([](void* c) { call(((Call*)c)->kernel, ((Call*)c)->args, std::index_sequence_for<A...>()); }, &what, barriers);
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
    emulation::threads[emulation::current].blocks++;
    emulation::wait(emulation::block);
}

static inline void __syncwarp() { emulation::wait(emulation::warps[emulation::current / emulation::WARP]); }

namespace emulation {
    // What the thread of the warp with that number passed to the same call; one's own value where there is no such thread.
    template <typename T> static T from_lane(T value, unsigned lane) {
        alignas(16) static char shown[LARGEST][sizeof(T)];
        unsigned me = current;
        std::memcpy(shown[me], &value, sizeof value);
        __syncwarp();
        if (lane < WARP) std::memcpy(&value, shown[me / WARP * WARP + lane], sizeof value);
        __syncwarp();
        return value;
    }
}

template <typename T> static T __shfl_xor_sync(unsigned, T value, unsigned mask, int = 32) {
    return emulation::from_lane(value, emulation::current % emulation::WARP ^ mask);
}

template <typename T> static T __shfl_up_sync(unsigned, T value, unsigned by, int = 32) {
    return emulation::from_lane(value, emulation::current % emulation::WARP - by);
}

// d += a b for the 16 x 8 numbers of a and the 8 x 8 numbers of b that the threads of a warp hold together, as PTX lays them
// out for mma.m16n8k8: each shows what it holds, in one of two places in turn, and computes its own four results from what
// all have shown. Tensor cores look only at the upper 19 bits.
static void mma(float& d0, float& d1, float& d2, float& d3, float a0, float a1, float a2, float a3, float b0, float b1) {
    static struct { float a[4], b[2]; } held[2][emulation::LARGEST];
    static int turns[emulation::LARGEST];
    auto upper = [](float x) { return __int_as_float(__float_as_int(x) & 0xffffe000); };
    unsigned me = emulation::current, p = me % 32 / 4, q = me % 4;
    auto& all = held[turns[me]++ % 2];
    all[me] = {{upper(a0), upper(a1), upper(a2), upper(a3)}, {upper(b0), upper(b1)}};
    __syncwarp();
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
