// Softmax along rows of C numbers that stand side by side: one warp a row, see ops/softmax.py for the formulas.

// With `zeros`, a row of -inf becomes zeros in place of NaN: a query that may look at nothing.
template <typename T> __global__ void softmax(const T* x, T* p, long long rows, long long C, bool zeros) {
    typedef typename Sum<T>::type A;
    ROW_OF_WARP(row, lane, rows);
    x += row * C, p += row * C;
    A top = MINUS_INFINITY, sum = 0;
    for (long long c = lane; c < C; c += 32) if ((A)x[c] > top || x[c] != x[c]) top = (A)x[c];
    top = warp_max(top);
    if (zeros && top == A(MINUS_INFINITY)) top = 0, sum = 1;
    for (long long c = lane; c < C; c += 32) sum += exp((A)x[c] - top);
    sum = warp_sum(sum);
    for (long long c = lane; c < C; c += 32) p[c] = T(exp((A)x[c] - top) / sum);
}

template <typename T> __global__ void log_softmax(const T* x, T* logp, long long rows, long long C) {
    typedef typename Sum<T>::type A;
    ROW_OF_WARP(row, lane, rows);
    x += row * C, logp += row * C;
    A top = MINUS_INFINITY, sum = 0;
    for (long long c = lane; c < C; c += 32) if ((A)x[c] > top || x[c] != x[c]) top = (A)x[c];
    top = warp_max(top);
    for (long long c = lane; c < C; c += 32) sum += exp((A)x[c] - top);
    sum = log(warp_sum(sum));
    for (long long c = lane; c < C; c += 32) logp[c] = T((A)x[c] - top - sum);
}

// dx = p (dp - sum dp p)
template <typename T> __global__ void softmax_backward(const T* dp, const T* p, T* dx, long long rows, long long C) {
    typedef typename Sum<T>::type A;
    ROW_OF_WARP(row, lane, rows);
    dp += row * C, p += row * C, dx += row * C;
    A sum = 0;
    for (long long c = lane; c < C; c += 32) sum += (A)dp[c] * (A)p[c];
    sum = warp_sum(sum);
    for (long long c = lane; c < C; c += 32) dx[c] = T((A)p[c] * ((A)dp[c] - sum));
}

// y (N, C, S) from labels (N, S): 1 - smoothing at the label plus smoothing / C everywhere, times the weight of the class (or
// 1, without weights); and how much each label counts. An ignored one counts nothing, one out of range makes NaN.
template <typename T> __global__ void one_hot(const long long* labels, const T* weight, T* y, T* counts, long long size,
                                              long long C, long long S, long long ignored, double smoothing) {
    typedef typename Sum<T>::type A;
    FOR_EACH(i, size) {
        long long at = i / (C * S) * S + i % S, c = i / S % C, label = labels[at];
        bool inside = label >= 0 && label < C;
        A some = label == ignored ? A(0) : inside ? A(1) : A(MINUS_INFINITY) * 0;
        A part = (label == c ? A(1 - smoothing) : A(0)) + A(smoothing / C);
        bool none = some == 0 || (inside && part == 0);  // whatever the weight, which may be infinite
        y[i] = none ? T(0) : T(some * (weight ? (A)weight[c] : A(1)) * part);
        if (c == 0) counts[at] = some == 0 ? T(0) : T(some * (weight && inside ? (A)weight[label] : A(1)));
    }
}

// log p, and l = -sum y log p for every row: 0 where y = 0, even if p = 0
template <typename T> __global__ void cross_entropy(const T* x, const T* y, T* logp, T* l, long long rows,
                                                     long long C) {
    typedef typename Sum<T>::type A;
    ROW_OF_WARP(row, lane, rows);
    x += row * C, y += row * C, logp += row * C;
    A top = MINUS_INFINITY, sum = 0, loss = 0;
    for (long long c = lane; c < C; c += 32) if ((A)x[c] > top || x[c] != x[c]) top = (A)x[c];
    top = warp_max(top);
    for (long long c = lane; c < C; c += 32) sum += exp((A)x[c] - top);
    sum = log(warp_sum(sum));
    for (long long c = lane; c < C; c += 32) {
        A z = (A)x[c] - top - sum;
        logp[c] = T(z);
        if (y[c] != T(0)) loss -= (A)y[c] * z;
    }
    loss = warp_sum(loss);
    if (lane == 0) l[row] = T(loss);
}

// dx = dl (p Y - y), with Y = sum y and one dl a row
template <typename T> __global__ void cross_entropy_backward(const T* dl, const T* logp, const T* y, T* dx,
                                                             long long rows, long long C) {
    typedef typename Sum<T>::type A;
    ROW_OF_WARP(row, lane, rows);
    logp += row * C, y += row * C, dx += row * C;
    A sum = 0;
    for (long long c = lane; c < C; c += 32) sum += (A)y[c];
    sum = warp_sum(sum);
    for (long long c = lane; c < C; c += 32)
        dx[c] = T((A)dl[row] * (exp((A)logp[c]) * sum - (A)y[c]));
}
