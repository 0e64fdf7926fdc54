// target[index] += values, where an index that occurs twice adds twice. The indices come sorted, and `order` tells where each
// came from: the thread that stands at the first of equal indices adds up all of them, in the order in which they came.
template <typename T> __global__ void add_runs(T* target, const long long* index, const long long* order, const T* values,
                                               long long count) {
    FOR_EACH(i, count) {
        if (i > 0 && index[i] == index[i - 1]) continue;
        typename Sum<T>::type sum = target[index[i]];
        for (long long j = i; j < count && index[j] == index[i]; j++) sum += (typename Sum<T>::type)values[order[j]];
        target[index[i]] = T(sum);
    }
}
