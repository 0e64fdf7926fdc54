// CUDA's memory: blocks of the host's, of which it is remembered whose they are said to be, and copies between them.
//
// A copy is done before the call returns, whatever stream it was put into. Fresh memory is full of NaN, so that a kernel
// which reads what nobody wrote is found.
#include "pretended.h"
#include <cuda_runtime_api.h>
#include <cstring>
#include <map>
#include <mutex>
#include <sys/mman.h>

static const size_t TOTAL = 80ull << 30, FILLED = 64ull << 20;  // bytes of a GPU; larger blocks stay 0, to be cheap
static const int DEVICES = 16;

struct Block { size_t size; int device; cudaMemoryType type; };
static std::map<char*, Block> blocks;  // by their first byte
static size_t used[DEVICES];
static std::mutex lock;

API Counts pretended_counts = {};
API int pretended_idle = 0;

// The block in which an address lies; type cudaMemoryTypeUnregistered where it is the program's own.
static Block block_of(const void* address) {
    std::lock_guard<std::mutex> guard(lock);
    auto after = blocks.upper_bound((char*)address);
    if (after != blocks.begin()) {
        auto [first, block] = *--after;
        if ((char*)address < first + block.size) return block;
    }
    return {0, cudaInvalidDeviceId, cudaMemoryTypeUnregistered};
}

static cudaError_t allocate(void** address, size_t size, cudaMemoryType type) {
    std::lock_guard<std::mutex> guard(lock);
    int device = current_device();
    if (type == cudaMemoryTypeDevice && used[device] + size > TOTAL) return cudaErrorMemoryAllocation;
    size = size ? size : 1;
    *address = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (*address == MAP_FAILED) return cudaErrorMemoryAllocation;
    if (size < FILLED) std::memset(*address, 0xff, size);
    blocks[(char*)*address] = {size, device, type};
    if (type == cudaMemoryTypeDevice) used[device] += size, pretended_counts.allocations++;
    return cudaSuccess;
}

static cudaError_t release(void* address) {
    std::lock_guard<std::mutex> guard(lock);
    if (!address) return cudaSuccess;
    auto found = blocks.find((char*)address);
    if (found == blocks.end()) return cudaErrorInvalidValue;
    if (found->second.type == cudaMemoryTypeDevice) used[found->second.device] -= found->second.size;
    munmap(address, found->second.size);
    blocks.erase(found);
    return cudaSuccess;
}

static cudaError_t copy(void* to, const void* from, size_t size) {
    bool up = block_of(to).type == cudaMemoryTypeDevice, down = block_of(from).type == cudaMemoryTypeDevice;
    (up && down ? pretended_counts.copies : up ? pretended_counts.uploads : pretended_counts.downloads)++;
    std::memmove(to, from, size);
    return cudaSuccess;
}

API cudaError_t cudaMalloc(void** p, size_t n) { return allocate(p, n, cudaMemoryTypeDevice); }
API cudaError_t cudaMallocAsync(void** p, size_t n, cudaStream_t) { return allocate(p, n, cudaMemoryTypeDevice); }
API cudaError_t cudaHostAlloc(void** p, size_t n, unsigned) { return allocate(p, n, cudaMemoryTypeHost); }
API cudaError_t cudaFree(void* p) { return release(p); }
API cudaError_t cudaFreeAsync(void* p, cudaStream_t) { return release(p); }
API cudaError_t cudaFreeHost(void* p) { return release(p); }

API cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
    std::lock_guard<std::mutex> guard(lock);
    *total = TOTAL, *free = TOTAL - used[current_device()];
    return cudaSuccess;
}

API cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* a, const void* address) {
    Block block = block_of(address);
    void* p = const_cast<void*>(address);
    a->type = block.type, a->device = block.device;
    a->devicePointer = block.type == cudaMemoryTypeUnregistered ? nullptr : p;
    a->hostPointer = block.type == cudaMemoryTypeDevice ? nullptr : p;
    return cudaSuccess;
}

API cudaError_t cudaMemcpy(void* to, const void* from, size_t n, cudaMemcpyKind) {
    pretended_counts.waits++;
    return copy(to, from, n);
}
API cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t n, cudaMemcpyKind, cudaStream_t) {
    return copy(to, from, n);
}
API cudaError_t cudaMemcpyPeer(void* to, int, const void* from, int, size_t n) { return copy(to, from, n); }
API cudaError_t cudaMemcpyPeerAsync(void* to, int, const void* from, int, size_t n, cudaStream_t) {
    return copy(to, from, n);
}

API cudaError_t cudaMemset(void* p, int value, size_t n) {
    std::memset(p, value, n);
    return cudaSuccess;
}
API cudaError_t cudaMemsetAsync(void* p, int value, size_t n, cudaStream_t) { return cudaMemset(p, value, n); }
