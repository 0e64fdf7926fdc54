// Convolution where every channel has one filter of its own: too thin for a product of matrices, so each thread computes one
// result with two loops over the kernel. The weights of a channel are few and stay in the cache.

// y[n, c, oh, ow] = b[c] + sum_{kh, kw} w[c, kh, kw] x[n, c, oh SH + kh DH - PH, ow SW + kw DW - PW]
template <typename T> __global__ void depthwise(const T* x, const T* w, const T* b, T* y, const Geometry g) {
    FOR_EACH(i, (long long)g.N * g.C * g.OH * g.OW) {
        int ow = i % g.OW, oh = i / g.OW % g.OH, c = i / ((long long)g.OW * g.OH) % g.C;
        const T* plane = x + i / ((long long)g.OW * g.OH) * g.H * g.W;
        typename Sum<T>::type sum = b ? (typename Sum<T>::type)b[c] : 0;
        for (int kh = 0; kh < g.KH; kh++)
            for (int kw = 0; kw < g.KW; kw++) {
                int h = oh * g.SH + kh * g.DH - g.PH, v = ow * g.SW + kw * g.DW - g.PW;
                if (h >= 0 && h < g.H && v >= 0 && v < g.W)
                    sum += (typename Sum<T>::type)w[(c * g.KH + kh) * g.KW + kw]
                         * (typename Sum<T>::type)plane[(long long)h * g.W + v];
            }
        y[i] = T(sum);
    }
}

// dx[n, c, h, w] = the sum of w[c, kh, kw] dy[n, c, oh, ow] over all windows that hold the pixel, found as in `col2im`
template <typename T> __global__ void depthwise_input(const T* dy, const T* w, T* dx, const Geometry g) {
    FOR_EACH(i, (long long)g.N * g.C * g.H * g.W) {
        int v = i % g.W, h = i / g.W % g.H, c = i / ((long long)g.W * g.H) % g.C;
        const T* plane = dy + i / ((long long)g.W * g.H) * g.OH * g.OW;
        typename Sum<T>::type sum = 0;
        for (int kh = 0; kh < g.KH; kh++) {
            int top = h + g.PH - kh * g.DH, oh = top / g.SH;
            if (top < 0 || top % g.SH || oh >= g.OH) continue;
            for (int kw = 0; kw < g.KW; kw++) {
                int left = v + g.PW - kw * g.DW, ow = left / g.SW;
                if (left < 0 || left % g.SW || ow >= g.OW) continue;
                sum += (typename Sum<T>::type)w[(c * g.KH + kh) * g.KW + kw]
                     * (typename Sum<T>::type)plane[(long long)oh * g.OW + ow];
            }
        }
        dx[i] = T(sum);
    }
}

// dw[c, kh, kw] = sum_{n, oh, ow} dy[n, c, oh, ow] x[n, c, ...]: one block a weight, its threads share the sum
template <typename T> __global__ void depthwise_weight(const T* x, const T* dy, T* dw, const Geometry g) {
    int kw = blockIdx.x % g.KW, kh = blockIdx.x / g.KW % g.KH, c = blockIdx.x / g.KW / g.KH;
    long long places = (long long)g.OH * g.OW;
    typename Sum<T>::type sum = 0;
    for (long long i = threadIdx.x; i < g.N * places; i += THREADS) {
        int ow = i % g.OW, oh = i / g.OW % g.OH, n = i / places;
        int h = oh * g.SH + kh * g.DH - g.PH, v = ow * g.SW + kw * g.DW - g.PW;
        if (h >= 0 && h < g.H && v >= 0 && v < g.W) {
            long long plane = (long long)n * g.C + c;
            sum += (typename Sum<T>::type)dy[plane * places + (long long)oh * g.OW + ow]
                 * (typename Sum<T>::type)x[(plane * g.H + h) * g.W + v];
        }
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) dw[blockIdx.x] = T(sum);
}
