// Exchanges the rows that a graph computed with those of its caches, all caches in one launch.
//
// table: for each cache three words: address of the computed rows, address of the cache, and the
//        32-bit words of a row.
// index: row of the cache for each computed row, ascending; equal neighbours are the same row.
// Grid: (computed rows, caches). Exchanging again undoes it.
extern "C" __global__ void exchange_rows(const unsigned long long *table, const long long *index)
{
    const unsigned long long *entry = table + 3 * blockIdx.y;
    const long long target = index[blockIdx.x];
    if (blockIdx.x > 0 && index[blockIdx.x - 1] == target)
        return;
    unsigned int *computed = (unsigned int *)entry[0] + blockIdx.x * entry[2];
    unsigned int *cached = (unsigned int *)entry[1] + target * entry[2];
    for (unsigned long long word = threadIdx.x; word < entry[2]; word += blockDim.x) {
        const unsigned int old = cached[word];
        cached[word] = computed[word];
        computed[word] = old;
    }
}
