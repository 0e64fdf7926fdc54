// Maximum pooling. The index of a maximum counts the pixels of its plane row by row.

// One thread a window. Of equal pixels the first wins, and a NaN beats every number.
template <typename T> __global__ void max_pool(const T* x, T* y, int* winner, const Geometry g) {
    FOR_EACH(i, (long long)g.N * g.C * g.OH * g.OW) {
        int ow = i % g.OW, oh = i / g.OW % g.OH;
        const T* plane = x + i / ((long long)g.OW * g.OH) * g.H * g.W;
        int best = -1;
        for (int kh = 0; kh < g.KH; kh++)
            for (int kw = 0; kw < g.KW; kw++) {
                int h = oh * g.SH + kh * g.DH - g.PH, w = ow * g.SW + kw * g.DW - g.PW;
                if (h < 0 || h >= g.H || w < 0 || w >= g.W) continue;
                T value = plane[h * g.W + w];
                if (best < 0 || value > plane[best] || value != value) best = h * g.W + w;
            }
        winner[i] = best;
        y[i] = best < 0 ? T(MINUS_INFINITY) : plane[best];
    }
}

// One thread a pixel collects the gradients of the windows in which it won: no two threads write to one place.
template <typename T> __global__ void max_pool_backward(const T* dy, const int* winner, T* dx, const Geometry g) {
    FOR_EACH(i, (long long)g.N * g.C * g.H * g.W) {
        int w = i % g.W, h = i / g.W % g.H;
        long long plane = i / ((long long)g.W * g.H) * g.OH * g.OW;
        typename Sum<T>::type sum = 0;
        for (int kh = 0; kh < g.KH; kh++) {
            int top = h + g.PH - kh * g.DH, oh = top / g.SH;
            if (top < 0 || top % g.SH || oh >= g.OH) continue;
            for (int kw = 0; kw < g.KW; kw++) {
                int left = w + g.PW - kw * g.DW, ow = left / g.SW;
                if (left < 0 || left % g.SW || ow >= g.OW) continue;
                long long o = plane + (long long)oh * g.OW + ow;
                if (winner[o] == h * g.W + w) sum += (typename Sum<T>::type)dy[o];
            }
        }
        dx[i] = T(sum);
    }
}
