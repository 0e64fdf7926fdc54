// What all kernels share. It is put in front of every file.
//
// A kernel is run by many threads at once; `threadIdx` tells a thread its number within its block, `blockIdx` the number of
// the block. Neighbouring threads should touch neighbouring memory: 32 of them are served by one access.

// Every index i below `count`, shared out to all threads of all blocks: thread number t takes i = t, t + threads, ...
#define FOR_EACH(i, count) \
    for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < (count); i += gridDim.x * (long long)blockDim.x)

#define THREADS 256  // a block; `launch` in __init__.py starts so many

#define MINUS_INFINITY log(0.0f)  // the compiler at run time knows no INFINITY

// The type in which sums of T are added up: float16 is a format to store numbers in, not one to compute in.
template <typename T> struct Sum { typedef float type; };
template <> struct Sum<double> { typedef double type; };

// The sum of `value` over all threads of the block, given to each of them. Always in the same order, so
// that the result is always the same: half of the threads add the numbers of the other half to theirs, then half of these.
template <typename A> __device__ A block_sum(A value) {
    __shared__ A shared[THREADS];
    __syncthreads();  // the last call's result has been read
    shared[threadIdx.x] = value;
    for (int half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
    }
    __syncthreads();
    return shared[0];
}

// The same over the 32 threads of a warp, which need no shared memory: each shows its number to the one 16, 8, 4, 2, 1 apart.
template <typename A> __device__ A warp_sum(A value) {
    for (int apart = 16; apart > 0; apart /= 2) value += __shfl_xor_sync(0xffffffff, value, apart);
    return value;
}

template <typename A> __device__ A warp_max(A value) {
    for (int apart = 16; apart > 0; apart /= 2) {
        A other = __shfl_xor_sync(0xffffffff, value, apart);
        if (other > value || other != other) value = other;  // a NaN beats every number
    }
    return value;
}

// The row of a thread, where each warp does one of `rows`, and its number in the warp. Warps that are left over end here.
#define ROW_OF_WARP(row, lane, rows) \
    long long row = (blockIdx.x * (long long)THREADS + threadIdx.x) / 32; \
    int lane = threadIdx.x % 32; \
    if (row >= (rows)) return

// The sizes that a window sees: of images (N, C, H, W), of its kernel, and (OH, OW), the number of windows.
struct Geometry { int N, C, H, W, OH, OW, KH, KW, SH, SW, PH, PW, DH, DW; };
