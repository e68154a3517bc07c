package org.megatron.mobile.benchmark

import kotlin.math.floor

/** Milliseconds a call; [quantiles] are the percentiles 0, 5, 10 to 100. */
data class Latency(
    val p50: Double, val p90: Double, val p99: Double, val min: Double, val mean: Double, val quantiles: List<Double>,
) {
    companion object {
        /** Of at least one call; percentiles interpolate linearly, as numpy's do. */
        fun of(callsMs: List<Double>): Latency {
            val sorted = callsMs.sorted()
            return Latency(
                p50 = percentile(sorted, 50.0),
                p90 = percentile(sorted, 90.0),
                p99 = percentile(sorted, 99.0),
                min = sorted.first(),
                mean = sorted.average(),
                quantiles = (0..100 step 5).map { percentile(sorted, it.toDouble()) },
            )
        }
    }
}

/** Whether a row grew slower while it ran: medians of its first and of its last tenth of calls. */
data class Sustained(val firstDecileMs: Double, val lastDecileMs: Double) {
    val ratio: Double get() = lastDecileMs / firstDecileMs

    companion object {
        /** Of calls in the order they were made; null below ten. */
        fun of(callsMs: List<Double>): Sustained? {
            val count = callsMs.size / 10
            if (count == 0) return null
            return Sustained(median(callsMs.take(count)), median(callsMs.takeLast(count)))
        }

        private fun median(calls: List<Double>): Double = percentile(calls.sorted(), 50.0)
    }
}

private fun percentile(sorted: List<Double>, percent: Double): Double {
    val at = percent / 100 * (sorted.size - 1)
    val before = floor(at).toInt()
    val after = minOf(before + 1, sorted.size - 1)
    return sorted[before] + (at - before) * (sorted[after] - sorted[before])
}
