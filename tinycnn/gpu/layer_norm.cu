// Layer normalisation of a matrix x, whose rows have a mean each: see ops/norm.py for what is computed. A warp does a row; it
// walks through it several times, but only the first time through memory, then through the cache.

// y = w (x - mu) r + b with r = 1 / sqrt(var + eps); w and b may be null
template <typename T> __global__ void normalise_rows(const T* x, const T* w, const T* b, T* y, T* mu, T* r, double eps,
                                                     long long rows, long long size) {
    typedef typename Sum<T>::type A;
    ROW_OF_WARP(row, lane, rows);
    x += row * size, y += row * size;
    A sum = 0;
    for (long long i = lane; i < size; i += 32) sum += (A)x[i];
    A mean = warp_sum(sum) / A(size);
    sum = 0;
    for (long long i = lane; i < size; i += 32) sum += ((A)x[i] - mean) * ((A)x[i] - mean);
    A rate = A(1) / sqrt(warp_sum(sum) / A(size) + A(eps));
    for (long long i = lane; i < size; i += 32)
        y[i] = T(((A)x[i] - mean) * rate * (w ? (A)w[i] : A(1)) + (b ? (A)b[i] : A(0)));
    if (lane == 0) mu[row] = T(mean), r[row] = T(rate);
}

// dx = r (g - mean(g) - xhat mean(g xhat)) with g = w dy and xhat = (x - mu) r
template <typename T> __global__ void row_gradients(const T* dy, const T* x, const T* mu, const T* r, const T* w, T* dx,
                                                    long long rows, long long size) {
    typedef typename Sum<T>::type A;
    ROW_OF_WARP(row, lane, rows);
    dy += row * size, x += row * size, dx += row * size;
    A mean = mu[row], rate = r[row], s = 0, t = 0;
    for (long long i = lane; i < size; i += 32) {
        A g = (A)dy[i] * (w ? (A)w[i] : A(1));
        s += g, t += g * ((A)x[i] - mean) * rate;
    }
    s = warp_sum(s) / A(size), t = warp_sum(t) / A(size);
    for (long long i = lane; i < size; i += 32)
        dx[i] = T(rate * ((A)dy[i] * (w ? (A)w[i] : A(1)) - s - ((A)x[i] - mean) * rate * t));
}

// db and dw, the sums of dy and dy xhat over some of the rows: a thread does a column, and its neighbours those beside it
template <typename T> __global__ void column_sums(const T* dy, const T* x, const T* mu, const T* r,
                                                  typename Sum<T>::type* plain, typename Sum<T>::type* weighted,
                                                  long long rows, long long size, long long parts) {
    typedef typename Sum<T>::type A;
    long long column = blockIdx.x * (long long)THREADS + threadIdx.x, part = blockIdx.y;
    if (column >= size) return;
    A s = 0, t = 0;
    for (long long row = rows * part / parts; row < rows * (part + 1) / parts; row++) {
        long long at = row * size + column;
        s += (A)dy[at], t += (A)dy[at] * ((A)x[at] - (A)mu[row]) * (A)r[row];
    }
    plain[part * size + column] = s, weighted[part * size + column] = t;
}
