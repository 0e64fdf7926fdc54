// The product of two matrices, tile by tile, as every fast one on a GPU is computed.
//
// A GPU multiplies many times faster than it reads. So a block computes a whole tile of the product, ROWS x COLUMNS numbers,
// and goes along the sum in steps of DEPTH. For a step it copies DEPTH numbers of each of its rows and columns into memory
// that its threads share, and there each of them is used up to 128 times. The results stay in registers, TALL x WIDE numbers
// of every thread. ROWS and TENSOR come from __init__.py, on the compiler's command line.
//
// Shared memory has 32 banks. Threads that use it at the same time should meet in none of them, unless they read the same
// number: `left_place` and `right_place` say where number k of a row of the first factor, or a column of the second, is.

#define COLUMNS 128
#define UNROLL _Pragma("unroll")

#if TENSOR  // ---- tensor cores: the 32 threads of a warp multiply 16 x 8 numbers with 8 x 8, rounded to TF32 ----

#define WARP_ROWS (ROWS < 64 ? ROWS : ROWS / 2)  // a warp's part of the tile
#define WARP_COLUMNS (ROWS < 64 ? COLUMNS / 8 : COLUMNS / 4)
#define TALL (WARP_ROWS / 8)
#define WIDE (WARP_COLUMNS / 4)
#define LINE 16  // rows i and i + 8 are kept 8 LINE numbers apart

// The nearest number with 10 bits after the leading one, once the tensor cores have cut off what follows.
__device__ float rounded(float x) {
#if __CUDA_ARCH__ >= 900
    unsigned bits;
    asm("cvt.rn.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));  // one instruction instead of three
    return __int_as_float(bits);
#else
    return x == x ? __int_as_float(__float_as_int(x) + 0x1000) : x;
#endif
}

#ifndef EMULATED
// d += a b. Who holds what: thread 4 p + q of the warp has a[p][q], a[p + 8][q], a[p][q + 4], a[p + 8][q + 4], then b[q][p],
// b[q + 4][p], and d[p][2 q], d[p][2 q + 1], d[p + 8][2 q], d[p + 8][2 q + 1].
__device__ void mma(float& d0, float& d1, float& d2, float& d3, float a0, float a1, float a2, float a3, float b0, float b1) {
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3)
                 : "r"(__float_as_int(a0)), "r"(__float_as_int(a1)), "r"(__float_as_int(a2)), "r"(__float_as_int(a3)),
                   "r"(__float_as_int(b0)), "r"(__float_as_int(b1)));
}
#endif

// Which rows an `mma` takes for its first, second, ..., and which steps of the sum, does not matter, as long as all agree.
// Here a thread reads two steps, k = 2 q and 2 q + 1, of a column, or of two rows, 2 p and 2 p + 1: what is side by side.
__device__ int left_place(int row, int k) { return row / 2 * 32 + (k ^ (row & 2) * 4) * 2 + row % 2; }
__device__ int right_place(int column, int k) { return column * 16 + (k / 4 ^ column & 2 ^ (column & 4) / 4) * 4 + k % 4; }
__device__ int warp_row() { return threadIdx.x / 32 / (COLUMNS / WARP_COLUMNS) * WARP_ROWS; }
__device__ int warp_column() { return threadIdx.x / 32 % (COLUMNS / WARP_COLUMNS) * WARP_COLUMNS; }
__device__ int my_row(int i) { return warp_row() + i / 2 * 16 + threadIdx.x % 32 / 4 * 2 + i % 2; }
__device__ int my_column(int j) { return warp_column() + j / 2 * 8 + threadIdx.x % 4 * 2 + j % 2; }
__device__ int left_start() { return left_place(my_row(0), threadIdx.x % 4 * 2); }
__device__ int right_start() { return right_place(warp_column() + threadIdx.x % 32 / 4, threadIdx.x % 4 * 2); }

struct alignas(8) Pair { float x, y; };
struct alignas(16) Four { float x, y, z, w; };

__device__ void keep_column(float* tile, int column, int k, const float* b) {
    for (int i = 0; i < 8; i += 4)
        *(Four*)(tile + right_place(column, k + i))
            = {rounded(b[i]), rounded(b[i + 1]), rounded(b[i + 2]), rounded(b[i + 3])};
}

__device__ void multiply(float (&sum)[TALL][WIDE], const float* left, const float* right, int left_start, int right_start) {
    UNROLL for (int half = 0; half < 2; half++) {  // steps 8 half to 8 half + 7 of the sum
        Pair b[WIDE / 2];
        UNROLL for (int j = 0; j < WIDE / 2; j++) b[j] = *(const Pair*)(right + (right_start ^ 8 * half) + 8 * LINE * j);
        UNROLL for (int i = 0; i < TALL; i += 2) {
            Four a = *(const Four*)(left + (left_start ^ 16 * half) + 8 * LINE * i);
            UNROLL for (int j = 0; j < WIDE; j += 2)
                mma(sum[i][j], sum[i][j + 1], sum[i + 1][j], sum[i + 1][j + 1], a.x, a.y, a.z, a.w, b[j / 2].x, b[j / 2].y);
        }
    }
}

