// CUDA's driver, as far as CuPy uses it: programs are loaded and kernels launched. What a program's "machine code" is, is
// decided in compiler.cpp: the name of a library that g++ has made, with a function run_KERNEL for each kernel.
#include "pretended.h"
#include <cuda.h>
#include <dlfcn.h>
#include <string>

API CUresult cuGetErrorName(CUresult error, const char** name) {
    static thread_local char text[32];
    std::snprintf(text, sizeof text, "CUresult %d", error);
    *name = text;
    return CUDA_SUCCESS;
}
API CUresult cuGetErrorString(CUresult, const char** s) { *s = "an error of the pretended CUDA"; return CUDA_SUCCESS; }
API CUresult cuCtxGetCurrent(CUcontext* context) { *context = (CUcontext)1; return CUDA_SUCCESS; }
API CUresult cuCtxSetCurrent(CUcontext) { return CUDA_SUCCESS; }
API CUresult cuCtxGetDevice(CUdevice* d) { *d = current_device(); return CUDA_SUCCESS; }
API CUresult cuDevicePrimaryCtxRelease(CUdevice) { return CUDA_SUCCESS; }

API CUresult cuModuleLoadData(CUmodule* module, const void* image) {
    *module = (CUmodule)dlopen((const char*)image, RTLD_NOW | RTLD_LOCAL);
    if (!*module) std::fprintf(stderr, "%s\n", dlerror());
    return *module ? CUDA_SUCCESS : CUDA_ERROR_INVALID_IMAGE;
}
API CUresult cuModuleUnload(CUmodule) { return CUDA_SUCCESS; }

API CUresult cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name) {
    *function = (CUfunction)dlsym(module, (std::string("run_") + name).c_str());
    return *function ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

API CUresult cuLaunchKernel(CUfunction function, unsigned gx, unsigned gy, unsigned gz,
                            unsigned bx, unsigned by, unsigned bz, unsigned shared, CUstream, void** args, void**) {
    bool fits = gx && gy && gz && bx && by && bz && gx <= 0x7fffffff && gy <= 65535 && gz <= 65535
                && bz <= 64 && (size_t)bx * by * bz <= 1024 && shared <= 48 << 10;
    if (!fits) {
        std::fprintf(stderr, "no GPU takes this launch: (%u, %u, %u) blocks of (%u, %u, %u) threads with %u bytes\n",
                     gx, gy, gz, bx, by, bz, shared);
        return CUDA_ERROR_INVALID_VALUE;
    }
    pretended_counts.launches++;
    unsigned shape[] = {gx, gy, gz, bx, by, bz};
    if (!pretended_idle) ((void (*)(const unsigned*, void**))function)(shape, args);
    return CUDA_SUCCESS;
}

API CUresult cuFuncGetAttribute(int* value, CUfunction_attribute attribute, CUfunction) {
    *value = attribute == CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK ? 1024 : 0;
    return CUDA_SUCCESS;
}
API CUresult cuFuncSetAttribute(CUfunction, CUfunction_attribute, int) { return CUDA_SUCCESS; }
API CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, CUfunction, int, size_t) {
    *blocks = 2;
    return CUDA_SUCCESS;
}
