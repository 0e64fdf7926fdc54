// Convolution as a product of matrices whose second factor, the columns of ops/conv.py, is never written down:
//
//     y[f, (n, oh, ow)] = sum_{c, kh, kw} w[f, (c, kh, kw)] x[n, c, oh SH + kh DH - PH, ow SW + kw DW - PW]
//
// A block computes a tile of the product, ROWS x COLUMNS. DEPTH steps of the sum at a time, it gathers what the tile needs of
// both factors into memory that its threads share, each number once, and every thread then takes it from there; the numbers of
// the next steps are on their way from the large memory meanwhile. A thread keeps its TALL x WIDE results in registers, and
// uses a number that it has read so many times. ROWS and TENSOR come from __init__.py, on the compiler's command line.

#define COLUMNS 128
#define FAR (1 << 29)  // outside of every image, and so a zero
#define UNROLL _Pragma("unroll")

#if TENSOR  // tensor cores: the 32 threads of a warp multiply 16 x 8 numbers with 8 x 8 at once, rounded to TF32

#define WARP_ROWS (ROWS < 64 ? ROWS : ROWS / 2)                // a warp's part of the tile
#define WARP_COLUMNS (ROWS < 64 ? COLUMNS / 8 : COLUMNS / 4)
#define TALL (WARP_ROWS / 8)
#define WIDE (WARP_COLUMNS / 4)

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
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3) : "r"(__float_as_int(a0)), "r"(__float_as_int(a1)), "r"(__float_as_int(a2)),
          "r"(__float_as_int(a3)), "r"(__float_as_int(b0)), "r"(__float_as_int(b1)));
}
#endif

__device__ int warp_row() { return threadIdx.x / 32 / (COLUMNS / WARP_COLUMNS) * WARP_ROWS; }
__device__ int warp_column() { return threadIdx.x / 32 % (COLUMNS / WARP_COLUMNS) * WARP_COLUMNS; }
__device__ int my_row(int i) { return warp_row() + i / 2 * 16 + threadIdx.x % 32 / 4 * 2 + i % 2; }
__device__ int my_column(int j) { return warp_column() + j / 2 * 8 + threadIdx.x % 4 * 2 + j % 2; }

#define LINE 16  // numbers of a row or column; those 8 apart are 8 LINE apart
// Where shared memory keeps number k of a row, and of a column. What a thread gives to an `mma` stands side by side: of the
// rows in pairs, of the columns number after number. And things change places, so that threads that write or read at the same
// time do so in different ones of the memory's 32 banks.
__device__ int left_place(int row, int k) { return row / 2 * 32 + (k ^ (row & 2) * 4) * 2 + row % 2; }
__device__ int right_place(int column, int k) { return column * 16 + (k / 4 ^ column & 2 ^ (column & 4) / 4) * 4 + k % 4; }

struct alignas(8) Pair { float x, y; };
struct alignas(16) Four { float x, y, z, w; };

__device__ void keep(float* tile, int column, int k, const float* b) {  // numbers k to k + 7 of a column
    UNROLL for (int i = 0; i < 8; i += 4)
        *(Four*)(tile + right_place(column, k + i)) = {rounded(b[i]), rounded(b[i + 1]), rounded(b[i + 2]), rounded(b[i + 3])};
}

// Which rows, and which of the 16 steps of the sum, an `mma` takes for its first, second, ... does not matter, as long as all
// agree: here thread 4 p + q reads two steps, 2 q and 2 q + 1, of two rows, 2 p and 2 p + 1, at once.
__device__ int left_start() { return left_place(warp_row() + threadIdx.x % 32 / 4 * 2, threadIdx.x % 4 * 2); }
__device__ int right_start() { return right_place(warp_column() + threadIdx.x % 32 / 4, threadIdx.x % 4 * 2); }
__device__ void multiply(float (&sum)[TALL][WIDE], const float* a, const float* b, int left, int right) {
    UNROLL for (int half = 0; half < 2; half++) {
        Pair pair[WIDE / 2];
        UNROLL for (int j = 0; j < WIDE / 2; j++) pair[j] = *(const Pair*)(b + (right ^ 8 * half) + 8 * LINE * j);
        UNROLL for (int i = 0; i < TALL; i += 2) {
            Four four = *(const Four*)(a + (left ^ 16 * half) + 8 * LINE * i);
            UNROLL for (int j = 0; j < WIDE; j += 2)
                mma(sum[i][j], sum[i][j + 1], sum[i + 1][j], sum[i + 1][j + 1], four.x, four.y, four.z, four.w,
                    pair[j / 2].x, pair[j / 2].y);
        }
    }
}