#else  // ---- the ordinary cores: 16 x 16 threads ----

#define TALL (ROWS / 16)
#define WIDE (COLUMNS / 16)
#define LINE 1

template <typename A> __device__ A rounded(A x) { return x; }
__device__ int left_place(int row, int k) { return k * (ROWS + 4) + row; }
__device__ int right_place(int column, int k) { return k * (COLUMNS + 4) + column; }
__device__ int my_row(int i) { return threadIdx.x / 16 * TALL + i; }
__device__ int my_column(int j) { return threadIdx.x % 16 * 2 + j / 2 * 32 + j % 2; }
__device__ int left_start() { return left_place(my_row(0), 0); }
__device__ int right_start() { return right_place(my_column(0), 0); }

template <typename A> __device__ void keep_column(A* tile, int column, int k, const A* b) {
    UNROLL for (int i = 0; i < 32 / sizeof(A); i++) tile[right_place(column, k + i)] = b[i];
}

template <typename A>
__device__ void multiply(A (&sum)[TALL][WIDE], const A* left, const A* right, int left_start, int right_start) {
    UNROLL for (int k = 0; k < 64 / sizeof(A); k++) {
        A a[TALL], b[WIDE];
        UNROLL for (int i = 0; i < TALL; i++) a[i] = left[left_start + left_place(i, k)];
        UNROLL for (int j = 0; j < WIDE; j++) b[j] = right[right_start + right_place(j / 2 * 32 + j % 2, k)];
        UNROLL for (int i = 0; i < TALL; i++) UNROLL for (int j = 0; j < WIDE; j++) sum[i][j] += a[i] * b[j];
    }
}

#endif

// sum = a thread's part of the tile. fetch(step, a, b) brings its share of the factors: of the first, number
// threadIdx % DEPTH of some rows; of the second the same or, with HALVES, half a column. What fetch needs is got ready by
// prepare(step), a barrier earlier. Both are also called for steps beyond the last, and what they bring is not used.
template <bool HALVES, typename A, typename Prepare, typename Fetch>
__device__ void product(A (&sum)[TALL][WIDE], int steps, Prepare prepare, Fetch fetch) {
    const int DEPTH = 64 / sizeof(A), APART = THREADS / DEPTH;
    alignas(16) __shared__ A left[2][DEPTH * (ROWS + 4)], right[2][DEPTH * (COLUMNS + 4)];
    A a[ROWS / APART], b[COLUMNS / APART];
    int row = threadIdx.x / DEPTH, k = threadIdx.x % DEPTH, from_left = left_start(), from_right = right_start();
    int to_left = left_place(row, k), to_right = right_place(row, k);
    UNROLL for (int i = 0; i < TALL; i++) UNROLL for (int j = 0; j < WIDE; j++) sum[i][j] = 0;
    if (steps == 0) return;
    prepare(0), prepare(1);
    __syncthreads();
    fetch(0, a, b);
    for (int step = 0; step < steps; step++) {  // one half of the shared memory is written to while the other is still read
        A *l = left[step % 2], *r = right[step % 2];
        UNROLL for (int i = 0; i < ROWS / APART; i++) l[to_left + i * APART * LINE] = rounded(a[i]);
        if (HALVES) keep_column(r, threadIdx.x % COLUMNS, threadIdx.x / COLUMNS * (DEPTH / 2), b);
        else UNROLL for (int i = 0; i < COLUMNS / APART; i++) r[to_right + i * APART * LINE] = rounded(b[i]);
        __syncthreads();
        fetch(step + 1, a, b);  // on its way during the multiplication
        prepare(step + 2);
        multiply(sum, l, r, from_left, from_right);
    }
}

#ifndef EMULATED  // x, but so that the compiler takes it as it is, and does not keep in registers what could be made of it
__device__ long long settled(long long x) { asm volatile("" : "+l"(x)); return x; }
#endif

// a = a thread's numbers of the rows, the first and every (THREADS / DEPTH)th, while there are any `below`
template <typename T, typename A> __device__ void fetch_rows(A* a, const T* first, int row_step, int below) {
    const int APART = THREADS * sizeof(A) / 64;
    long long at = (long long)first, step = row_step * (long long)(APART * sizeof(T));
    UNROLL for (int i = 0; i < ROWS / APART; i++, at += step) {
        at = settled(at);
        a[i] = i * APART < below ? (A)__ldg((const T*)at) : A(0);
    }
}
