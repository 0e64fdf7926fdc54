// Optimizers: one launch updates many parameters. A small table, which travels with the launch itself, tells where they are.

#define ENTRIES 64  // so many fit into the 4096 bytes that a launch may carry; as in optim.py

template <typename T> struct Entry { T *p, *m, *v; const T* dp; long long size; double step, root; };
template <typename T> struct Table { Entry<T> entry[ENTRIES]; };

// Each row of blocks (blockIdx.y) updates one parameter.
#define FOR_EACH_OF_MY_PARAMETER(i) \
    const Entry<T>& e = table.entry[blockIdx.y]; \
    FOR_EACH(i, e.size)

// p <- p - step b, b being dp or, with momentum, the running sum of gradients m
template <typename T> __global__ void sgd(const Table<T> table, double momentum, double dampening, double weight_decay,
                                          long long nesterov, double sign) {
    FOR_EACH_OF_MY_PARAMETER(i) {
        T dp = T(sign) * e.dp[i] + T(weight_decay) * e.p[i];
        if (e.m) {
            T b = T(momentum) * e.m[i] + T(1 - dampening) * dp;
            e.m[i] = b;
            dp = nesterov ? dp + T(momentum) * b : b;
        }
        e.p[i] -= T(e.step) * dp;
    }
}

// p <- p - step m / (sqrt(v) / root + eps), with step = lr / (1 - beta1^t) and root = sqrt(1 - beta2^t)
template <typename T> __global__ void adam(const Table<T> table, double beta1, double beta2, double eps, double weight_decay,
                                           double shrink, double sign) {
    FOR_EACH_OF_MY_PARAMETER(i) {
        T p = e.p[i] * T(shrink), dp = T(sign) * e.dp[i] + T(weight_decay) * p;
        T m = T(beta1) * e.m[i] + T(1 - beta1) * dp;
        T v = T(beta2) * e.v[i] + T(1 - beta2) * dp * dp;
        e.m[i] = m, e.v[i] = v;
        e.p[i] = p - T(e.step) * m / (sqrt(v) / T(e.root) + T(eps));
    }
}
