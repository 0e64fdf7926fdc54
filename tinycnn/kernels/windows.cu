// im2col and its adjoint for images. The columns of a batch are one matrix, so that one product serves the whole batch:
//
//     cols[(c, kh, kw), (n, oh, ow)] = x[n, c, oh SH + kh DH - PH, ow SW + kw DW - PW],  0 outside of the image

// One thread an (c, n, oh, ow): it writes a whole window of one channel, neighbours in ow side by side.
template <typename T> __global__ void im2col(const T* x, T* cols, const Geometry g) {
    long long columns = (long long)g.N * g.OH * g.OW;
    FOR_EACH(i, g.C * columns) {
        int c = i / columns;
        long long column = i % columns;
        int ow = column % g.OW, oh = column / g.OW % g.OH, n = column / g.OW / g.OH;
        const T* plane = x + ((long long)n * g.C + c) * g.H * g.W;
        T* target = cols + (long long)c * g.KH * g.KW * columns + column;
        for (int kh = 0; kh < g.KH; kh++)
            for (int kw = 0; kw < g.KW; kw++, target += columns) {
                int h = oh * g.SH + kh * g.DH - g.PH, w = ow * g.SW + kw * g.DW - g.PW;
                *target = h >= 0 && h < g.H && w >= 0 && w < g.W ? plane[(long long)h * g.W + w] : T(0);
            }
    }
}

// The adjoint: every pixel becomes the sum of its copies. One thread a pixel looks for them, kernel offset by kernel offset:
// pixel h is at offset kh of window oh where h = oh SH + kh DH - PH. Had the copies been added to the pixels instead, two
// threads could meet at one pixel, and the order of the additions, so the last bit of the sum, would be chance.
template <typename T> __global__ void col2im(const T* cols, T* x, const Geometry g) {
    long long columns = (long long)g.N * g.OH * g.OW;
    FOR_EACH(i, (long long)g.N * g.C * g.H * g.W) {
        int w = i % g.W, h = i / g.W % g.H, c = i / ((long long)g.W * g.H) % g.C, n = i / ((long long)g.W * g.H * g.C);
        typename Sum<T>::type sum = 0;
        for (int kh = 0; kh < g.KH; kh++) {
            int top = h + g.PH - kh * g.DH, oh = top / g.SH;
            if (top < 0 || top % g.SH || oh >= g.OH) continue;
            for (int kw = 0; kw < g.KW; kw++) {
                int left = w + g.PW - kw * g.DW, ow = left / g.SW;
                if (left < 0 || left % g.SW || ow >= g.OW) continue;
                long long row = ((long long)c * g.KH + kh) * g.KW + kw;
                sum += (typename Sum<T>::type)cols[row * columns + ((long long)n * g.OH + oh) * g.OW + ow];
            }
        }
        x[i] = T(sum);
    }
}
