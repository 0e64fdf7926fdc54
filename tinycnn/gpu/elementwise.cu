// Formulas that NumPy's spelling would compute in several walks through memory. They are derived in ops/activation.py,
// ops/rectifier.py and ops/dropout.py; a kernel *_backward is given dy and what forward saved, and writes dx.

template <typename T> using Real = typename Sum<T>::type;  // what is computed in

// ---- piecewise linear: dy is multiplied by a slope of 0 or 1, so that a NaN goes through ---------------------------------

template <typename T> __global__ void relu_backward(const T* dy, const T* y, T* dx, long long count) {
    FOR_EACH(i, count) dx[i] = T((Real<T>)dy[i] * (y[i] > T(0) ? 1 : 0));
}

template <typename T> __global__ void hardtanh_backward(const T* dy, const T* y, T* dx, long long count, double low,
                                                        double high) {
    FOR_EACH(i, count) dx[i] = T((Real<T>)dy[i] * (y[i] > T(low) && y[i] < T(high) ? 1 : 0));
}

template <typename T> __global__ void hardsigmoid(const T* x, T* y, long long count) {
    FOR_EACH(i, count) {
        Real<T> t = (Real<T>)x[i] + 3;
        y[i] = T((t < 0 ? 0 : t > 6 ? 6 : t) / 6);
    }
}

template <typename T> __global__ void hardsigmoid_backward(const T* dy, const T* y, T* dx, long long count) {
    FOR_EACH(i, count) dx[i] = T((Real<T>)dy[i] / 6 * (y[i] > T(0) && y[i] < T(1) ? 1 : 0));
}

template <typename T> __global__ void hardswish(const T* x, T* y, long long count) {
    FOR_EACH(i, count) {
        Real<T> t = (Real<T>)x[i] + 3;
        y[i] = T((Real<T>)x[i] * ((t < 0 ? 0 : t > 6 ? 6 : t) / 6));
    }
}

template <typename T> __global__ void hardswish_backward(const T* dy, const T* x, T* dx, long long count) {
    FOR_EACH(i, count) {
        Real<T> v = x[i], slope = v <= -3 ? 0 : v >= 3 ? 1 : (2 * v + 3) / 6;
        dx[i] = T((Real<T>)dy[i] * slope);
    }
}

template <typename T> __global__ void leaky_relu(const T* x, T* y, long long count, double slope) {
    FOR_EACH(i, count) y[i] = T((Real<T>)x[i] * (x[i] > T(0) ? 1 : (Real<T>)slope));
}

template <typename T> __global__ void leaky_relu_backward(const T* dy, const bool* positive, T* dx, long long count,
                                                          double slope) {
    FOR_EACH(i, count) dx[i] = T((Real<T>)dy[i] * (positive[i] ? 1 : (Real<T>)slope));
}

// ---- smooth ----------------------------------------------------------------------------------------------------------

template <typename A> __device__ A logistic(A x) {
    A e = exp(x < 0 ? x : -x);  // at most 1
    return (x < 0 ? e : A(1)) / (1 + e);
}

template <typename T> __global__ void sigmoid(const T* x, T* y, long long count) {
    FOR_EACH(i, count) y[i] = T(logistic((Real<T>)x[i]));
}

template <typename T> __global__ void sigmoid_backward(const T* dy, const T* y, T* dx, long long count) {
    FOR_EACH(i, count) dx[i] = T((Real<T>)dy[i] * (Real<T>)y[i] * (1 - (Real<T>)y[i]));
}

template <typename T> __global__ void silu(const T* x, T* y, long long count) {
    FOR_EACH(i, count) y[i] = T((Real<T>)x[i] * logistic((Real<T>)x[i]));
}

template <typename T> __global__ void silu_backward(const T* dy, const T* x, T* dx, long long count) {
    FOR_EACH(i, count) {
        Real<T> v = x[i], s = logistic(v);
        dx[i] = T((Real<T>)dy[i] * (s * (1 + v * (1 - s))));
    }
}

template <typename T> __global__ void elu(const T* x, T* y, long long count, double alpha, double scale, double inner) {
    FOR_EACH(i, count) {
        Real<T> v = x[i];
        y[i] = T((Real<T>)scale * (v > 0 ? v : (Real<T>)alpha * expm1((Real<T>)inner * v)));
    }
}

template <typename T> __global__ void elu_backward(const T* dy, const T* x, T* dx, long long count, double alpha,
                                                   double scale, double inner) {
    FOR_EACH(i, count) {
        Real<T> v = x[i], slope = v > 0 ? 1 : (Real<T>)(alpha * inner) * exp((Real<T>)inner * v);
        dx[i] = T((Real<T>)scale * ((Real<T>)dy[i] * slope));
    }
}

// P, the probability that a standard normal number lies below x, or its approximation: (1 + tanh u) / 2 is the logistic
// function of 2 u
template <typename A> __device__ A probability(A x, bool exact) {
    if (exact) return (1 + erf(x * A(0.70710678118654752))) / 2;
    return logistic(2 * A(0.79788456080286536) * (x + A(0.044715) * x * x * x));
}

template <typename T> __global__ void gelu(const T* x, T* y, long long count, bool exact) {
    FOR_EACH(i, count) y[i] = T((Real<T>)x[i] * probability((Real<T>)x[i], exact));
}

template <typename T> __global__ void gelu_backward(const T* dy, const T* x, T* dx, long long count, bool exact) {
    typedef Real<T> A;
    FOR_EACH(i, count) {
        A v = x[i], p = probability(v, exact), root = A(0.79788456080286536);
        A density = exact ? exp(v * v / -2) * (root / 2)
                          : 2 * p * probability(-v, exact) * root * (1 + A(0.134145) * v * v);
        dx[i] = T((A)dy[i] * (p + v * density));
    }
}

// ---- dropout, forward and backward: x scale where keep, else 0 ---------------------------------------------------------

template <typename T> __global__ void keep_scaled(const T* x, const bool* keep, T* y, long long count, double scale) {
    FOR_EACH(i, count) y[i] = T((Real<T>)x[i] * Real<T>(keep[i]) * (Real<T>)scale);
}
