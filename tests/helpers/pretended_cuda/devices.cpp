// CUDA's devices, streams and events. A stream is an order of work; here everything is done at once, in the order in which
// it is asked for, so that a stream is no more than an address, and an event no more than a time.
#include "pretended.h"
#include <cuda_runtime_api.h>
#include <chrono>
#include <cstdlib>
#include <cstring>

static const int CAPABILITY = 9, PROCESSORS = 132, WARP = 32, THREADS = 1024, SHARED = 48 << 10;  // an H100's, roughly
static thread_local int device = 0;

int current_device() { return device; }

static int count() {
    const char* wanted = std::getenv("PRETENDED_GPUS");
    return wanted ? std::atoi(wanted) : 1;
}

API cudaError_t cudaGetDevice(int* d) { *d = device; return cudaSuccess; }
API cudaError_t cudaGetDeviceCount(int* n) { *n = count(); return cudaSuccess; }
API cudaError_t cudaSetDevice(int d) {
    if (d < 0 || d >= count()) return cudaErrorInvalidDevice;
    device = d;
    return cudaSuccess;
}

API cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
    switch (attribute) {
        case cudaDevAttrComputeCapabilityMajor: *value = CAPABILITY; break;
        case cudaDevAttrMultiProcessorCount: *value = PROCESSORS; break;
        case cudaDevAttrMaxSharedMemoryPerBlock: *value = SHARED; break;
        case cudaDevAttrMaxThreadsPerBlock: *value = THREADS; break;
        case cudaDevAttrWarpSize: *value = WARP; break;
        default: *value = 0;
    }
    return cudaSuccess;
}

API cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int) {
    size_t free;
    std::memset(p, 0, sizeof *p);
    std::strcpy(p->name, "Pretended GPU");
    p->major = CAPABILITY, p->multiProcessorCount = PROCESSORS;
    p->warpSize = WARP, p->maxThreadsPerBlock = THREADS, p->sharedMemPerBlock = SHARED;
    return cudaMemGetInfo(&free, &p->totalGlobalMem);
}

API cudaError_t cudaDeviceCanAccessPeer(int* can, int, int) { *can = 1; return cudaSuccess; }
API cudaError_t cudaDeviceEnablePeerAccess(int, unsigned) { return cudaSuccess; }
API cudaError_t cudaDriverGetVersion(int* version) { *version = CUDART_VERSION; return cudaSuccess; }
API cudaError_t cudaRuntimeGetVersion(int* version) { *version = CUDART_VERSION; return cudaSuccess; }

API cudaError_t cudaGetLastError() { return cudaSuccess; }
API const char* cudaGetErrorName(cudaError_t error) {
    static thread_local char name[32];
    if (error == cudaErrorMemoryAllocation) return "cudaErrorMemoryAllocation";
    std::snprintf(name, sizeof name, "cudaError_t %d", error);
    return name;
}
API const char* cudaGetErrorString(cudaError_t error) {
    return error == cudaErrorMemoryAllocation ? "out of memory" : "an error of the pretended CUDA";
}

// ---- streams and events --------------------------------------------------------------------------------------------------

static cudaError_t waited() {
    pretended_counts.waits++;
    return cudaSuccess;
}

API cudaError_t cudaStreamCreate(cudaStream_t* s) { *s = (cudaStream_t)new char; return cudaSuccess; }
API cudaError_t cudaStreamCreateWithFlags(cudaStream_t* s, unsigned) { return cudaStreamCreate(s); }
API cudaError_t cudaStreamCreateWithPriority(cudaStream_t* s, unsigned, int) { return cudaStreamCreate(s); }
API cudaError_t cudaStreamDestroy(cudaStream_t s) { delete (char*)s; return cudaSuccess; }
API cudaError_t cudaStreamQuery(cudaStream_t) { return cudaSuccess; }
API cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return cudaSuccess; }
API cudaError_t cudaStreamIsCapturing(cudaStream_t, cudaStreamCaptureStatus* status) {
    *status = cudaStreamCaptureStatusNone;
    return cudaSuccess;
}
API cudaError_t cudaStreamSynchronize(cudaStream_t) { return waited(); }
API cudaError_t cudaDeviceSynchronize() { return waited(); }
API cudaError_t cudaEventSynchronize(cudaEvent_t) { return waited(); }

typedef std::chrono::steady_clock Clock;
static Clock::time_point& time_of(cudaEvent_t e) { return *(Clock::time_point*)e; }

API cudaError_t cudaEventCreate(cudaEvent_t* e) { *e = (cudaEvent_t)new Clock::time_point; return cudaSuccess; }
API cudaError_t cudaEventCreateWithFlags(cudaEvent_t* e, unsigned) { return cudaEventCreate(e); }
API cudaError_t cudaEventDestroy(cudaEvent_t e) { delete &time_of(e); return cudaSuccess; }
API cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t) { time_of(e) = Clock::now(); return cudaSuccess; }
API cudaError_t cudaEventQuery(cudaEvent_t) { return cudaSuccess; }
API cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
    *milliseconds = std::chrono::duration<float, std::milli>(time_of(end) - time_of(start)).count();
    return cudaSuccess;
}