#else  // the ordinary cores: 16 x 16 threads

#define TALL (ROWS / 16)
#define WIDE (COLUMNS / 16)

#define LINE 1

template <typename A> __device__ A rounded(A x) { return x; }
__device__ int my_row(int i) { return threadIdx.x / 16 * TALL + i; }
__device__ int my_column(int j) { return threadIdx.x % 16 * 2 + j / 2 * 32 + j % 2; }
__device__ int left_place(int row, int k) { return k * (ROWS + 4) + row; }
__device__ int right_place(int column, int k) { return k * (COLUMNS + 4) + column; }
__device__ int left_start() { return left_place(my_row(0), 0); }
__device__ int right_start() { return right_place(my_column(0), 0); }

template <typename A> __device__ void keep(A* tile, int column, int k, const A* b) {  // half a column
    UNROLL for (int i = 0; i < 32 / sizeof(A); i++) tile[right_place(column, k + i)] = b[i];
}

template <typename A> __device__ void multiply(A (&sum)[TALL][WIDE], const A* a, const A* b, int left, int right) {
    UNROLL for (int k = 0; k < 64 / sizeof(A); k++) {
        A up[TALL], across[WIDE];
        UNROLL for (int i = 0; i < TALL; i++) up[i] = a[left + left_place(i, k)];
        UNROLL for (int j = 0; j < WIDE; j++) across[j] = b[right + right_place(j / 2 * 32 + j % 2, k)];
        UNROLL for (int i = 0; i < TALL; i++) UNROLL for (int j = 0; j < WIDE; j++) sum[i][j] += up[i] * across[j];
    }
}

#endif

// sum = the tile. prepare(step) does what fetching needs, and a barrier later fetch(step, a, b) gets a thread's share of the
// factors: of the first, number threadIdx % DEPTH of some rows; of the second the same or, with HALVES, half a column.
template <bool HALVES, typename A, typename Prepare, typename Fetch>
__device__ void product(A (&sum)[TALL][WIDE], int steps, Prepare prepare, Fetch fetch) {
    const int DEPTH = 64 / sizeof(A), APART = THREADS / DEPTH;
    alignas(16) __shared__ A left[2][DEPTH * (ROWS + 4)], right[2][DEPTH * (COLUMNS + 4)];
    A a[ROWS / APART], b[COLUMNS / APART];
    int k = threadIdx.x % DEPTH, row = threadIdx.x / DEPTH, left_mine = left_place(row, k), right_mine = right_place(row, k);
    int from_left = left_start(), from_right = right_start();
    UNROLL for (int i = 0; i < TALL; i++) UNROLL for (int j = 0; j < WIDE; j++) sum[i][j] = 0;
    if (steps == 0) return;
    prepare(0), prepare(1);
    __syncthreads();
    fetch(0, a, b);
    for (int step = 0; step < steps; step++) {  // one half of the shared memory is written to while the other may be read
        A *l = left[step % 2], *r = right[step % 2];
        UNROLL for (int i = 0; i < ROWS / APART; i++) l[left_mine + i * APART * LINE] = rounded(a[i]);
        if (HALVES) keep(r, threadIdx.x % COLUMNS, threadIdx.x / COLUMNS * (DEPTH / 2), b);
        else UNROLL for (int i = 0; i < COLUMNS / APART; i++) r[right_mine + i * APART * LINE] = rounded(b[i]);
        __syncthreads();
        fetch(step + 1, a, b);  // on its way during the multiplication
        prepare(step + 2);
        multiply(sum, l, r, from_left, from_right);
    }
}

