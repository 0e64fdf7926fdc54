// Formulas that NumPy's spelling would compute in two or three walks through memory.

// dx = dy where y > 0, else 0
template <typename T> __global__ void relu_backward(const T* dy, const T* y, T* dx, long long count) {
    FOR_EACH(i, count) dx[i] = T((typename Sum<T>::type)dy[i] * (y[i] > T(0) ? 1 : 0));  // NaN times 0 stays NaN
}

// y = x scale where keep, else 0: dropout, forward and backward
template <typename T> __global__ void keep_scaled(const T* x, const bool* keep, T* y, double scale, long long count) {
    typedef typename Sum<T>::type A;
    FOR_EACH(i, count) y[i] = T((A)x[i] * A(keep[i]) * (A)scale);
}
