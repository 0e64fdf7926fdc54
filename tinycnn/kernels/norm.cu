// Batch normalisation of x (N, C, S), S being all pixels of a plane: see ops/norm.py for what is computed. What counts is how
// often memory is walked through: here twice forward and twice backward.

// Count, mean and sum of squared distances from the mean of part p of channel c, a number for each of the `parts` C blocks.
// Each block walks through its part twice, the second time through the cache.
template <typename T> __global__ void moments(const T* x, typename Sum<T>::type* mean, typename Sum<T>::type* squares,
                                              long long N, long long C, long long S, long long parts) {
    typedef typename Sum<T>::type A;
    long long c = blockIdx.x % C, part = blockIdx.x / C;
    long long first = N * S * part / parts, last = N * S * (part + 1) / parts;  // of the numbers of this channel
    A sum = 0;
    for (long long i = first + threadIdx.x; i < last; i += THREADS) sum += (A)x[(i / S * C + c) * S + i % S];
    A mu = block_sum(sum) / A(last - first);
    sum = 0;
    for (long long i = first + threadIdx.x; i < last; i += THREADS) {
        A rest = (A)x[(i / S * C + c) * S + i % S] - mu;
        sum += rest * rest;
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) mean[blockIdx.x] = mu, squares[blockIdx.x] = sum;
}

// Mean and variance of whole channels, from those of their parts, one part after the other: of two sets of numbers with n and
// m members, whose means are d apart, the union has squares + squares' + d^2 n m / (n + m) (Chan, Golub, LeVeque, 1979).
template <typename T> __global__ void join_moments(const typename Sum<T>::type* mean, const typename Sum<T>::type* squares,
                                                   T* mu, T* var, long long C, long long count, long long parts) {
    FOR_EACH(c, C) {
        double all = 0, m = 0, s = 0;
        for (long long part = 0; part < parts; part++) {
            double n = count * (part + 1) / parts - count * part / parts;
            double step = mean[part * C + c] - m;
            s += squares[part * C + c] + step * step * (all * n / (all + n));
            all += n;
            m += step * (n / all);
        }
        mu[c] = T(m);
        var[c] = T(s / all);
    }
}

// y = w (x - mu) r + b; w and b may be null
template <typename T> __global__ void normalise(const T* x, const T* mu, const T* r, const T* w, const T* b, T* y,
                                                long long count, long long C, long long S) {
    typedef typename Sum<T>::type A;
    FOR_EACH(i, count) {
        long long c = i / S % C;
        A normal = ((A)x[i] - (A)mu[c]) * (A)r[c];
        y[i] = T(normal * (w ? (A)w[c] : A(1)) + (b ? (A)b[c] : A(0)));
    }
}

// sum dy and sum dy (x - mu) over part p of channel c
template <typename T> __global__ void gradient_sums(const T* dy, const T* x, const T* mu, typename Sum<T>::type* plain,
                                                    typename Sum<T>::type* weighted, long long N, long long C, long long S,
                                                    long long parts) {
    typedef typename Sum<T>::type A;
    long long c = blockIdx.x % C, part = blockIdx.x / C;
    A s = 0, t = 0;
    for (long long i = N * S * part / parts + threadIdx.x; i < N * S * (part + 1) / parts; i += THREADS) {
        long long at = (i / S * C + c) * S + i % S;
        s += (A)dy[at];
        t += (A)dy[at] * ((A)x[at] - (A)mu[c]);
    }
    s = block_sum(s);
    t = block_sum(t);
    if (threadIdx.x == 0) plain[blockIdx.x] = s, weighted[blockIdx.x] = t;
}

// dx = a dy + b (x - mu) + k, with four numbers for every channel
template <typename T> __global__ void combine(const T* dy, const T* x, const T* mu, const T* a, const T* b, const T* k, T* dx,
                                              long long count, long long C, long long S) {
    typedef typename Sum<T>::type A;
    FOR_EACH(i, count) {
        long long c = i / S % C;
        dx[i] = T((A)a[c] * (A)dy[i] + (A)b[c] * ((A)x[i] - (A)mu[c]) + (A)k[c]);
    }
}
