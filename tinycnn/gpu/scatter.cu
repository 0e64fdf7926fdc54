// Where an index occurs several times, its values must not be brought to the target by several threads. So the indices come
// sorted, `order` tells where each came from, and the thread that stands at the first of equal ones serves them all.

// target[index] += values, added up in the order in which they came.
template <typename T> __global__ void add_runs(T* target, const long long* index, const long long* order, const T* values,
                                               long long count) {
    FOR_EACH(i, count) {
        if (i > 0 && index[i] == index[i - 1]) continue;
        typename Sum<T>::type sum = target[index[i]];
        for (long long j = i; j < count && index[j] == index[i]; j++) sum += (typename Sum<T>::type)values[order[j]];
        target[index[i]] = T(sum);
    }
}

// target[index] = the largest (or smallest) of itself and the values. A NaN beats every number.
template <typename T> __global__ void extreme_runs(T* target, const long long* index, const long long* order,
                                                   const T* values, long long count, bool largest) {
    FOR_EACH(i, count) {
        if (i > 0 && index[i] == index[i - 1]) continue;
        T best = target[index[i]];
        for (long long j = i; j < count && index[j] == index[i]; j++) {
            T value = values[order[j]];
            if ((largest ? value > best : value < best) || value != value) best = value;
        }
        target[index[i]] = best;
    }
}