// The columns: a window begins at pixel (h, w), which may lie outside, and each tap looks `at` numbers, (h, w) pixels, further.
struct alignas(16) Window { long long at; int h, w; };
struct alignas(16) Tap { int at, h, w, weight; };

#ifndef EMULATED  // x, but so that the compiler takes it as it is, and does not keep in registers what could be made of it
__device__ long long settled(long long x) { asm volatile("" : "+l"(x)); return x; }
#endif

template <typename T> __device__ typename Sum<T>::type look(Window window, Tap tap, int height, int width) {
    bool inside = (unsigned)(window.h + tap.h) < height & (unsigned)(window.w + tap.w) < width;
    return inside ? (typename Sum<T>::type)__ldg((const T*)(window.at + tap.at * (long long)sizeof(T))) : 0;
}

// a = a thread's numbers of the rows, one in THREADS / DEPTH of them, of which `below` are left
template <typename T, typename A> __device__ void fetch_rows(A* a, const T* first, int row_step, int below) {
    const int DEPTH = 64 / sizeof(A), APART = THREADS / DEPTH;
    long long at = (long long)first, step = row_step * (long long)(APART * sizeof(T));
    UNROLL for (int i = 0; i < ROWS / APART; i++, at += step) {
        at = settled(at);
        a[i] = i * APART < below ? (A)__ldg((const T*)at) : A(0);
    }
}

// How windows lie along one axis: tap t of window o is pixel o stride + start + t step of the source, and belongs to place
// first + t every of the kernel. Its result is pixel o pitch + offset.
struct Axis { int source, windows, stride, start, step; unsigned taps; int kernel, first, every, result, pitch, offset; };

__device__ Axis forward_axis(int size, int out, int kernel, int stride, int padding, int dilation) {
    return {size, out, stride, -padding, dilation, unsigned(kernel), kernel, 0, 1, out, 1, 0};
}

// Backward, with the pixels r, r + stride, ... Pixel i is seen by window (i + padding - k dilation) / stride, at place k of the
// kernel, where the division leaves no rest. For the pixels of one remainder these are the same places, evenly spaced, and
// the windows move on as the pixels do: the gradient is a convolution of dy with a part of the kernel, whose stride is 1.
__device__ Axis backward_axis(int size, int out, int kernel, int stride, int padding, int dilation, int r) {
    int first = 0, every = 1;
    while (every * dilation % stride) every++;
    while (first < kernel && (r + padding - first * dilation) % stride) first++;
    return {out, (size - r + stride - 1) / stride, 1, (r + padding - first * dilation) / stride, -(every * dilation / stride),
            unsigned(kernel - first + every - 1) / every, kernel, first, every, size, stride, r};
}

