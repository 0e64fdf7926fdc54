// What the files of the pretended CUDA share.
#pragma once
#include <cstdio>

#define API extern "C" __attribute__((visibility("default")))

// What has been asked for since the library was loaded; `counts.py` reads it.
struct Counts { long uploads, downloads, copies, waits, launches, products, allocations; };
extern "C" Counts pretended_counts;
extern "C" int pretended_idle;  // where it is not 0, launches and products are counted, and not done

int current_device();
