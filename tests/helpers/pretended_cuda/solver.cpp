// cuSOLVER, and cuBLAS for many small matrices: the LU decomposition, from which CuPy makes determinants, solutions and
// inverses. Matrices lie column after column; pivots count from 1, as LAPACK's do.
#include "pretended.h"
#include <cmath>
#include <utility>

template <typename T> struct Columns {
    T* data;
    long apart;
    T& operator()(long i, long j) const { return data[i + j * apart]; }
};

// a = P L U in place, with 1 on the diagonal of L, which is not kept. Returns 0, or the first column without a pivot.
template <typename T> static int decompose(int n, Columns<T> a, int* pivots) {
    int singular = 0;
    for (int k = 0; k < n; k++) {
        int best = k;
        for (int i = k + 1; i < n; i++) if (std::fabs(a(i, k)) > std::fabs(a(best, k))) best = i;
        pivots[k] = best + 1;
        if (a(best, k) == 0) {
            if (!singular) singular = k + 1;
            continue;
        }
        for (int j = 0; j < n; j++) std::swap(a(k, j), a(best, j));
        for (int i = k + 1; i < n; i++) {
            a(i, k) /= a(k, k);
            for (int j = k + 1; j < n; j++) a(i, j) -= a(i, k) * a(k, j);
        }
    }
    return singular;
}

// b = a^-1 b in place, or a^-T b, for the decomposed a and a b of `count` columns.
template <typename T> static void solve(bool transposed, int n, int count, Columns<T> a, const int* pivots, Columns<T> b) {
    for (int c = 0; c < count; c++) {
        T* x = &b(0, c);
        if (!transposed) {
            for (int i = 0; i < n; i++) std::swap(x[i], x[pivots[i] - 1]);
            for (int i = 0; i < n; i++) for (int j = 0; j < i; j++) x[i] -= a(i, j) * x[j];
            for (int i = n - 1; i >= 0; x[i] /= a(i, i), i--) for (int j = i + 1; j < n; j++) x[i] -= a(i, j) * x[j];
        } else {
            for (int i = 0; i < n; x[i] /= a(i, i), i++) for (int j = 0; j < i; j++) x[i] -= a(j, i) * x[j];
            for (int i = n - 1; i >= 0; i--) for (int j = i + 1; j < n; j++) x[i] -= a(j, i) * x[j];
            for (int i = n - 1; i >= 0; i--) std::swap(x[i], x[pivots[i] - 1]);
        }
    }
}

template <typename T> static void invert(int n, Columns<T> a, const int* pivots, Columns<T> inverse) {
    for (int i = 0; i < n; i++) for (int j = 0; j < n; j++) inverse(i, j) = i == j;
    solve(false, n, n, a, pivots, inverse);
}

#define FUNCTIONS(LETTER, T)                                                                                                \
    API int cusolverDn##LETTER##getrf_bufferSize(void*, int, int, T*, int, int* size) { *size = 1; return 0; }              \
    API int cusolverDn##LETTER##getrf(void*, int, int n, T* a, int lda, T*, int* pivots, int* info) {                       \
        *info = decompose<T>(n, {a, lda}, pivots);                                                                          \
        return 0;                                                                                                           \
    }                                                                                                                       \
    API int cusolverDn##LETTER##getrs(void*, int transposed, int n, int count, T* a, int lda, const int* pivots,            \
                                      T* b, int ldb, int* info) {                                                           \
        solve<T>(transposed, n, count, {a, lda}, pivots, {b, ldb});                                                         \
        return *info = 0;                                                                                                   \
    }                                                                                                                       \
    API int cublas##LETTER##getrfBatched(void*, int n, T** a, int lda, int* pivots, int* info, int count) {                 \
        for (int i = 0; i < count; i++) info[i] = decompose<T>(n, {a[i], lda}, pivots + i * n);                             \
        return 0;                                                                                                           \
    }                                                                                                                       \
    API int cublas##LETTER##getrsBatched(void*, int transposed, int n, int columns, T** a, int lda, const int* pivots,      \
                                         T** b, int ldb, int* info, int count) {                                            \
        for (int i = 0; i < count; i++) solve<T>(transposed, n, columns, {a[i], lda}, pivots + i * n, {b[i], ldb});         \
        return *info = 0;                                                                                                   \
    }                                                                                                                       \
    API int cublas##LETTER##getriBatched(void*, int n, T** a, int lda, const int* pivots, T** inverse, int ldc, int* info,  \
                                         int count) {                                                                       \
        for (int i = 0; i < count; i++) invert<T>(n, {a[i], lda}, pivots + i * n, {inverse[i], ldc}), info[i] = 0;          \
        return 0;                                                                                                           \
    }
FUNCTIONS(S, float)
FUNCTIONS(D, double)

API int cusolverDnCreate(void** handle) { *handle = new char; return 0; }
API int cusolverDnDestroy(void* handle) { delete (char*)handle; return 0; }
API int cusolverDnSetStream(void*, void*) { return 0; }
API int cusolverDnGetStream(void*, void** stream) { *stream = nullptr; return 0; }
API int cusolverGetProperty(int which, int* value) { *value = which == 0 ? 12 : 0; return 0; }
