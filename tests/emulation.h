// CUDA on a CPU, one thread after the other: enough of it to run our kernels and compare their numbers with NumPy's.
//
// The threads of a block are coroutines. One runs until it ends or reaches __syncthreads, then the next; when all have
// arrived, the first continues. A kernel whose threads do not all reach the same __syncthreads would hang on a GPU, and is
// reported here. Blocks run one after the other, so that `static` serves for __shared__.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <type_traits>
#include <ucontext.h>
#include <utility>
#include <vector>

using std::exp; using std::log; using std::sqrt;

#define __global__
#define __device__ static
#define __shared__ static

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
                    for (current = 0; current < blockDim.x; current++) {
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

static inline void __syncthreads() {
    emulation::Coroutine& me = emulation::threads[emulation::current];
    unsigned number = emulation::current;
    swapcontext(&me.context, &emulation::scheduler);
    threadIdx.x = number;
}
