// Batch normalisation of x (N, C, S), S being all pixels of a plane: see ops/norm.py for what is computed. What counts is how
// often memory is walked through: here twice forward and twice backward. And a division takes a GPU some 20 instructions;
// so where a number stands is told from where the last one stood.

// The channel c of a number, as a thread goes on from number i to i + step of x.
struct Channel {
    int c, pixel, C, S, channels, pixels;
    __device__ Channel(long long C, long long S) : C(C), S(S) {
        long long i = blockIdx.x * (long long)THREADS + threadIdx.x, step = gridDim.x * (long long)THREADS;
        c = i / S % C, pixel = i % S, channels = step / S % C, pixels = step % S;
    }
    __device__ void go_on() {
        c += channels, pixel += pixels;
        if (pixel >= S) pixel -= S, c++;
        if (c >= C) c -= C;
    }
};

// Where number i of channel c stands in x, as a thread goes on from i to i + THREADS.
struct Walk {
    long long at, step, others;  // others: numbers of the channels between
    int pixel, S, pixels;
    __device__ Walk(long long i, long long c, long long C, long long S) : S(S) {
        at = (i / S * C + c) * S + i % S, pixel = i % S;
        step = THREADS / S * C * S + THREADS % S, others = (C - 1) * S, pixels = THREADS % S;
    }
    __device__ void go_on() {
        at += step, pixel += pixels;
        if (pixel >= S) pixel -= S, at += others;
    }
};

// Count, mean and sum of squared distances from the mean of part p of channel c, a number for each of the `parts` C blocks.
// Each block walks through its part twice, the second time through the cache.
template <typename T> __global__ void moments(const T* x, typename Sum<T>::type* mean, typename Sum<T>::type* squares,
                                              long long N, long long C, long long S, long long parts) {
    typedef typename Sum<T>::type A;
    long long c = blockIdx.x % C, part = blockIdx.x / C;
    long long first = N * S * part / parts, last = N * S * (part + 1) / parts;  // of the numbers of this channel
    A sum = 0;
    Walk walk(first + threadIdx.x, c, C, S), again = walk;
    for (long long i = first + threadIdx.x; i < last; i += THREADS, walk.go_on()) sum += (A)x[walk.at];
    A mu = block_sum(sum) / A(last - first);
    sum = 0;
    for (long long i = first + threadIdx.x; i < last; i += THREADS, again.go_on()) {
        A rest = (A)x[again.at] - mu;
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
    Channel channel(C, S);
    FOR_EACH(i, count) {
        int c = channel.c;
        A normal = ((A)x[i] - (A)mu[c]) * (A)r[c];
        y[i] = T(normal * (w ? (A)w[c] : A(1)) + (b ? (A)b[c] : A(0)));
        channel.go_on();
    }
}

// sum dy and sum dy (x - mu) over part p of channel c
template <typename T> __global__ void gradient_sums(const T* dy, const T* x, const T* mu, typename Sum<T>::type* plain,
                                                    typename Sum<T>::type* weighted, long long N, long long C, long long S,
                                                    long long parts) {
    typedef typename Sum<T>::type A;
    long long c = blockIdx.x % C, part = blockIdx.x / C;
    long long first = N * S * part / parts + threadIdx.x, last = N * S * (part + 1) / parts;
    A s = 0, t = 0, mean = mu[c];
    Walk walk(first, c, C, S);
    for (long long i = first; i < last; i += THREADS, walk.go_on()) {
        s += (A)dy[walk.at];
        t += (A)dy[walk.at] * ((A)x[walk.at] - mean);
    }
    s = block_sum(s);
    t = block_sum(t);
    if (threadIdx.x == 0) plain[blockIdx.x] = s, weighted[blockIdx.x] = t;
}

// The sums over all parts, a warp a channel: s = sum dy, t = sum dy (x - mu) r; r is null where it was multiplied before.
template <typename T> __global__ void join_sums(const typename Sum<T>::type* plain, const typename Sum<T>::type* weighted,
                                                const T* r, typename Sum<T>::type* s, typename Sum<T>::type* t, long long C,
                                                long long parts) {
    typedef typename Sum<T>::type A;
    ROW_OF_WARP(c, lane, C);
    A all = 0, rest = 0;
    for (long long part = lane; part < parts; part += 32) all += plain[part * C + c], rest += weighted[part * C + c];
    all = warp_sum(all), rest = warp_sum(rest);
    if (lane == 0) s[c] = all, t[c] = rest * (r ? (A)r[c] : A(1));
}

// dx = w r (dy - s / m - (x - mu) r t / m), where m numbers have one mean; w may be null
template <typename T> __global__ void combine(const T* dy, const T* x, const T* mu, const T* r, const T* w,
                                              const typename Sum<T>::type* s, const typename Sum<T>::type* t, T* dx,
                                              long long count, long long C, long long S) {
    typedef typename Sum<T>::type A;
    A share = A(1) / A(count / C);
    Channel channel(C, S);
    FOR_EACH(i, count) {
        int c = channel.c;
        A rate = r[c], rest = (A)dy[i] - s[c] * share - ((A)x[i] - (A)mu[c]) * (rate * t[c] * share);
        dx[i] = T((w ? (A)w[c] : A(1)) * rate * rest);
        channel.go_on();
    }
}

// r = 1 / sqrt(var + eps)
template <typename T> __global__ void rate(const T* var, T* r, double eps, long long count) {
    typedef typename Sum<T>::type A;
    FOR_EACH(i, count) r[i] = T(A(1) / sqrt((A)var[i] + A(eps)));
}

// x = a x + b y, in place: running statistics move
template <typename T> __global__ void move(T* x, const T* y, double a, double b, long long count) {
    typedef typename Sum<T>::type A;
    FOR_EACH(i, count) x[i] = T(A(a) * (A)x[i] + A(b) * (A)y[i]);
}
