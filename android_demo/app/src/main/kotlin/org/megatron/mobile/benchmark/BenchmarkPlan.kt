package org.megatron.mobile.benchmark

/** What to measure, by the protocol of `python -m benchmarks`. */
data class BenchmarkPlan(val methods: List<String>, val leastCalls: Int, val leastSeconds: Double, val threads: Int) {
    /** Why a request is none. */
    sealed interface Fault {
        data class Method(val asked: String, val allowed: List<String>) : Fault

        data class Number(val name: String, val least: Int, val most: Int, val asked: Int) : Fault
    }

    /** A plan, or why there is none. */
    sealed interface Made {
        data class Plan(val plan: BenchmarkPlan) : Made

        data class No(val fault: Fault) : Made
    }

    companion object {
        /** Below these a row does not count. */
        const val LEAST_CALLS = 1024
        const val LEAST_SECONDS = 10.0

        const val THREADS = 2
        private const val QUICK_SECONDS = 1.0
        private const val MOST_CALLS = 1_000_000
        private const val MOST_THREADS = 16

        /**
         * Of [method] alone, or of [allowed] where it is null. Fewer [iterations] than a valid row has are a quick look:
         * a second for each row instead of ten.
         */
        fun of(method: String?, iterations: Int, threads: Int, allowed: List<String>): Made = when {
            method != null && method !in allowed -> Made.No(Fault.Method(method, allowed))
            iterations !in 1..MOST_CALLS -> Made.No(Fault.Number("iterations", 1, MOST_CALLS, iterations))
            threads !in 1..MOST_THREADS -> Made.No(Fault.Number("threads", 1, MOST_THREADS, threads))
            else -> Made.Plan(
                BenchmarkPlan(
                    methods = method?.let(::listOf) ?: allowed,
                    leastCalls = iterations,
                    leastSeconds = if (iterations < LEAST_CALLS) QUICK_SECONDS else LEAST_SECONDS,
                    threads = threads,
                ),
            )
        }
    }
}

/** How far the method is that is furthest behind. */
data class BenchmarkProgress(val method: String, val calls: Int, val leastCalls: Int, val seconds: Double, val share: Double)