// A tile of the product of weights with the windows of `source`; one row of weights gives one plane of the result.
template <typename T> __device__ void see(
        const T* w, int rows, int row_step, int channels, int channel_step, const T* source, long long source_image,
        const T* b, T* result, long long result_image, int images, int first_row, long long first_column, Axis v, Axis u) {
    typedef typename Sum<T>::type A;
    const int DEPTH = 64 / sizeof(A);
    __shared__ Window windows[COLUMNS];
    __shared__ T* target[COLUMNS];
    __shared__ Tap taps[2][DEPTH];
    unsigned each = v.windows * u.windows, seen = v.taps * u.taps, lane = threadIdx.x % 32;
    if (first_column >= (long long)images * each) return;
    if (threadIdx.x < COLUMNS) {
        long long column = first_column + threadIdx.x, n = column / each;
        int place = column - n * each, o = place / u.windows, q = place % u.windows;
        int h = n < images ? o * v.stride + v.start : FAR, left = q * u.stride + u.start;
        windows[threadIdx.x] = {(long long)(source + n * source_image + (long long)h * u.source + left), h, left};
        result += n * result_image + (o * v.pitch + v.offset) * (long long)u.result + q * u.pitch + u.offset;
        target[threadIdx.x] = n < images ? result : 0;
    }
    __syncthreads();
    A sum[TALL][WIDE];
    product<true>(sum, (channels * seen + DEPTH - 1) / DEPTH, [&](int step) {
        unsigned k = step * DEPTH + lane;
        if (threadIdx.x / 32 != step % (THREADS / 32) || lane >= DEPTH) return;  // the warps take turns
        int c = k / seen, i = k % seen / u.taps, j = k % u.taps;
        taps[step % 2][lane] = {(c * v.source + i * v.step) * u.source + j * u.step, c < channels ? i * v.step : FAR, j * u.step,
                                c * channel_step + (v.first + i * v.every) * u.kernel + u.first + j * u.every};
    }, [&](int step, A* a, A* b) {
        Tap* tap = taps[step % 2];
        Tap mine = tap[threadIdx.x % DEPTH];
        int row = first_row + threadIdx.x / DEPTH;
        fetch_rows(a, w + (row * row_step + mine.weight), row_step, mine.h < FAR ? rows - row : 0);
        Window window = windows[threadIdx.x % COLUMNS];
        UNROLL for (int i = 0; i < DEPTH / 2; i++)
            b[i] = look<T>(window, tap[threadIdx.x / COLUMNS * (DEPTH / 2) + i], v.source, u.source);
    });
    UNROLL for (int j = 0; j < WIDE; j++) {
        T* y = target[my_column(j)];
        UNROLL for (int i = 0; i < TALL; i++) {
            int row = first_row + my_row(i);
            if (y && row < rows) y[(long long)row * v.result * u.result] = T(sum[i][j] + (b ? (A)b[row] : A(0)));
        }
    }
}

// y = w @ cols + b, with x (N, C, H, W), w (F, C / groups, KH, KW), b (F) or null, y (N, F, OH, OW)
template <typename T> __global__ __launch_bounds__(THREADS, 2) void convolve(
        const T* x, const T* w, const T* b, T* y, const Geometry g, long long F, long long groups) {
    int rows = F / groups, channels = g.C / groups, tiles = (rows + ROWS - 1) / ROWS, K = channels * g.KH * g.KW;
    long long group = blockIdx.x / tiles % groups, pixels = (long long)g.H * g.W, windows = (long long)g.OH * g.OW;
    see(w + group * rows * K, rows, K, channels, g.KH * g.KW, x + group * channels * pixels, g.C * pixels,
        b ? b + group * rows : b, y + group * rows * windows, F * windows, g.N, blockIdx.x % tiles * ROWS,
        blockIdx.x / (tiles * groups) * COLUMNS, forward_axis(g.H, g.OH, g.KH, g.SH, g.PH, g.DH),
        forward_axis(g.W, g.OW, g.KW, g.SW, g.PW, g.DW));
}

// dx (N, C, H, W) from dy (N, F, OH, OW): every pixel looks for the windows that hold it, so no two threads add to one number
template <typename T> __global__ __launch_bounds__(THREADS, 2) void input_gradient(
        const T* dy, const T* w, T* dx, const Geometry g, long long F, long long groups) {
    int rows = g.C / groups, channels = F / groups, tiles = (rows + ROWS - 1) / ROWS, K = g.KH * g.KW;
    long long group = blockIdx.x / tiles % groups, pixels = (long long)g.H * g.W, windows = (long long)g.OH * g.OW;
    int remainder = blockIdx.x / (tiles * groups) % (g.SH * g.SW);
    see(w + group * channels * rows * K, rows, K, channels, rows * K, dy + group * channels * windows, F * windows,
        (const T*)0, dx + group * rows * pixels, g.C * pixels, g.N, blockIdx.x % tiles * ROWS,
        blockIdx.x / (tiles * groups * g.SH * g.SW) * COLUMNS,
        backward_axis(g.H, g.OH, g.KH, g.SH, g.PH, g.DH, remainder / g.SW),
        backward_axis(g.W, g.OW, g.KW, g.SW, g.PW, g.DW, remainder % g.SW));
}

