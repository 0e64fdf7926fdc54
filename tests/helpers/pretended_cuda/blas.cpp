// cuBLAS: products of matrices, which lie column after column. Sums are kept in float64, so that they are more exact than a
// GPU's; with TF32 asked for, the factors are rounded to its 10 bits, as tensor cores round them.
#include "pretended.h"
#include <cstdint>
#include <cstring>
#include <cuda_fp16.h>
#include <library_types.h>
#include <vector>

enum { COMPUTE_32F = 68, COMPUTE_32F_PEDANTIC = 69, COMPUTE_64F = 70, COMPUTE_32F_FAST_TF32 = 77, MATH_TF32 = 3 };
static int math_mode = 0, pointer_mode = 0;

API int cublasCreate_v2(void** handle) { *handle = new char; return 0; }
API int cublasDestroy_v2(void* handle) { delete (char*)handle; return 0; }
API int cublasGetVersion_v2(void*, int* version) { *version = 130000; return 0; }
API int cublasSetStream_v2(void*, void*) { return 0; }
API int cublasGetStream_v2(void*, void** stream) { *stream = nullptr; return 0; }
API int cublasSetMathMode(void*, int mode) { math_mode = mode; return 0; }
API int cublasGetMathMode(void*, int* mode) { *mode = math_mode; return 0; }
API int cublasSetPointerMode_v2(void*, int mode) { pointer_mode = mode; return 0; }
API int cublasGetPointerMode_v2(void*, int* mode) { *mode = pointer_mode; return 0; }

static float tf32(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x1000) & 0xffffe000;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

static size_t size_of(int type) { return type == CUDA_R_64F ? 8 : type == CUDA_R_32F ? 4 : 2; }

// A matrix of float64, float32 or float16, as it lies in memory; `at` says element (i, j), or (j, i) of a transposed one.
struct Matrix {
    char* data;
    int type, transposed, columns_apart;
    char* place(long i, long j) const {
        return data + (transposed ? j + i * columns_apart : i + j * columns_apart) * size_of(type);
    }
    double at(long i, long j) const {
        const char* p = place(i, j);
        return type == CUDA_R_64F ? *(double*)p : type == CUDA_R_32F ? *(float*)p : __half2float(*(__half*)p);
    }
    void set(long i, long j, double value) const {
        char* p = place(i, j);
        if (type == CUDA_R_64F) *(double*)p = value;
        else if (type == CUDA_R_32F) *(float*)p = value;
        else *(__half*)p = __float2half((float)value);
    }
};

// c = alpha a b + beta c for a (m, k), b (k, n), c (m, n).
static void product(int m, int n, int k, double alpha, Matrix a, Matrix b, double beta, Matrix c, bool coarse) {
    if (pretended_idle) return;
    std::vector<double> rows((size_t)m * k), columns((size_t)n * k);
    for (int l = 0; l < k; l++) {
        for (int i = 0; i < m; i++) rows[(size_t)i * k + l] = coarse ? tf32(a.at(i, l)) : a.at(i, l);
        for (int j = 0; j < n; j++) columns[(size_t)j * k + l] = coarse ? tf32(b.at(l, j)) : b.at(l, j);
    }
    for (int j = 0; j < n; j++)
        for (int i = 0; i < m; i++) {
            double sum = 0;
            for (int l = 0; l < k; l++) sum += rows[(size_t)i * k + l] * columns[(size_t)j * k + l];
            c.set(i, j, alpha * sum + (beta ? beta * c.at(i, j) : 0));  // where beta is 0, c may hold anything
        }
}

API int cublasGemmStridedBatchedEx(void*, int ta, int tb, int m, int n, int k, const void* alpha,
                                   char* a, int type_a, int lda, long long step_a,
                                   char* b, int type_b, int ldb, long long step_b,
                                   const void* beta, char* c, int type_c, int ldc, long long step_c,
                                   int count, int compute, int) {
    pretended_counts.products++;
    if (compute < COMPUTE_32F || (compute > COMPUTE_64F && compute != COMPUTE_32F_FAST_TF32)) {
        std::fprintf(stderr, "pretended CUDA: a product with compute type %d is missing\n", compute);
        return 15;  // CUBLAS_STATUS_NOT_SUPPORTED
    }
    auto scalar = [&](const void* p) { return compute == COMPUTE_64F ? *(double*)p : *(float*)p; };
    bool coarse = compute == COMPUTE_32F_FAST_TF32
                  || (compute == COMPUTE_32F && type_a == CUDA_R_32F && math_mode == MATH_TF32);
    for (int i = 0; i < count; i++)
        product(m, n, k, scalar(alpha), {a + i * step_a * size_of(type_a), type_a, ta, lda},
                {b + i * step_b * size_of(type_b), type_b, tb, ldb}, scalar(beta),
                {c + i * step_c * size_of(type_c), type_c, 0, ldc}, coarse);
    return 0;
}

API int cublasGemmEx(void* handle, int ta, int tb, int m, int n, int k, const void* alpha, char* a, int type_a, int lda,
                     char* b, int type_b, int ldb, const void* beta, char* c, int type_c, int ldc, int compute,
                     int algorithm) {
    return cublasGemmStridedBatchedEx(handle, ta, tb, m, n, k, alpha, a, type_a, lda, 0, b, type_b, ldb, 0,
                                      beta, c, type_c, ldc, 0, 1, compute, algorithm);
}

API int cublasSgemmEx(void* handle, int ta, int tb, int m, int n, int k, const float* alpha, char* a, int type_a, int lda,
                      char* b, int type_b, int ldb, const float* beta, char* c, int type_c, int ldc) {
    return cublasGemmEx(handle, ta, tb, m, n, k, alpha, a, type_a, lda, b, type_b, ldb, beta, c, type_c, ldc,
                        COMPUTE_32F, 0);
}

API int cublasDgemm_v2(void* handle, int ta, int tb, int m, int n, int k, const double* alpha, char* a, int lda,
                       char* b, int ldb, const double* beta, char* c, int ldc) {
    return cublasGemmEx(handle, ta, tb, m, n, k, alpha, a, CUDA_R_64F, lda, b, CUDA_R_64F, ldb, beta, c, CUDA_R_64F, ldc,
                        COMPUTE_64F, 0);
}

template <typename T> static int batched(int ta, int tb, int m, int n, int k, const T* alpha, char** a, int lda,
                                         char** b, int ldb, const T* beta, char** c, int ldc, int count, int type) {
    pretended_counts.products++;
    bool coarse = type == CUDA_R_32F && math_mode == MATH_TF32;
    for (int i = 0; i < count; i++)
        product(m, n, k, *alpha, {a[i], type, ta, lda}, {b[i], type, tb, ldb}, *beta, {c[i], type, 0, ldc}, coarse);
    return 0;
}
API int cublasSgemmBatched(void*, int ta, int tb, int m, int n, int k, const float* alpha, char** a, int lda,
                           char** b, int ldb, const float* beta, char** c, int ldc, int count) {
    return batched(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, count, CUDA_R_32F);
}
API int cublasDgemmBatched(void*, int ta, int tb, int m, int n, int k, const double* alpha, char** a, int lda,
                           char** b, int ldb, const double* beta, char** c, int ldc, int count) {
    return batched(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, count, CUDA_R_64F);
}
