#include "product.cuh"
// Convolution as a product of matrices, of which the second, the columns of ops/conv.py, is never written down:
//
//     y[f, (n, oh, ow)] = sum_{c, kh, kw} w[f, (c, kh, kw)] x[n, c, oh SH + kh DH - PH, ow SW + kw DW - PW]
//
// The columns are KH KW times as large as the images. Here every block gathers the tile of them that it needs from the
// images, most of which are still in the cache from the last step ("implicit GEMM"; Chetlur et al., cuDNN, 2014).

#define FAR (1 << 29)  // pixels away: outside of every image, and so a zero

// A window begins at pixel (h, w), which may lie outside of the image, and at address `at`. A tap, a step of the sum, looks
// `at` numbers, which is (h, w) pixels, further, and has its weight at `weight`.
struct alignas(16) Window { long long at; int h, w; };
struct alignas(16) Tap { int at, h, w, weight; };

// The entry of the columns where they meet.
template <typename T> __device__ typename Sum<T>::type look(Window window, Tap tap, int height, int width) {
    bool inside = (unsigned)(window.h + tap.h) < height & (unsigned)(window.w + tap.w) < width;
    return inside ? (typename Sum<T>::type)__ldg((const T*)(window.at + tap.at * (long long)sizeof(T))) : 0;
}

// How windows lie along one axis: tap t of window o sees pixel o stride + start + t step of `source`, with the weight at
// first + t every of the kernel. The result of window o is pixel o pitch + offset of `result`.
struct Axis { int source, windows, stride, start, step; unsigned taps; int kernel, first, every, result, pitch, offset; };

__device__ Axis forward_axis(int size, int out, int kernel, int stride, int padding, int dilation) {
    return {size, out, stride, -padding, dilation, unsigned(kernel), kernel, 0, 1, out, 1, 0};
}

// Backward pixel i collects from window (i + padding - k dilation) / stride, where weight k met it, if that leaves no rest.
// For the pixels r, r + stride, ... these k are the same, evenly spaced, and the windows move on by one from pixel to pixel:
// dx is a convolution of dy with a part of the kernel, once for every r below stride.
__device__ Axis backward_axis(int size, int out, int kernel, int stride, int padding, int dilation, int r) {
    int first = 0, every = 1;
    while (every * dilation % stride) every++;
    while (first < kernel && (r + padding - first * dilation) % stride) first++;
    int start = (r + padding - first * dilation) / stride;
    return {out, (size - r + stride - 1) / stride, 1, start, -(every * dilation / stride),
            unsigned(kernel - first + every - 1) / every, kernel, first, every, size, stride, r};
}

// A tile of the product of weights and windows: a row for every plane of the result, a column for every window (n, o, q)
// along the axes v and u. Where a column looks is worked out once, what a step of the sum sees by one warp for all threads.
template <typename T> __device__ void windowed_product(
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
        int h = i * v.step, left = j * u.step, weight = (v.first + i * v.every) * u.kernel + u.first + j * u.every;
        taps[step % 2][lane] = {(c * v.source + h) * u.source + left, c < channels ? h : FAR, left,
                                c * channel_step + weight};
    }, [&](int step, A* a, A* b) {
        Tap *tap = taps[step % 2], mine = tap[threadIdx.x % DEPTH];
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
    windowed_product(w + group * rows * K, rows, K, channels, g.KH * g.KW, x + group * channels * pixels, g.C * pixels,
                     b ? b + group * rows : b, y + group * rows * windows, F * windows, g.N, blockIdx.x % tiles * ROWS,
                     blockIdx.x / (tiles * groups) * COLUMNS, forward_axis(g.H, g.OH, g.KH, g.SH, g.PH, g.DH),
                     forward_axis(g.W, g.OW, g.KW, g.SW, g.PW, g.DW));
}

// dx (N, C, H, W) from dy (N, F, OH, OW): pixels collect what windows would scatter, so no two threads add to one number
template <typename T> __global__ __launch_bounds__(THREADS, 2) void input_gradient(
        const T* dy, const T* w, T* dx, const Geometry g, long long F, long long groups) {
    int rows = g.C / groups, channels = F / groups, tiles = (rows + ROWS - 1) / ROWS, K = g.KH * g.KW;
    long long group = blockIdx.x / tiles % groups, pixels = (long long)g.H * g.W, windows = (long long)g.OH * g.OW;
    int r = blockIdx.x / (tiles * groups) % (g.SH * g.SW);
    windowed_product(w + group * channels * rows * K, rows, K, channels, rows * K, dy + group * channels * windows,
                     F * windows, (const T*)0, dx + group * rows * pixels, g.C * pixels, g.N, blockIdx.x % tiles * ROWS,
                     blockIdx.x / (tiles * groups * g.SH * g.SW) * COLUMNS,
                     backward_axis(g.H, g.OH, g.KH, g.SH, g.PH, g.DH, r / g.SW),
                     backward_axis(g.W, g.OW, g.KW, g.SW, g.PW, g.DW, r % g.SW));
}

// dw = dy @ cols^T, a sum over all windows (n, oh, ow). It has few results, which would leave most of the GPU idle: so the
// sum is cut into parts, each the work of other blocks. Windows are the steps of this sum, and taps the columns of the tile.
template <typename T> __global__ __launch_bounds__(THREADS, 2) void weight_parts(
        const T* x, const T* dy, typename Sum<T>::type* part, const Geometry g, long long F, long long groups,
        long long parts) {
    typedef typename Sum<T>::type A;
    const int DEPTH = 64 / sizeof(A);
    __shared__ Tap taps[COLUMNS];
    __shared__ Window windows[2][DEPTH];
    __shared__ const T* ups[2][DEPTH];  // dy of the window, and of the first row of the tile
    int rows = F / groups, channels = g.C / groups, tiles = (rows + ROWS - 1) / ROWS, K = channels * g.KH * g.KW;
    int wide = (K + COLUMNS - 1) / COLUMNS, first_row = blockIdx.x % tiles * ROWS, lane = threadIdx.x % 32;
    int first_column = blockIdx.x / tiles % wide * COLUMNS, group = blockIdx.x / (tiles * wide) % groups;
    int number = blockIdx.x / (tiles * wide * groups);  // of the part
    unsigned each = g.OH * g.OW;
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