// Part number p of dw = dy @ cols^T, a sum over all windows (n, oh, ow): too few results to keep a GPU busy, so the sum is cut
// into parts, each the work of other blocks
template <typename T> __global__ __launch_bounds__(THREADS, 2) void weight_parts(
        const T* x, const T* dy, typename Sum<T>::type* part, const Geometry g, long long F, long long groups, long long parts) {
    typedef typename Sum<T>::type A;
    const int DEPTH = 64 / sizeof(A);
    __shared__ Tap taps[COLUMNS];
    __shared__ Window windows[2][DEPTH];
    __shared__ const T* ups[2][DEPTH];
    int rows = F / groups, channels = g.C / groups, tiles = (rows + ROWS - 1) / ROWS, K = channels * g.KH * g.KW;
    int wide = (K + COLUMNS - 1) / COLUMNS, first_row = blockIdx.x % tiles * ROWS, lane = threadIdx.x % 32;
    int first_column = blockIdx.x / tiles % wide * COLUMNS;
    unsigned each = g.OH * g.OW;
    int group = blockIdx.x / (tiles * wide) % groups, number = blockIdx.x / (tiles * wide * groups);
    long long steps = ((long long)g.N * each + DEPTH - 1) / DEPTH, first = steps * number / parts;
    int first_image = first * DEPTH / each;
    unsigned first_place = first * DEPTH - (long long)first_image * each;
    if (threadIdx.x < COLUMNS) {
        int k = first_column + threadIdx.x, c = k / (g.KH * g.KW), h = k / g.KW % g.KH * g.DH, w = k % g.KW * g.DW;
        taps[threadIdx.x] = {(c * g.H + h) * g.W + w, k < K ? h : FAR, w, 0};
    }
    x += (long long)group * channels * g.H * g.W, dy += (long long)(group * rows + first_row) * each;
    A sum[TALL][WIDE];
    product<false>(sum, steps * (number + 1) / parts - first, [&](int step) {
        if (threadIdx.x / 32 != step % (THREADS / 32) || lane >= DEPTH) return;
        unsigned place = first_place + step * DEPTH + lane;
        long long n = first_image + place / each;
        place %= each;
        int h = n < g.N ? int(place / g.OW) * g.SH - g.PH : FAR, left = int(place % g.OW) * g.SW - g.PW;
        windows[step % 2][lane] = {(long long)(x + (n * g.C * g.H + h) * g.W + left), h, left};
        ups[step % 2][lane] = dy + n * F * each + place;
    }, [&](int step, A* a, A* b) {
        int row = threadIdx.x / DEPTH, k = threadIdx.x % DEPTH;
        Window window = windows[step % 2][k];
        fetch_rows(a, ups[step % 2][k] + (long long)row * each, each, window.h < FAR ? rows - first_row - row : 0);
        UNROLL for (int i = 0; i < COLUMNS * DEPTH / THREADS; i++)
            b[i] = look<T>(window, taps[threadIdx.x / DEPTH + i * (THREADS / DEPTH)], g.H, g.W);
    });
    part += ((long long)number * F + group * rows) * K;
    UNROLL for (int i = 0; i < TALL; i++) UNROLL for (int j = 0; j < WIDE; j++) {
        int row = first_row + my_row(i), k = first_column + my_column(j);
        if (row < rows && k < K) part[(long long)row * K + k] = sum[i][j];
    }
}

// dw = the sum of its parts, in their order
template <typename T> __global__ void sum_parts(const typename Sum<T>::type* part, T* dw, long long count, long long parts) {
    FOR_EACH(i, count) {
        typename Sum<T>::type sum = 0;
        _Pragma("unroll 16") for (long long p = 0; p < parts; p++) sum += part[p * count + i];
        dw[i] = T(sum);
    }
}
