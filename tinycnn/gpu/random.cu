// Random numbers by counting: number i of a stream is a scrambled i. Nothing has to be remembered but how far one has counted.
// Source: Salmon, Moraes, Dror, Shaw, Parallel random numbers: as easy as 1, 2, 3, 2011 (Philox4x32-10).

// Four words of 32 random bits for every number of the counter, ten rounds of multiplying and crossing over.
__device__ void philox(unsigned long long seed, unsigned long long counter, unsigned* word) {
    unsigned key0 = seed, key1 = seed >> 32;
    unsigned c0 = counter, c1 = counter >> 32, c2 = 0, c3 = 0;
    for (int round = 0; round < 10; round++) {
        unsigned long long a = 0xD2511F53ULL * c0, b = 0xCD9E8D57ULL * c2;
        c0 = unsigned(b >> 32) ^ c1 ^ key0, c1 = unsigned(b);
        c2 = unsigned(a >> 32) ^ c3 ^ key1, c3 = unsigned(a);
        key0 += 0x9E3779B9U, key1 += 0xBB67AE85U;
    }
    word[0] = c0, word[1] = c1, word[2] = c2, word[3] = c3;
}

// Numbers in [0, 1) of 24 random bits in float, of 53 in double. One thread uses up a counter: four floats or two doubles.
template <typename T> __global__ void uniform(T* y, long long count, unsigned long long seed, long long position) {
    const int each = sizeof(T) == 8 ? 2 : 4;
    FOR_EACH(i, (count + each - 1) / each) {
        unsigned word[4];
        philox(seed, position + i, word);
        for (int k = 0; k < each && i * each + k < count; k++)
            y[i * each + k] = each == 4 ? T(word[k] >> 8) * T(1.0 / 16777216)
                : T((word[2 * k] >> 5) * 67108864.0 + (word[2 * k + 1] >> 6)) * T(1.0 / 9007199254740992.0);
    }
}
