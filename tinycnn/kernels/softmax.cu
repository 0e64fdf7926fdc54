// Softmax along rows of C numbers that stand side by side: one block a row, see ops/softmax.py for the formulas.

template <typename T> __global__ void softmax(const T* x, T* p, long long C) {
    typedef typename Sum<T>::type A;
    x += blockIdx.x * C, p += blockIdx.x * C;
    A top = MINUS_INFINITY, sum = 0;
    for (long long c = threadIdx.x; c < C; c += THREADS) if ((A)x[c] > top || x[c] != x[c]) top = (A)x[c];
    top = block_max(top);
    for (long long c = threadIdx.x; c < C; c += THREADS) sum += exp((A)x[c] - top);
    sum = block_sum(sum);
    for (long long c = threadIdx.x; c < C; c += THREADS) p[c] = T(exp((A)x[c] - top) / sum);
}

template <typename T> __global__ void log_softmax(const T* x, T* logp, long long C) {
    typedef typename Sum<T>::type A;
    x += blockIdx.x * C, logp += blockIdx.x * C;
    A top = MINUS_INFINITY, sum = 0;
    for (long long c = threadIdx.x; c < C; c += THREADS) if ((A)x[c] > top || x[c] != x[c]) top = (A)x[c];
    top = block_max(top);
    for (long long c = threadIdx.x; c < C; c += THREADS) sum += exp((A)x[c] - top);
    sum = log(block_sum(sum));
    for (long long c = threadIdx.x; c < C; c += THREADS) logp[c] = T((A)x[c] - top - sum);
}

// dx = p (dp - sum dp p)
template <typename T> __global__ void softmax_backward(const T* dp, const T* p, T* dx, long long C) {
    typedef typename Sum<T>::type A;
    dp += blockIdx.x * C, p += blockIdx.x * C, dx += blockIdx.x * C;
    A sum = 0;
    for (long long c = threadIdx.x; c < C; c += THREADS) sum += (A)dp[c] * (A)p[c];
    sum = block_sum(sum);
    for (long long c = threadIdx.x; c < C; c += THREADS) dx[c] = T((A)p[c] * ((A)dp[c] - sum));
}

// dx = dl (p Y - y), with Y = sum y and one dl a row
template <typename T> __global__ void cross_entropy_backward(const T* dl, const T* logp, const T* y, T* dx, long long C) {
    typedef typename Sum<T>::type A;
    logp += blockIdx.x * C, y += blockIdx.x * C, dx += blockIdx.x * C;
    A sum = 0;
    for (long long c = threadIdx.x; c < C; c += THREADS) sum += (A)y[c];
    sum = block_sum(sum);
    for (long long c = threadIdx.x; c < C; c += THREADS)
        dx[c] = T((A)dl[blockIdx.x] * (exp((A)logp[c]) * sum - (A)y[c]));
}
