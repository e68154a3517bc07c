package org.megatron.mobile.benchmark

/** One method's calls: [call] is timed, its times gather in [callsMs] in the order they were made. */
class Timing(val method: String, val call: () -> Unit) {
    private val times = ArrayList<Double>()
    val callsMs: List<Double> get() = times

    /** Calls that did not count. */
    var warmUp = 0
        private set

    /** Of the very first call, counted or not; null before it. */
    var firstMs: Double? = null
        private set

    /** Spent in counted calls. */
    var seconds = 0.0
        private set

    internal fun warmUp(nanos: () -> Long) {
        val took = timed(nanos)
        if (firstMs == null) firstMs = took
        warmUp++
    }

    internal fun count(nanos: () -> Long) {
        val took = timed(nanos)
        times += took
        seconds += took / 1000
    }

    private fun timed(nanos: () -> Long): Double {
        val start = nanos()
        call()
        return (nanos() - start) / 1e6
    }
}

/**
 * Every method takes its turn of about a quarter of a second in every round, as in `benchmarks/measure.py`, so that a
 * slow minute slows them all. Each turn begins with two calls that do not count: the method before has used the caches.
 *
 * [onTurn] is told after each turn; it returns whether to go on. Returns whether all of [timings] are complete.
 */
fun interleave(
    timings: List<Timing>, plan: BenchmarkPlan, nanos: () -> Long, onTurn: (BenchmarkProgress) -> Boolean,
): Boolean {
    while (true) {
        if (timings.all { it.callsMs.size >= plan.leastCalls && it.seconds >= plan.leastSeconds }) return true
        for (timing in timings) {
            repeat(WARM_UP_CALLS) { timing.warmUp(nanos) }
            val end = nanos() + TURN_NANOS
            do timing.count(nanos) while (nanos() < end)
            if (!onTurn(furthestBehind(timings, plan))) return false
        }
    }
}

private fun furthestBehind(timings: List<Timing>, plan: BenchmarkPlan): BenchmarkProgress {
    val shares = timings.map { timing ->
        minOf(timing.callsMs.size.toDouble() / plan.leastCalls, timing.seconds / plan.leastSeconds, 1.0)
    }
    val share = shares.min()
    val timing = timings[shares.indexOf(share)]
    return BenchmarkProgress(timing.method, timing.callsMs.size, plan.leastCalls, timing.seconds, share)
}

private const val TURN_NANOS = 250_000_000L
private const val WARM_UP_CALLS = 2
